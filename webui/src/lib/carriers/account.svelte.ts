import { request } from '../api/client';
import { inWords } from '../api/problem';
import { live } from '../live/live.svelte';
import { toasts } from '../toast.svelte';

/** The account with a carrier and its numbers, as its card shows and changes them. */
export class CarrierAccount<V extends { is_set_up: boolean; version: number }, N> {
  /** Null until it is known. */
  view = $state.raw<V | null>(null);
  numbers = $state.raw<N[] | null>(null);
  failure: unknown = $state.raw(null);
  numbersFailure: unknown = $state.raw(null);
  /** Its dialog is open. */
  editing = $state(false);
  /** It is asked whether it is really to be removed; it is being removed. */
  removing = $state(false);
  busy = $state(false);
  /** The number that is being connected or released. */
  turning = $state<string | null>(null);
  #path: string;

  constructor(kind: 'twilio' | 'telnyx') {
    this.#path = `/api/carriers/${kind}`;
  }

  /** Loads it, and again whenever something about a carrier has changed; within a component. */
  follow(): void {
    void this.load();
    $effect(() => live.follow({ reload: this.load, event: (envelope) => { if (envelope.type.startsWith('carrier.')) void this.load(); } }));
  }

  load = async (): Promise<void> => {
    try {
      this.view = await request<V>('GET', this.#path);
      this.failure = null;
      if (this.view.is_set_up) await this.loadNumbers();
      else this.numbers = null;
    } catch (problem) {
      this.failure = problem;
    }
  };

  loadNumbers = async (): Promise<void> => {
    try {
      this.numbers = await request<N[]>('GET', `${this.#path}/numbers`);
      this.numbersFailure = null;
    } catch (problem) {
      this.numbersFailure = problem;
    }
  };

  /** Connects or releases a number; says so. */
  async turn(number: string, what: 'connect' | 'disconnect', said: string): Promise<void> {
    this.turning = number;
    await this.#told(() => request('POST', `${this.#path}/numbers/${number}/${what}`, { body: {} }), said);
    await this.load();
    this.turning = null;
  }

  /** Removes it; says so. */
  async remove(said: string): Promise<void> {
    if (!this.view) return;
    const { version } = this.view;
    this.busy = true;
    await this.#told(() => request('DELETE', this.#path, { version }), said);
    this.busy = false;
    this.removing = false;
    await this.load();
  }

  async #told(change: () => Promise<unknown>, said: string): Promise<void> {
    try {
      await change();
      toasts.say(said);
    } catch (problem) {
      toasts.say(inWords(problem), 'bad');
    }
  }
}
