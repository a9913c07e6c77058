import { describe, expect, it } from 'vitest';
import { between, figures, mos, verdict } from './quality';

/** A reading, when what has come has waited 40 ms each but for these at first. */
const reading = (received: number, lost: number, late_ms = 0) => ({ received, lost, jitter_ms: 3, round_trip_ms: 20, waited_ms: received * 960 * 40 + late_ms * 960 * 10, played: received * 960 });

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

  it('forgets what waited long before the reading before', () => {
    const late = 20_000;
    expect(between(null, reading(100, 0, late))?.mos).toBeLessThan(2);
    expect(between(reading(100, 0, late), reading(200, 0, late))?.mos).toBeCloseTo(mos(0, 70), 5);
    expect(between(reading(100, 0, late), { ...reading(100, 0, late), received: 110 })?.mos).toBeCloseTo(mos(0, 30), 5);
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
    expect(figures(report)).toEqual({ lost: 2, received: 98, jitter_ms: 4, round_trip_ms: 30, waited_ms: 960_000, played: 16_000 });
  });

  it('has its way there and back from the far end where the browser measures none', () => {
    const heard = { type: 'inbound-rtp', kind: 'audio', packetsLost: 0, packetsReceived: 100, jitter: 0 };
    const told = { type: 'remote-inbound-rtp', kind: 'audio', roundTripTime: 0.05 };
    expect(figures([heard, { type: 'candidate-pair', nominated: true }, told])?.round_trip_ms).toBe(50);
    expect(figures([heard, { type: 'candidate-pair', nominated: true, currentRoundTripTime: 0.02 }, told])?.round_trip_ms).toBe(20);
    expect(figures([heard])?.round_trip_ms).toBeNull();
  });
});
