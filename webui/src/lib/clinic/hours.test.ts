import { describe, expect, it } from 'vitest';
import { hoursError, spansOf, weekOf } from './hours';

const monday = (...spans: [string, string][]) => [spans.map(([from, to]) => ({ from, to })), [], [], [], [], [], []];

describe('opening hours', () => {
  it('read back as they were written', () => {
    const open = [{ weekday: 1, from_minute: 480, to_minute: 720 }, { weekday: 1, from_minute: 780, to_minute: 1440 }, { weekday: 7, from_minute: 0, to_minute: 60 }];
    expect(spansOf(weekOf(open))).toEqual(open);
  });

  it('take midnight at the end as the end of the day', () => {
    expect(spansOf(monday(['20:00', '00:00']))).toEqual([{ weekday: 1, from_minute: 1200, to_minute: 1440 }]);
  });

  it('name the day that cannot be meant', () => {
    expect(hoursError(monday(['08:00', '12:00'], ['13:00', '18:00']))).toBeNull();
    expect(hoursError(monday(['18:00', '08:00']))).toBe(0);
    expect(hoursError(monday(['08:00', '12:00'], ['11:00', '18:00']))).toBe(0);
    expect(hoursError(monday(['', '12:00']))).toBe(0);
  });
});
