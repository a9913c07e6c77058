import { request } from '../api/client';
import type { Dialling } from '../api/types';

/** What whoever calls from this page may choose. What they have chosen holds until the page is loaded again. */
class Choice {
  offered = $state.raw<Dialling | null>(null);
  /** The number that is shown; empty for the usual one, and none where it is withheld. */
  shown = $state<string | null>('');

  /** Numbers that may be shown in the place of the usual one. */
  others: readonly string[] = $derived.by(() => (this.offered?.numbers ?? []).filter((number) => number !== this.offered?.usual));

  /** Whether there is anything to choose. */
  isOne: boolean = $derived.by(() => this.others.length > 0 || this.offered?.may_withhold === true);

  /** What is asked for with a call. */
  get wish(): { caller_id?: string; is_withheld?: true } {
    if (this.shown === null) return { is_withheld: true };
    return this.shown === '' ? {} : { caller_id: this.shown };
  }

  /** Asks what there is now: rules and trunks may have changed. */
  async load(): Promise<void> {
    try {
      this.offered = await request<Dialling>('GET', '/api/calls/dialling');
    } catch {
      // The choice of before stays; what stands against a call is said when it is placed.
      return;
    }
    const isThere = this.shown === null ? this.offered.may_withhold : this.others.includes(this.shown);
    if (!isThere) this.shown = '';
  }
}

export const choice = new Choice();
