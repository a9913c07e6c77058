import { request } from '../api/client';
import type { Dialling } from '../api/types';

/** What whoever calls from this page may choose. What they have chosen holds until the page is loaded again. */
class Choice {
  offered = $state.raw<Dialling | null>(null);
  /** The number that is shown; empty for the usual one. */
  shown = $state('');

  /** Numbers that may be shown in the place of the usual one. */
  others: readonly string[] = $derived.by(() => (this.offered?.numbers ?? []).filter((number) => number !== this.offered?.usual));

  /** Asks what there is now: rules and trunks may have changed. */
  async load(): Promise<void> {
    try {
      this.offered = await request<Dialling>('GET', '/api/calls/dialling');
    } catch {
      // The choice of before stays; what stands against a call is said when it is placed.
      return;
    }
    if (!this.others.includes(this.shown)) this.shown = '';
  }
}

export const choice = new Choice();
