import { describe, expect, it } from 'vitest';
import { between, figures, mos, verdict } from './quality';

const reading = (received: number, lost: number, round_trip_ms = 20) => ({ received, lost, jitter_ms: 3, round_trip_ms, wait_ms: 40 });

describe('the quality of a line', () => {
  // The same points as the server's own table (media/src/audio/mos.rs).
  it('is 4.4 for a perfect line and falls with loss and delay', () => {
    expect(mos(0, 0)).toBeCloseTo(4.41, 1);
    expect(mos(0.05, 60)).toBeLessThan(4);
    expect(mos(0.2, 60)).toBeLessThan(mos(0.05, 60));
    expect(mos(0, 400)).toBeLessThan(mos(0, 100));
    expect(mos(1, 9_000)).toBe(1);
  });

  it('is that of the time between two readings', () => {
    expect(between(null, reading(0, 0))).toBeNull();
    expect(between(reading(100, 50), reading(200, 50))?.lost_percent).toBe(0);
    expect(between(reading(100, 0), reading(190, 10))?.lost_percent).toBe(10);
    // A late packet that was counted as lost takes it back.
    expect(between(reading(100, 10), reading(200, 9))?.lost_percent).toBe(0);
  });

  it('has a word', () => {
    const word = (missing: number) => verdict({ lost_percent: 0, jitter_ms: 0, round_trip_ms: 0, mos: mos(missing, 80) });
    expect([word(0), word(0.05), word(0.3)]).toEqual(['good', 'fair', 'poor']);
  });

  it('is read from what a browser reports', () => {
    expect(figures([{ type: 'codec' }])).toBeNull();
    const report = [
      { type: 'inbound-rtp', kind: 'audio', packetsLost: 2, packetsReceived: 98, jitter: 0.004, jitterBufferDelay: 960, jitterBufferEmittedCount: 16_000 },
      { type: 'candidate-pair', nominated: false, currentRoundTripTime: 9 },
      { type: 'candidate-pair', nominated: true, currentRoundTripTime: 0.03 },
    ];
    expect(figures(report)).toEqual({ lost: 2, received: 98, jitter_ms: 4, round_trip_ms: 30, wait_ms: 60 });
  });
});
