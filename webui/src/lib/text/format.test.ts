import { describe, expect, it } from 'vitest';
import { csv } from './csv';
import { addDays, clockMinutes, date, dayOf, dayStart, duration, minuteOf, mondayOf, parseMinutes, weekdayOf } from './format';
import { phone } from './phone';

describe('durations', () => {
  it('are m:ss, and h:mm:ss from an hour on', () => {
    expect(duration(0)).toBe('0:00');
    expect(duration(7_999)).toBe('0:07');
    expect(duration(247_000)).toBe('4:07');
    expect(duration(3_600_000)).toBe('1:00:00');
    expect(duration(-5)).toBe('0:00');
  });
});

describe('times are the clinic\'s', () => {
  const at = '2026-03-29T00:30:00Z';

  // I18N-07
  it('whatever zone the browser is in', () => {
    expect(date(at, 'time', 'en', 'Europe/Prague')).toBe('01:30');
    expect(date(at, 'time', 'en', 'America/New_York')).toBe('20:30');
  });

  it('are written in the language', () => {
    const noon = '2026-11-20T12:00:00Z';
    expect(date(noon, 'day', 'en', 'UTC')).toContain('Nov');
    expect(date(noon, 'fullday', 'es', 'UTC')).toContain('noviembre');
    expect(date(noon, 'fullday', 'cs', 'UTC')).toContain('listopadu');
    expect(date('nonsense', 'day', 'cs', 'UTC')).toBe('');
  });

  it('know the day and minute in the zone', () => {
    expect(dayOf(Date.parse('2026-11-20T23:30:00Z'), 'Europe/Prague')).toBe('2026-11-21');
    expect(minuteOf(Date.parse('2026-11-20T23:30:00Z'), 'Europe/Prague')).toBe(30);
  });

  it('find midnight on days that are 23 and 25 hours long', () => {
    const zone = 'Europe/Prague';
    expect(new Date(dayStart('2026-03-29', zone)).toISOString()).toBe('2026-03-28T23:00:00.000Z');
    expect(new Date(dayStart('2026-03-30', zone)).toISOString()).toBe('2026-03-29T22:00:00.000Z');
    expect(dayStart('2026-10-26', zone) - dayStart('2026-10-25', zone)).toBe(25 * 3_600_000);
  });

  it('find the first instant of a day whose midnight does not exist', () => {
    const start = dayStart('2026-09-06', 'America/Santiago');
    expect(dayOf(start, 'America/Santiago')).toBe('2026-09-06');
    expect(dayOf(start - 1_000, 'America/Santiago')).toBe('2026-09-05');
  });

  it('count days and weeks', () => {
    expect(addDays('2026-12-31', 1)).toBe('2027-01-01');
    expect(mondayOf('2026-11-22')).toBe('2026-11-16');
    expect(mondayOf('2026-11-16')).toBe('2026-11-16');
    expect(weekdayOf('2026-11-22')).toBe(7);
  });

  it('read and write opening times', () => {
    expect(clockMinutes(570)).toBe('09:30');
    expect(clockMinutes(1440)).toBe('24:00');
    expect(parseMinutes('9:30')).toBe(570);
    expect(parseMinutes('24:00')).toBe(1440);
    expect(parseMinutes('24:01')).toBeNull();
    expect(parseMinutes('9:75')).toBeNull();
  });
});

describe('telephone numbers', () => {
  it('are national at home and international abroad', () => {
    expect(phone('+442079460182', 'GB')).toEqual({ text: '020 7946 0182', country: 'GB' });
    expect(phone('+447700900321', 'GB')).toEqual({ text: '07700 900321', country: 'GB' });
    expect(phone('+420601555010', 'CZ').text).toBe('601 555 010');
    expect(phone('+420601555010', 'GB').text).toBe('+420 601 555 010');
    expect(phone('+12025550143', 'US').text).toBe('(202) 555-0143');
  });

  it('stay as they are when they are not numbers', () => {
    expect(phone('anna', 'GB')).toEqual({ text: 'anna', country: null });
    expect(phone('', 'GB').text).toBe('');
  });
});

describe('CSV', () => {
  it('quotes what must be quoted', () => {
    expect(csv(['a', 'b'], [['x,y', 'say "hi"\nthere']])).toBe('a,b\r\n"x,y","say ""hi""\nthere"\r\n');
  });

  it('runs nothing in a spreadsheet and leaves numbers alone', () => {
    expect(csv(['a'], [['=1+1'], ['+44 7700 900321'], ['+cmd|x'], ['@sum']])).toBe("a\r\n'=1+1\r\n+44 7700 900321\r\n'+cmd|x\r\n'@sum\r\n");
  });
});
