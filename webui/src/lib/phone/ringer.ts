import { awaken } from './awake';

/** A telephone's bell, made by the browser: two tones, twice, and a pause, as telephones in Britain ring. */
const TONES_HZ = [400, 450];
const LOUD = 0.12;
/** Begin and end of each stroke, and of the whole, in seconds. */
const STROKES = [[0, 0.4], [0.6, 1]] as const;
const ROUND_S = 3;

export class Ringer {
  #context: AudioContext | null = null;
  #timer: ReturnType<typeof setInterval> | undefined;
  #asleep: (() => void) | undefined;

  /** Rings until it is stopped. */
  start(): void {
    if (this.#context) return;
    const context = new AudioContext();
    this.#context = context;
    // Strokes of a bell that may not sound yet would all sound together when it may.
    const round = (): void => {
      if (context.state === 'running') this.#strike(context);
    };
    context.onstatechange = round;
    this.#asleep = awaken(() => context.state === 'running', () => void context.resume());
    round();
    this.#timer = setInterval(round, ROUND_S * 1000);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#asleep?.();
    void this.#context?.close();
    this.#context = null;
  }

  #strike(context: AudioContext): void {
    const gain = new GainNode(context, { gain: 0 });
    gain.connect(context.destination);
    const from = context.currentTime + 0.05;
    for (const [begin, end] of STROKES) {
      gain.gain.setValueAtTime(LOUD, from + begin);
      gain.gain.setValueAtTime(0, from + end);
    }
    for (const frequency of TONES_HZ) {
      const tone = new OscillatorNode(context, { frequency });
      tone.connect(gain);
      tone.start(from);
      tone.stop(from + ROUND_S);
    }
  }
}
