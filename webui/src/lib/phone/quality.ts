/** How a line sounds, from what the browser counted. */
export interface Figures {
  lost: number;
  received: number;
  jitter_ms: number;
  round_trip_ms: number | null;
  /** How long what was played so far waited to be played, in all, and how many samples that was. */
  waited_ms: number;
  played: number;
}
export interface Quality { lost_percent: number; jitter_ms: number; round_trip_ms: number | null; mos: number }
export type Verdict = 'good' | 'fair' | 'poor';

/** What a perfect line has, how well Opus hides loss, and the delay from which conversation suffers: as the server reckons (ITU-T G.107). */
const BEST = 93.2;
const ROBUSTNESS = 25.1;
const DELAY_MS = 177.3;
/** From here on people notice, and from here on they complain. */
const GOOD_MOS = 4;
const FAIR_MOS = 3.4;

/** The mean opinion score, 1.0 to 4.4, of a share of loss (0 to 1) and a delay. */
export function mos(missing: number, delay_ms: number): number {
  const percent = Math.min(Math.max(missing, 0), 1) * 100;
  const loss = (95 * percent) / (percent + ROBUSTNESS);
  const delay = 0.024 * Math.max(delay_ms, 0) + 0.11 * Math.max(delay_ms - DELAY_MS, 0);
  const rating = Math.min(Math.max(BEST - loss - delay, 0), 100);
  return Math.min(Math.max(1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6, 1), 4.5);
}

/** The quality between two readings; null while nothing has come. */
export function between(before: Figures | null, now: Figures): Quality | null {
  const received = now.received - (before?.received ?? 0);
  const lost = Math.max(0, now.lost - (before?.lost ?? 0));
  if (received + lost <= 0) return null;
  const missing = lost / (received + lost);
  const played = now.played - (before?.played ?? 0);
  const wait_ms = played > 0 ? Math.max(0, now.waited_ms - (before?.waited_ms ?? 0)) / played : 0;
  return { lost_percent: missing * 100, jitter_ms: now.jitter_ms, round_trip_ms: now.round_trip_ms, mos: mos(missing, 20 + (now.round_trip_ms ?? 0) / 2 + wait_ms) };
}

export const verdict = (quality: Quality): Verdict => (quality.mos >= GOOD_MOS ? 'good' : quality.mos >= FAIR_MOS ? 'fair' : 'poor');

/** What a browser's statistics say of the audio that comes in. */
export function figures(report: Iterable<Record<string, unknown>>): Figures | null {
  let found: Figures | null = null;
  let round_trip_ms: number | null = null;
  /** What the far end's reports come to, where the browser measures no way by itself. */
  let reported_ms: number | null = null;
  for (const entry of report) {
    const number = (name: string): number => (typeof entry[name] === 'number' ? (entry[name] as number) : 0);
    if (entry['type'] === 'inbound-rtp' && entry['kind'] === 'audio') {
      found = {
        lost: number('packetsLost'),
        received: number('packetsReceived'),
        jitter_ms: number('jitter') * 1_000,
        round_trip_ms: null,
        waited_ms: number('jitterBufferDelay') * 1_000,
        played: number('jitterBufferEmittedCount'),
      };
    } else if (entry['type'] === 'candidate-pair' && entry['nominated'] === true && typeof entry['currentRoundTripTime'] === 'number') {
      round_trip_ms = number('currentRoundTripTime') * 1_000;
    } else if (entry['type'] === 'remote-inbound-rtp' && entry['kind'] === 'audio' && typeof entry['roundTripTime'] === 'number') {
      reported_ms = number('roundTripTime') * 1_000;
    }
  }
  return found && { ...found, round_trip_ms: round_trip_ms ?? reported_ms };
}
