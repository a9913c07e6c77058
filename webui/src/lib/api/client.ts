import type { Page } from './types';

/** How long an answer may take before the page says that the server does not answer. */
const ANSWER_MS_MAX = 20_000;

export interface FieldProblem { field: string; code: string; detail: string }

/** Why a request did not do what was asked. `code` is the server's, or `offline` and `timeout` when there was no answer at all. */
export class Problem extends Error {
  constructor(
    readonly code: string,
    readonly status: number,
    override readonly message: string,
    readonly fields: readonly FieldProblem[] = [],
    readonly retry_after_s: number | null = null,
    readonly request_id: string | null = null,
  ) {
    super(message);
  }
}

type Query = Record<string, string | number | boolean | null | undefined>;

export interface Options {
  query?: Query;
  body?: unknown;
  /** The version that the change is based on. */
  version?: number;
  /** Makes a repeated POST count once. */
  key?: string;
  /** Why a past call is opened; kept by the server. */
  reason?: string;
  /** Only these bytes of what is no JSON, such as `bytes=0-0`. */
  range?: string;
  /** Content type where the body is a text rather than JSON. */
  text?: boolean;
  /** What is sent as it is, in the place of a body. */
  file?: Blob;
}

/** Told when the server says that nobody is signed in. */
export const onSignedOut: { call: (() => void) | null } = { call: null };

export async function request<T>(method: string, path: string, options: Options = {}): Promise<T> {
  const headers: Record<string, string> = { accept: 'application/json' };
  if (options.body !== undefined) headers['content-type'] = options.text ? 'text/plain; charset=utf-8' : 'application/json';
  if (options.file !== undefined) headers['content-type'] = options.file.type || 'application/octet-stream';
  if (options.version !== undefined) headers['if-match'] = `"${options.version}"`;
  if (options.key !== undefined) headers['idempotency-key'] = options.key;
  if (options.reason !== undefined) headers['access-reason'] = extended(options.reason);
  if (options.range !== undefined) headers['range'] = options.range;
  let response: Response;
  try {
    response = await fetch(path + queryText(options.query), {
      method, headers, credentials: 'same-origin', signal: AbortSignal.timeout(ANSWER_MS_MAX),
      body: options.file ? options.file : options.body === undefined ? undefined : options.text ? String(options.body) : JSON.stringify(options.body),
    });
  } catch (error) {
    const timeout = error instanceof DOMException && error.name === 'TimeoutError';
    throw new Problem(timeout ? 'timeout' : 'offline', 0, String(error));
  }
  if (!response.ok) throw await problemOf(response, path);
  if (response.status === 204) return undefined as T;
  if (options.range !== undefined) {
    await response.body?.cancel();
    return undefined as T;
  }
  return (await response.json()) as T;
}

/** A header's value with letters beyond Latin-1, which browsers do not send as they are (RFC 8187 section 3.2). */
function extended(text: string): string {
  const encoded = encodeURIComponent(text).replace(/['()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
  return `UTF-8''${encoded}`;
}

function queryText(query: Query = {}): string {
  const set = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== null && value !== undefined && value !== '') set.set(name, String(value));
  const text = set.toString();
  return text === '' ? '' : `?${text}`;
}

async function problemOf(response: Response, path: string): Promise<Problem> {
  let body: { code?: unknown; detail?: unknown; errors?: unknown; request_id?: unknown } = {};
  try {
    body = await response.json();
  } catch {
    // A proxy's error page: the status alone must do.
  }
  const code = typeof body.code === 'string' ? body.code : byStatus(response.status);
  const wait = Number(response.headers.get('retry-after'));
  const problem = new Problem(
    code, response.status, typeof body.detail === 'string' ? body.detail : '', Array.isArray(body.errors) ? (body.errors as FieldProblem[]) : [],
    Number.isFinite(wait) && wait > 0 ? wait : null, typeof body.request_id === 'string' ? body.request_id : response.headers.get('x-request-id'),
  );
  if (response.status === 401 && path !== '/api/auth/login') onSignedOut.call?.();
  return problem;
}

function byStatus(status: number): string {
  if (status === 413) return 'too_large';
  if (status === 429) return 'rate_limited';
  return status >= 502 && status <= 504 ? 'unavailable' : 'internal';
}

/** A key for a POST that may be sent again; one per form, kept until it went through. */
export function idempotencyKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Follows the cursors of a list to its end, for lists that are known to be short; stops at `max` items. */
export async function all<T>(path: string, query: Query = {}, max = 1_000): Promise<T[]> {
  const items: T[] = [];
  let after: string | null = null;
  do {
    const page: Page<T> = await request('GET', path, { query: { limit: 100, ...query, after } });
    items.push(...page.items);
    after = page.next ?? null;
  } while (after !== null && items.length < max);
  return items;
}
