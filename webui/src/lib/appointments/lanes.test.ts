import { describe, expect, it } from 'vitest';
import { lanes } from './lanes';

const place = (...spans: [number, number][]) => lanes(spans, (span) => span[0], (span) => span[1]).map(({ item, lane, of }) => `${item[0]}:${lane}/${of}`).join(' ');

describe('lanes', () => {
  it('are one where nothing overlaps', () => {
    expect(place([0, 20], [20, 40])).toBe('0:0/1 20:0/1');
  });

  it('stand side by side where bookings overlap, and are used again', () => {
    expect(place([0, 60], [10, 20], [30, 40], [60, 80])).toBe('0:0/2 10:1/2 30:1/2 60:0/1');
    expect(place([0, 30], [0, 30], [0, 30])).toBe('0:0/3 0:1/3 0:2/3');
  });
});
