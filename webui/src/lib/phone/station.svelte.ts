import { untrack } from 'svelte';
import { request } from '../api/client';
import { inWords } from '../api/problem';
import type { LiveCall } from '../api/types';
import { live } from '../live/live.svelte';
import { session } from '../session.svelte';
import { toasts } from '../toast.svelte';
import { choice } from './choice.svelte';
import { Softphone } from './softphone.svelte';

/** What is unfolded beside the bar of the call. */
export type Unfolded = 'phone' | 'transfer' | 'keypad' | 'emergency' | null;
type Seat = LiveCall['stations'][number];
/** A call, and how this account's softphone stands in it. */
export interface At { call: LiveCall; seat: Seat }

/** This account's telephone in this tab. What call it has, and whether it is muted or rings, is the service's word alone, so that a page that is loaded again knows it too. */
class Station {
  phone = new Softphone('station');
  unfolded = $state<Unfolded>(null);
  number = $state('');
  /** Something has been asked of the service that it has not answered yet. */
  busy = $state(false);
  #wanted = $state(false);

  mine: At | null = $derived.by(() => this.#at(false));
  ringing: At | null = $derived.by(() => (this.phone.isOn ? this.#at(true) : null));

  /** Whether it may mask what is said: it handles the call, and both sides talk. */
  masks: boolean = $derived.by(() => this.mine?.call.status === 'with_agent' && this.mine.call.agent === session.account?.id);

  /** How it is in a call that others have; none where it is one of the two whose call it is, or is being asked. */
  beside: LiveCall['participants'][number] | null = $derived.by(() => this.mine?.call.participants.find((one) => one.account === session.account?.id) ?? null);
  /** Whether an emergency number may be dialled from the call that is on: from every one that is not to such a number itself. */
  alarms: boolean = $derived.by(() => this.mine !== null && !(this.mine.call.direction === 'outgoing' && this.mine.call.emergency));

  #at(rings: boolean): At | null {
    const me = session.account?.id;
    for (const call of live.calls ?? []) {
      const seat = call.stations.find((one) => one.account === me && one.is_ringing === rings);
      if (seat) return { call, seat };
    }
    return null;
  }

  /** Switches the telephone on: the browser asks for the microphone now. */
  async on(): Promise<void> {
    this.#wanted = true;
    await this.phone.start();
  }

  /** Switches it off, which ends its call. */
  async off(): Promise<void> {
    this.#wanted = false;
    this.unfolded = null;
    if (this.phone.isOn || this.phone.isBusy) await this.phone.hangUp();
  }

  /** The page is there: a telephone that was on before it was loaded again comes back by itself. */
  arrive(): () => void {
    if (this.phone.wasOn) void this.on();
    const leave = (): void => this.phone.leave();
    const devices = (): void => void this.phone.lookForDevices();
    window.addEventListener('pagehide', leave);
    navigator.mediaDevices?.addEventListener('devicechange', devices);
    return () => {
      window.removeEventListener('pagehide', leave);
      navigator.mediaDevices?.removeEventListener('devicechange', devices);
      this.phone.leave();
    };
  }

  /** The service can be reached again: so may be the telephone, which had given up. */
  reconnected(): void {
    const gaveUp = untrack(() => this.#wanted && this.phone.phase === 'failed' && (this.phone.fault === null || this.phone.fault === 'unreachable'));
    if (gaveUp) void this.on();
  }

  async place(): Promise<void> {
    const phone_number = this.number.trim();
    if (phone_number === '') return;
    await this.#ask('POST', '/api/calls', { phone_number, ...choice.wish });
  }

  /** Leaves the call for an emergency. */
  async alarm(phone_number: string): Promise<void> {
    if (await this.#ask('POST', '/api/calls', { phone_number })) this.unfolded = null;
  }

  answer(): Promise<boolean> {
    return this.#act(this.ringing, 'answer');
  }
  decline(): Promise<boolean> {
    return this.#act(this.ringing, 'decline');
  }
  /** Ends the call, or hands it on to whom is being asked. */
  async hangUp(): Promise<void> {
    if (await this.#act(this.mine, 'hangup')) this.unfolded = null;
  }
  mute(): Promise<boolean> {
    return this.#act(this.mine, this.mine?.seat.is_muted ? 'unmute' : 'mute');
  }
  /** Lets nothing be kept of what is said, or lets it be kept again. */
  mask(): Promise<boolean> {
    return this.#act(this.mine, this.mine?.call.masked_until ? 'unmask' : 'mask');
  }
  /** Lets all talk with each other: whoever is being asked comes in. */
  confer(): Promise<boolean> {
    return this.#act(this.mine, 'conference');
  }
  /** Lets one go who talks in the conference. */
  remove(number: number): Promise<boolean> {
    return this.#act(this.mine, `participants/${number}/hangup`);
  }
  /** Comes into a call of others, takes part in it in another way, or takes it over. */
  supervise(call: string, how: 'monitor' | 'whisper' | 'barge' | 'takeover'): Promise<boolean> {
    return this.#ask('POST', `/api/supervisor/${how}/${call}`);
  }
  /** Lets the other side wait, or takes it back. */
  hold(): Promise<boolean> {
    return this.#act(this.mine, this.mine?.call.status === 'on_hold' ? 'resume' : 'hold');
  }
  async transfer(to: string, attended: boolean): Promise<void> {
    const at = this.mine;
    if (at && (await this.#ask('POST', `/api/calls/${at.call.call}/transfer`, { to: to.trim(), attended }))) this.unfolded = null;
  }

  unfold(what: Exclude<Unfolded, null>): void {
    this.unfolded = this.unfolded === what ? null : what;
  }

  async #act(at: At | null, what: string): Promise<boolean> {
    return at !== null && (await this.#ask('POST', `/api/calls/${at.call.call}/${what}`));
  }

  async #ask(method: 'POST', path: string, body?: object): Promise<boolean> {
    if (this.busy) return false;
    this.busy = true;
    try {
      await request(method, path, body ? { body } : {});
      return true;
    } catch (error) {
      toasts.say(inWords(error), 'bad');
      return false;
    } finally {
      this.busy = false;
    }
  }
}

export const station = new Station();

/** The keys of the telephone; each does something only where the bar shows its button. */
export const PHONE_KEYS: Record<string, () => void> = {
  p: () => station.unfold('phone'),
  a: () => void (station.ringing && station.answer()),
  x: () => void (station.ringing ? station.decline() : station.mine && station.hangUp()),
  m: () => void (station.mine && station.mute()),
  n: () => void (station.masks && station.mask()),
  c: () => void (station.mine?.call.asked === 'talking' && station.confer()),
  h: () => void (station.mine && !station.beside && station.hold()),
  t: () => station.mine && !station.beside && station.unfold('transfer'),
  k: () => station.mine && !station.beside && station.unfold('keypad'),
  e: () => station.alarms && station.unfold('emergency'),
};
