import type { Envelope, Live, LiveCall } from '../api/types';

/** Waits between attempts grow from the first to the last, each with jitter so that a restarted server is not met by everybody at once. */
export const RETRY_MS_MIN = 400;
export const RETRY_MS_MAX = 10_000;
/** The server pings every 15 s; two missed pings and a bit mean that the connection is dead although nobody said so. */
export const SILENCE_MS_MAX = 35_000;
/** A connection attempt that has not said hello by then is given up. */
export const HELLO_MS_MAX = 8_000;

export type Phase = 'idle' | 'connecting' | 'open' | 'waiting';

export type Input =
  | { kind: 'start' }
  | { kind: 'frame'; text: string }
  | { kind: 'closed' }
  | { kind: 'reloaded' }
  | { kind: 'hurry' }
  | { kind: 'tick' }
  | { kind: 'stop' };

export type Output =
  | { kind: 'connect' }
  | { kind: 'close' }
  | { kind: 'send'; text: string }
  | { kind: 'reload' }
  | { kind: 'event'; envelope: Envelope }
  | { kind: 'live'; live: Live }
  | { kind: 'calls'; items: LiveCall[] }
  | { kind: 'hello'; at: string; version: string };

/**
 * The socket's logic without a socket: what to do when frames arrive, connections drop and time passes.
 *
 * It remembers the number of the last event that was handed on and asks for everything after it when a
 * connection comes back, so nothing is missed and nothing is told twice. When the server can no longer
 * replay from there (`gap`), it asks the pages to load afresh and follows from the server's head.
 */
export class Link {
  phase: Phase = 'idle';
  /** The last event handed on; null before the first hello. */
  seq: number | null = null;
  /** When the last frame came. */
  heardAt = 0;
  /** When the next attempt is due, while waiting. */
  retryAt = 0;

  #failures = 0;
  #since = 0;
  #gapHead: number | null = null;
  #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  handle(input: Input, now: number): Output[] {
    switch (input.kind) {
      case 'start':
        return this.phase === 'idle' ? this.#connect(now) : [];
      case 'stop':
        return this.#stop();
      case 'hurry':
        if (this.phase !== 'waiting') return [];
        this.#failures = 0;
        return this.#connect(now);
      case 'tick':
        return this.#tick(now);
      case 'closed':
        if (this.phase === 'connecting' || this.phase === 'open') this.#wait(now);
        return [];
      case 'reloaded':
        return this.#follow();
      case 'frame':
        return this.phase === 'connecting' || this.phase === 'open' ? this.#frame(input.text, now) : [];
    }
  }

  /** When `tick` must be called next, or null. */
  nextWake(): number | null {
    if (this.phase === 'waiting') return this.retryAt;
    if (this.phase === 'connecting') return this.#since + HELLO_MS_MAX;
    if (this.phase === 'open') return this.heardAt + SILENCE_MS_MAX;
    return null;
  }

  #connect(now: number): Output[] {
    this.phase = 'connecting';
    this.#since = now;
    return [{ kind: 'connect' }];
  }

  #stop(): Output[] {
    const open = this.phase === 'connecting' || this.phase === 'open';
    this.phase = 'idle';
    this.seq = null;
    this.#gapHead = null;
    this.#failures = 0;
    return open ? [{ kind: 'close' }] : [];
  }

  #wait(now: number): void {
    const ceiling = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** this.#failures);
    this.#failures += 1;
    this.#gapHead = null;
    this.phase = 'waiting';
    this.retryAt = now + ceiling / 2 + (ceiling / 2) * this.#random();
  }

  #tick(now: number): Output[] {
    const due = this.nextWake();
    if (due === null || now < due) return [];
    if (this.phase === 'waiting') return this.#connect(now);
    this.#wait(now);
    return [{ kind: 'close' }];
  }

  #frame(text: string, now: number): Output[] {
    let frame: Record<string, unknown>;
    try {
      frame = JSON.parse(text);
    } catch {
      this.#wait(now);
      return [{ kind: 'close' }];
    }
    this.heardAt = now;
    switch (frame['type']) {
      case 'hello':
        return this.#hello(frame);
      case 'event':
        return this.#event(frame['envelope'] as Envelope);
      case 'gap':
        this.#gapHead = Number(frame['head']);
        return [{ kind: 'reload' }];
      case 'ping':
        return [this.#send({ type: 'ack', seq: this.seq ?? 0 })];
      case 'live':
        return [{ kind: 'live', live: frame['live'] as Live }];
      case 'calls':
        return [{ kind: 'calls', items: frame['items'] as LiveCall[] }];
      default:
        return []; // A newer server may say more than this page knows.
    }
  }

  #hello(frame: Record<string, unknown>): Output[] {
    const first = this.seq === null;
    this.phase = 'open';
    this.#failures = 0;
    if (first) this.seq = Number(frame['seq']);
    const out: Output[] = [{ kind: 'hello', at: String(frame['at']), version: String(frame['version']) }];
    out.push(this.#send({ type: 'subscribe', since: this.seq }));
    // What the pages loaded before the first hello may be older than the number we follow from.
    if (first) out.push({ kind: 'reload' });
    return out;
  }

  #event(envelope: Envelope): Output[] {
    if (this.#gapHead !== null) return []; // The reload will show it.
    if (this.seq !== null && envelope.seq <= this.seq) return [];
    this.seq = envelope.seq;
    return [{ kind: 'event', envelope }];
  }

  #follow(): Output[] {
    if (this.#gapHead === null || this.phase !== 'open') return [];
    this.seq = this.#gapHead;
    this.#gapHead = null;
    return [this.#send({ type: 'subscribe', since: this.seq })];
  }

  #send(frame: object): Output {
    return { kind: 'send', text: JSON.stringify(frame) };
  }
}
