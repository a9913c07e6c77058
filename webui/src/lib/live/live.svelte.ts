import { SvelteMap } from 'svelte/reactivity';
import type { Envelope, Live as LiveFact, LiveCall } from '../api/types';
import { Link, type Input, type Output } from './link';

/** A page that follows what happens. */
export interface Follower {
  /** Something happened. */
  event?: (envelope: Envelope) => void;
  /** What the page holds may be out of date: load it again. */
  reload: () => Promise<unknown> | void;
}

export interface Partial { speaker: 'caller' | 'receptionist' | 'staff'; text: string; start_ms: number }

/** How long the connection may be away before the page says so; most drops are over by then. */
const QUIET_MS = 1_500;
/** Loudness samples kept per live call: about half a minute at eight a second. */
const LEVELS_MAX = 240;

/** The one live connection of this tab: the shell around `Link`. */
class LiveLink {
  /** False while the connection is away. */
  connected = $state(false);
  /** True once the connection has been away long enough to tell. */
  down = $state(false);
  /** When the last frame came, by this machine's clock. */
  heardAt = $state(Date.now());
  /** When the next attempt is due. */
  retryAt = $state(0);
  /** Calls that are on now; null until the server has said. */
  calls = $state.raw<LiveCall[] | null>(null);
  /** Words being spoken, by call. */
  partials = new SvelteMap<string, Partial>();
  /** Loudness of late, by call. */
  levels = new SvelteMap<string, { caller: number; clinic: number }[]>();
  /** Milliseconds to add to this machine's clock to get the server's. */
  skew_ms = $state(0);

  /** Called when a connection is refused, to find out whether we are still signed in. */
  onrefused: (() => void) | null = null;

  #link = new Link(Math.random);
  #socket: WebSocket | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #downTimer: ReturnType<typeof setTimeout> | undefined;
  #followers = new Set<Follower>();

  start(): void {
    window.addEventListener('online', this.#hurry);
    document.addEventListener('visibilitychange', this.#hurry);
    this.#step({ kind: 'start' });
  }

  stop(): void {
    window.removeEventListener('online', this.#hurry);
    document.removeEventListener('visibilitychange', this.#hurry);
    this.#step({ kind: 'stop' });
    this.calls = null;
    this.partials.clear();
    this.levels.clear();
    clearTimeout(this.#downTimer);
    this.#downTimer = undefined;
    this.down = false;
  }

  /** Tries again now. */
  retry(): void {
    this.#step({ kind: 'hurry' });
  }

  follow(follower: Follower): () => void {
    this.#followers.add(follower);
    return () => this.#followers.delete(follower);
  }

  #hurry = (): void => {
    if (document.visibilityState === 'visible') this.#step({ kind: 'hurry' });
  };

  #step(input: Input): void {
    for (const output of this.#link.handle(input, Date.now())) this.#do(output);
    this.#show();
    clearTimeout(this.#timer);
    const wake = this.#link.nextWake();
    if (wake !== null) this.#timer = setTimeout(() => this.#step({ kind: 'tick' }), Math.max(0, wake - Date.now()));
  }

  #show(): void {
    const open = this.#link.phase === 'open';
    this.retryAt = this.#link.retryAt;
    if (this.#link.heardAt) this.heardAt = this.#link.heardAt;
    if (open === this.connected && (open || this.#downTimer !== undefined)) return;
    this.connected = open;
    if (open) {
      clearTimeout(this.#downTimer);
      this.#downTimer = undefined;
      this.down = false;
    } else if (this.#link.phase !== 'idle') {
      this.#downTimer ??= setTimeout(() => (this.down = true), QUIET_MS);
    }
  }

  #do(output: Output): void {
    switch (output.kind) {
      case 'connect':
        return this.#open();
      case 'close':
        this.#socket?.close();
        this.#socket = null;
        return;
      case 'send':
        this.#socket?.send(output.text);
        return;
      case 'hello': {
        const at = Date.parse(output.at);
        if (Number.isFinite(at)) this.skew_ms = at - Date.now();
        return;
      }
      case 'reload':
        void this.#reload();
        return;
      case 'event':
        return this.#tell(output.envelope);
      case 'live':
        return this.#fact(output.live);
      case 'calls':
        return this.#calls(output.items);
    }
  }

  #open(): void {
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    const socket = new WebSocket(`${scheme}://${location.host}/ws`);
    this.#socket = socket;
    let greeted = false;
    socket.onmessage = (message) => {
      if (this.#socket !== socket) return;
      greeted = true;
      this.#step({ kind: 'frame', text: String(message.data) });
    };
    socket.onclose = () => {
      if (this.#socket !== socket) return;
      this.#socket = null;
      this.#step({ kind: 'closed' });
      if (!greeted) this.onrefused?.();
    };
  }

  async #reload(): Promise<void> {
    await Promise.allSettled([...this.#followers].map((follower) => follower.reload()));
    this.#step({ kind: 'reloaded' });
  }

  #tell(envelope: Envelope): void {
    if (envelope.turn) {
      const partial = this.partials.get(envelope.turn.call);
      if (partial && partial.speaker === envelope.turn.speaker) this.partials.delete(envelope.turn.call);
    }
    for (const follower of [...this.#followers]) follower.event?.(envelope);
  }

  #fact(fact: LiveFact): void {
    if (fact.type === 'call.partial') {
      this.partials.set(fact.call, { speaker: fact.speaker, text: fact.text, start_ms: fact.start_ms });
    } else if (fact.type === 'call.level') {
      const kept = this.levels.get(fact.call) ?? [];
      this.levels.set(fact.call, [...kept.slice(1 - LEVELS_MAX), { caller: fact.caller, clinic: fact.clinic }]);
    }
  }

  #calls(items: LiveCall[]): void {
    this.calls = items;
    const on = new Set(items.map((item) => item.call));
    for (const call of [...this.partials.keys()]) if (!on.has(call)) this.partials.delete(call);
    for (const call of [...this.levels.keys()]) if (!on.has(call)) this.levels.delete(call);
  }
}

export const live = new LiveLink();
