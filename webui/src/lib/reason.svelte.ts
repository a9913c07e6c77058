import { Problem, request, type Options } from './api/client';

/** Asks why a past call is opened, where the clinic wants to know. The dialog of the frame answers. */
class Reasons {
  /** Takes the answer while the question is open; null for a person who gives none. */
  answer = $state.raw<((reason: string | null) => void) | null>(null);
  #asked: Promise<string | null> | null = null;

  /** Two parts of a page that ask at the same time get the same answer. */
  ask(): Promise<string | null> {
    this.#asked ??= new Promise((resolve) => {
      this.answer = (reason) => {
        this.answer = null;
        this.#asked = null;
        resolve(reason);
      };
    });
    return this.#asked;
  }
}

export const reasons = new Reasons();

/** Whether the server wants to know why. */
export const isAsked = (error: unknown): boolean => error instanceof Problem && error.code === 'reason_required';

/** A request that may need a reason: the person is asked, and it is sent again. Where they give none, the refusal stands. */
export async function withReason<T>(method: string, path: string, options: Options = {}): Promise<T> {
  try {
    return await request<T>(method, path, options);
  } catch (error) {
    const reason = isAsked(error) ? await reasons.ask() : null;
    if (reason === null) throw error;
    return request<T>(method, path, { ...options, reason });
  }
}
