import { afterEach, describe, expect, it, vi } from 'vitest';
import { all, onSignedOut, Problem, request } from './client';

const answers = (...responses: (Response | Error)[]) => {
  const fetched = vi.fn(async () => {
    const next = responses.shift();
    if (next instanceof Error) throw next;
    return next as Response;
  });
  vi.stubGlobal('fetch', fetched);
  return fetched;
};
const failure = (promise: Promise<unknown>): Promise<Problem> => promise.then(() => { throw new Error('should fail'); }, (error) => error as Problem);

afterEach(() => {
  vi.unstubAllGlobals();
  onSignedOut.call = null;
});

describe('a request', () => {
  it('sends what is set and leaves out what is not', async () => {
    const fetched = answers(Response.json({}));
    await request('POST', '/api/x', { query: { a: 'ü&', b: null, c: '' }, body: { n: 1 }, version: 3, key: 'k' });
    const [path, init] = fetched.mock.calls[0] as unknown as [string, RequestInit];
    expect(path).toBe('/api/x?a=%C3%BC%26');
    expect(init.headers).toMatchObject({ 'if-match': '"3"', 'idempotency-key': 'k', 'content-type': 'application/json' });
  });

  it('sends a reason in letters that every browser sends', async () => {
    const fetched = answers(Response.json({}));
    await request('GET', '/api/x', { reason: "Stížnost (paní O'Hara)" });
    const [, init] = fetched.mock.calls[0] as unknown as [string, RequestInit];
    expect(init.headers).toMatchObject({ 'access-reason': "UTF-8''St%C3%AD%C5%BEnost%20%28pan%C3%AD%20O%27Hara%29" });
  });

  it('turns a problem body into its code, fields and waiting time', async () => {
    answers(Response.json({ code: 'locked', detail: 'Wait', errors: [{ field: 'name', code: 'too_long', detail: '' }], request_id: 'r1' }, { status: 429, headers: { 'retry-after': '900' } }));
    const problem = await failure(request('GET', '/api/x'));
    expect([problem.code, problem.status, problem.retry_after_s, problem.request_id, problem.fields[0]?.code]).toEqual(['locked', 429, 900, 'r1', 'too_long']);
  });

  it('knows a proxy\'s error page by its status and an absent server by its silence', async () => {
    answers(new Response('<h1>Bad gateway</h1>', { status: 502 }), new TypeError('Failed to fetch'), new DOMException('', 'TimeoutError') as unknown as Error);
    expect((await failure(request('GET', '/api/x'))).code).toBe('unavailable');
    expect((await failure(request('GET', '/api/x'))).code).toBe('offline');
    expect((await failure(request('GET', '/api/x'))).code).toBe('timeout');
  });

  it('tells when the session is over, but not for a wrong password', async () => {
    const told = vi.fn();
    onSignedOut.call = told;
    answers(Response.json({ code: 'wrong_password' }, { status: 401 }), Response.json({ code: 'unauthenticated' }, { status: 401 }));
    await failure(request('POST', '/api/auth/login', { body: {} }));
    expect(told).not.toHaveBeenCalled();
    await failure(request('GET', '/api/calls'));
    expect(told).toHaveBeenCalledOnce();
  });

  it('follows cursors to the end', async () => {
    answers(Response.json({ items: [1, 2], next: 'c' }), Response.json({ items: [3], next: null }));
    expect(await all('/api/x')).toEqual([1, 2, 3]);
  });
});
