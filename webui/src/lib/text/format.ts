/** A duration as m:ss, from an hour on as h:mm:ss. */
export function duration(ms: number): string {
  const total = Math.max(0, Math.floor(ms / 1000));
  const seconds = String(total % 60).padStart(2, '0');
  const minutes = Math.floor(total / 60) % 60;
  const hours = Math.floor(total / 3600);
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${seconds}` : `${minutes}:${seconds}`;
}

const SIZES = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const;

/** A number of bytes as people write it: three digits that count, thousands to the next unit. */
export function size(bytes: number, language: string): string {
  const step = Math.min(SIZES.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  const format = new Intl.NumberFormat(language, { style: 'unit', unit: SIZES[step], unitDisplay: 'short', minimumSignificantDigits: step > 0 ? 3 : 1, maximumSignificantDigits: 3 });
  return format.format(bytes / 1_000 ** step);
}

const DATES = {
  time: { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' },
  seconds: { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' },
  day: { weekday: 'short', day: 'numeric', month: 'short' },
  fullday: { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' },
  short: { day: 'numeric', month: 'short', year: 'numeric' },
  exact: { day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' },
  weekday: { weekday: 'long' },
  moment: { weekday: 'short', day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' },
} as const satisfies Record<string, Intl.DateTimeFormatOptions>;
export type DateStyle = keyof typeof DATES;

const dateFormats = new Map<string, Intl.DateTimeFormat>();

/** An instant in the clinic's zone, in the words of the language. */
export function date(at: string | number, style: DateStyle, language: string, zone: string): string {
  const key = `${style} ${language} ${zone}`;
  let format = dateFormats.get(key);
  if (!format) {
    // British English: day before month, as the whole product writes it.
    format = new Intl.DateTimeFormat(language === 'en' ? 'en-GB' : language, { ...DATES[style], timeZone: zone });
    dateFormats.set(key, format);
  }
  const instant = typeof at === 'number' ? at : Date.parse(at);
  return Number.isFinite(instant) ? format.format(instant) : '';
}

/** The calendar day of an instant in a zone, as `2026-03-29`. */
export function dayOf(at: number, zone: string): string {
  const parts = parted(at, zone);
  return `${parts.year}-${parts.month}-${parts.day}`;
}

/** Minutes after midnight of an instant in a zone. */
export function minuteOf(at: number, zone: string): number {
  const parts = parted(at, zone);
  return Number(parts.hour) * 60 + Number(parts.minute);
}

/** The day `days` later; plain calendar arithmetic, no zone in it. */
export function addDays(day: string, days: number): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10);
}

/** The Monday of a day's week. */
export function mondayOf(day: string): string {
  const weekday = (new Date(`${day}T00:00:00Z`).getUTCDay() + 6) % 7;
  return addDays(day, -weekday);
}

/** 1 for Monday to 7 for Sunday, as the API counts. */
export function weekdayOf(day: string): number {
  return ((new Date(`${day}T00:00:00Z`).getUTCDay() + 6) % 7) + 1;
}

/** The instant at which a day begins in a zone; where midnight is skipped, the first instant that exists. */
export function dayStart(day: string, zone: string): number {
  const utc = Date.parse(`${day}T00:00:00Z`);
  let guess = utc - offset(utc, zone);
  guess = utc - offset(guess, zone);
  return dayOf(guess, zone) < day ? guess + 3_600_000 : guess;
}

function offset(at: number, zone: string): number {
  const p = parted(at, zone);
  return Date.parse(`${p.year}-${p.month}-${p.day}T${p.hour}:${p.minute}:${p.second}Z`) - Math.floor(at / 1000) * 1000;
}

const partFormats = new Map<string, Intl.DateTimeFormat>();

function parted(at: number, zone: string): Record<'year' | 'month' | 'day' | 'hour' | 'minute' | 'second', string> {
  let format = partFormats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat('en-CA', {
      timeZone: zone, year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23',
    });
    partFormats.set(zone, format);
  }
  const out = { year: '', month: '', day: '', hour: '', minute: '', second: '' };
  for (const part of format.formatToParts(at)) if (part.type in out) out[part.type as keyof typeof out] = part.value;
  return out;
}

/** Minutes after midnight as `09:30`; 1440 is `24:00`. */
export function clockMinutes(minutes: number): string {
  return `${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`;
}

/** `09:30` as minutes after midnight; null when it is not a time. */
export function parseMinutes(text: string): number | null {
  const match = /^(\d{1,2}):(\d{2})$/.exec(text.trim());
  if (!match) return null;
  const minutes = Number(match[1]) * 60 + Number(match[2]);
  return Number(match[2]) < 60 && minutes <= 1440 ? minutes : null;
}
