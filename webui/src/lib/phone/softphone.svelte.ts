import { request } from '../api/client';
import type { SessionAnswer, SessionState } from '../api/types';
import { awaken } from './awake';
import { between, figures, type Figures, type Quality } from './quality';

/** A test call calls the receptionist; a station is the account's telephone, which calls are placed with and brought to. */
export type Purpose = 'test_call' | 'station';
/** Where it stands: `resting` before and between calls; `lost` while a connection that is gone is made anew. */
export type Phase = 'resting' | 'asking' | 'connecting' | 'on' | 'lost' | 'over' | 'taken' | 'failed';
export type Fault = 'no_microphone' | 'denied' | 'insecure' | 'unreachable';

/** Attempts to make a lost connection anew before it is given up, and how long each waits. The server waits 15 s for us. */
const ATTEMPTS_MAX = 5;
const RETRY_MS = 1_000;
/** How long a connection may take: the server's port is not reachable, then. */
const CONNECT_MS_MAX = 10_000;
/** How often loudness is read, and how often the statistics. */
const LEVEL_MS = 100;
const FIGURES_MS = 2_000;
/** What counts as a voice, 0 to 100, and how long ago it may be. */
const VOICE = 25;
const HEARD_MS = 4_000;
/** How long a key sounds and what follows it, in milliseconds. */
const KEY_MS = 160;
const PAUSE_MS = 80;
const CONNECTION_KEPT = 'auricle.softphone';

/** A page's telephone: a microphone, a loudspeaker and a connection to the service. */
export class Softphone {
  phase = $state<Phase>('resting');
  fault = $state<Fault | null>(null);
  error: unknown = $state.raw(null);
  muted = $state(false);
  /** Loudness of both sides, 0 to 100. */
  mine = $state(0);
  theirs = $state(0);
  /** Whether the microphone has brought a voice of late. */
  voiced = $state(false);
  quality = $state.raw<Quality | null>(null);
  call = $state<string | null>(null);
  microphones = $state.raw<MediaDeviceInfo[]>([]);
  speakers = $state.raw<MediaDeviceInfo[]>([]);
  microphone = $state('');
  speaker = $state('');
  pressed = $state('');

  #purpose: Purpose;
  #connection: RTCPeerConnection | null = null;
  #stream: MediaStream | null = null;
  #sound: HTMLAudioElement | null = null;
  #meters: { context: AudioContext; mine: AnalyserNode; theirs: AnalyserNode | null } | null = null;
  #timers = new Set<ReturnType<typeof setInterval>>();
  #figures: Figures | null = null;
  #asleep: (() => void) | undefined;
  /** Counts what has begun and ended, so that what began before an end does not go on after it. */
  #begun = 0;
  #voicedAt = 0;
  #attempts = 0;

  constructor(purpose: Purpose) {
    this.#purpose = purpose;
  }

  get isOn(): boolean {
    return this.phase === 'on' || this.phase === 'lost';
  }
  get isBusy(): boolean {
    return this.phase === 'asking' || this.phase === 'connecting';
  }
  /** Whether this tab had a call when its page was loaded again. */
  get wasOn(): boolean {
    return sessionStorage.getItem(this.#kept) !== null;
  }

  get #kept(): string {
    return `${CONNECTION_KEPT}.${this.#purpose}`;
  }

  /** Asks for the microphone and calls. */
  async start(): Promise<void> {
    if (this.isOn || this.isBusy) return;
    Object.assign(this, { phase: 'asking', fault: null, error: null, call: null, quality: null, muted: false, pressed: '' });
    this.#attempts = 0;
    if (!navigator.mediaDevices) return this.#fail('insecure');
    const began = (this.#begun += 1);
    try {
      const stream = await this.#listen();
      // Whoever asked may have gone while the browser asked them.
      if (began !== this.#begun) return letGo(stream);
      this.#stream = stream;
    } catch (error) {
      if (began !== this.#begun) return;
      return this.#fail(error instanceof DOMException && error.name === 'NotAllowedError' ? 'denied' : 'no_microphone');
    }
    // Firefox names them only once its page is looked at, and nobody waits for that.
    void this.lookForDevices();
    await this.#connect();
  }

  /** Ends the call. */
  async hangUp(): Promise<void> {
    this.#end('over');
    try {
      await request('DELETE', '/api/softphone/session', { query: { purpose: this.#purpose } });
    } catch (error) {
      // Without us the service ends it by itself in a moment.
      this.error = error;
    }
  }

  mute(on: boolean): void {
    this.muted = on;
    for (const track of this.#stream?.getAudioTracks() ?? []) track.enabled = !on;
  }

  /** Presses a key of the keypad. */
  press(key: string): void {
    const sender = this.#connection?.getSenders()[0]?.dtmf;
    if (this.phase !== 'on' || !sender?.canInsertDTMF) return;
    sender.insertDTMF(sender.toneBuffer + key, KEY_MS, PAUSE_MS);
    this.pressed = (this.pressed + key).slice(-24);
  }

  /** Speaks through another microphone from now on. */
  async speakThrough(id: string): Promise<void> {
    this.microphone = id;
    if (!this.#stream) return;
    try {
      const stream = await this.#listen();
      const track = stream.getAudioTracks()[0] ?? null;
      await this.#connection?.getSenders()[0]?.replaceTrack(track);
      letGo(this.#stream);
      this.#stream = stream;
      this.mute(this.muted);
      this.#measure();
    } catch {
      this.fault = 'no_microphone';
    }
  }

  /** Is heard from another loudspeaker from now on; from that of before where this one cannot be used. */
  async hearFrom(id: string): Promise<void> {
    const before = this.speaker;
    this.speaker = id;
    try {
      await this.#sound?.setSinkId?.(id);
    } catch {
      this.speaker = before;
    }
  }

  async lookForDevices(): Promise<void> {
    const devices = await navigator.mediaDevices.enumerateDevices().catch(() => []);
    // Without a name there is nothing to choose by.
    const named = (kind: MediaDeviceKind): MediaDeviceInfo[] => devices.filter((device) => device.kind === kind && device.label !== '' && device.deviceId !== 'default');
    this.microphones = named('audioinput');
    this.speakers = 'setSinkId' in HTMLMediaElement.prototype ? named('audiooutput') : [];
  }

  /** The page goes: what it holds is let go, and the call waits for it a moment. */
  leave(): void {
    const kept = this.isOn;
    this.#end('resting');
    if (kept) sessionStorage.setItem(this.#kept, 'on');
  }

  #listen(): Promise<MediaStream> {
    const device = this.microphone ? { deviceId: { exact: this.microphone } } : {};
    return navigator.mediaDevices.getUserMedia({ audio: { ...device, echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 } });
  }

  /** Offers a connection; the service gives the call of before back to it, where there is one. */
  async #connect(): Promise<void> {
    const stream = this.#stream;
    if (!stream) return;
    if (this.phase !== 'lost') this.phase = 'connecting';
    this.#drop();
    const connection = new RTCPeerConnection();
    this.#connection = connection;
    const mine = (): boolean => this.#connection === connection;
    for (const track of stream.getAudioTracks()) connection.addTrack(track, stream);
    connection.ontrack = (event) => mine() && this.#hear(event.streams[0] ?? new MediaStream([event.track]));
    connection.onconnectionstatechange = () => mine() && this.#changed(connection.connectionState);
    const late = setTimeout(() => mine() && connection.connectionState !== 'connected' && this.#again('unreachable'), CONNECT_MS_MAX);
    this.#timers.add(late);
    try {
      await connection.setLocalDescription();
      const body = { sdp: connection.localDescription?.sdp ?? '', purpose: this.#purpose };
      const answer = await request<SessionAnswer>('POST', '/api/softphone/session', { body });
      if (!mine()) return;
      // A call that has ended while we were away is not begun anew by itself.
      if (this.#purpose === 'test_call' && this.phase === 'lost' && !answer.resumed) return void (await this.hangUp());
      await connection.setRemoteDescription({ type: 'answer', sdp: answer.sdp });
      const transport = connection.getSenders()[0]?.transport;
      if (transport) transport.onstatechange = () => mine() && transport.state === 'closed' && void this.#closed();
    } catch (error) {
      if (mine()) this.#again('unreachable', error);
    }
  }

  #changed(state: RTCPeerConnectionState): void {
    if (state === 'connected') {
      this.phase = 'on';
      this.#attempts = 0;
      sessionStorage.setItem(this.#kept, 'on');
      this.#measure();
      this.#count();
    } else if (state === 'failed') {
      this.#again('unreachable');
    } else if (state === 'disconnected' && this.phase === 'on') {
      this.phase = 'lost';
      const connection = this.#connection;
      this.#timers.add(setTimeout(() => this.#connection === connection && connection?.connectionState === 'disconnected' && this.#again('unreachable'), RETRY_MS * 2));
    }
  }

  /** The service has closed the connection: the call is over, or another page has it. */
  async #closed(): Promise<void> {
    if (this.#purpose === 'station') return this.#displaced();
    const call = this.call;
    let taken = false;
    try {
      const state = await request<SessionState>('GET', '/api/softphone/session', { query: { purpose: this.#purpose } });
      taken = call !== null && state.call === call && (await this.#isOn(call));
    } catch {
      // Nobody knows of a session: it is over.
    }
    this.#end(taken ? 'taken' : 'over');
  }

  /** A station that is closed is another page's, or the service gave it up and it is made anew. */
  async #displaced(): Promise<void> {
    const connection = this.#connection;
    try {
      await request<SessionState>('GET', '/api/softphone/session', { query: { purpose: this.#purpose } });
      if (this.#connection === connection) this.#end('taken');
    } catch {
      if (this.#connection === connection) this.#again('unreachable');
    }
  }

  async #isOn(call: string): Promise<boolean> {
    return (await request<{ status: string }>('GET', `/api/calls/${call}`)).status !== 'ended';
  }

  #again(fault: Fault, error: unknown = null): void {
    this.#attempts += 1;
    if (!this.isOn || this.#attempts > ATTEMPTS_MAX) return this.#fail(error ? null : fault, error);
    this.phase = 'lost';
    this.#timers.add(setTimeout(() => this.phase === 'lost' && void this.#connect(), RETRY_MS));
  }

  #hear(stream: MediaStream): void {
    this.#sound ??= new Audio();
    this.#sound.srcObject = stream;
    this.#sound.autoplay = true;
    if (this.speaker) void this.hearFrom(this.speaker);
    this.#measure(stream);
    this.#wake(this.#sound);
  }

  /** Sounds, and measures what sounds: a browser that wants a press first gets the page's next. */
  #wake(sound: HTMLAudioElement): void {
    this.#asleep?.();
    const isAwake = (): boolean => !sound.paused && this.#meters?.context.state === 'running';
    this.#asleep = awaken(isAwake, () => {
      void sound.play().catch(() => undefined);
      void this.#meters?.context.resume();
    });
  }

  #measure(theirs?: MediaStream): void {
    if (!this.#stream) return;
    const context = this.#meters?.context ?? new AudioContext();
    const analyser = (stream: MediaStream): AnalyserNode => {
      const node = new AnalyserNode(context, { fftSize: 1_024 });
      context.createMediaStreamSource(stream).connect(node);
      return node;
    };
    const first = this.#meters === null;
    this.#meters = { context, mine: analyser(this.#stream), theirs: theirs ? analyser(theirs) : (this.#meters?.theirs ?? null) };
    if (first) this.#timers.add(setInterval(() => this.#read(), LEVEL_MS));
  }

  #read(): void {
    if (!this.#meters) return;
    this.mine = this.muted ? 0 : loudness(this.#meters.mine);
    this.theirs = this.#meters.theirs ? loudness(this.#meters.theirs) : 0;
    if (this.mine >= VOICE) this.#voicedAt = performance.now();
    this.voiced = performance.now() - this.#voicedAt < HEARD_MS && this.#voicedAt > 0;
  }

  #count(): void {
    this.#timers.add(setInterval(() => void this.#reckon(), FIGURES_MS));
    void this.#reckon();
  }

  async #reckon(): Promise<void> {
    const connection = this.#connection;
    if (!connection || this.phase !== 'on') return;
    const report = await connection.getStats();
    const now = figures(report.values());
    if (now) {
      this.quality = between(this.#figures, now) ?? this.quality;
      this.#figures = now;
    }
    if (this.call === null && this.#purpose === 'test_call') {
      const state = await request<SessionState>('GET', '/api/softphone/session', { query: { purpose: this.#purpose } }).catch(() => null);
      if (this.#connection === connection) this.call = state?.call ?? null;
    }
  }

  #fail(fault: Fault | null, error: unknown = null): void {
    this.#end('failed');
    this.fault = fault;
    this.error = error;
  }

  /** Lets go of the connection and of what hangs on it. */
  #drop(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#timers.clear();
    this.#asleep?.();
    this.#connection?.close();
    this.#connection = null;
    this.#figures = null;
    void this.#meters?.context.close();
    this.#meters = null;
    Object.assign(this, { mine: 0, theirs: 0, voiced: false });
  }

  #end(phase: Phase): void {
    this.phase = phase;
    this.#begun += 1;
    sessionStorage.removeItem(this.#kept);
    this.#drop();
    if (this.#stream) letGo(this.#stream);
    this.#stream = null;
    if (this.#sound) this.#sound.srcObject = null;
  }
}

/** Lets go of a microphone. */
function letGo(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}

/** How loud it is, 0 (-60 dBFS) to 100 (full scale). */
function loudness(node: AnalyserNode): number {
  const samples = new Float32Array(node.fftSize);
  node.getFloatTimeDomainData(samples);
  const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
  const decibels = 10 * Math.log10(power + 1e-9);
  return Math.round(Math.min(Math.max((decibels + 60) / 60, 0), 1) * 100);
}
