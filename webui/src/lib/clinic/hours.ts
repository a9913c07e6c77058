import type { OpenSpan } from '../api/types';
import { clockMinutes, parseMinutes } from '../text/format';

/** A span of opening as it is typed. */
export interface SpanText { from: string; to: string }
/** Monday to Sunday. */
export type WeekText = SpanText[][];
/** As the API allows. */
export const SPANS_A_DAY_MAX = 4;

export function weekOf(open: readonly OpenSpan[]): WeekText {
  return Array.from({ length: 7 }, (_, index) =>
    open.filter((span) => span.weekday === index + 1).sort((a, b) => a.from_minute - b.from_minute).map((span) => ({ from: clockMinutes(span.from_minute), to: clockMinutes(span.to_minute) })));
}

/** What can be read of it; `hoursError` says whether that is all. */
export function spansOf(week: WeekText): OpenSpan[] {
  return week.flatMap((day, index) => day.flatMap((span) => {
    const [from, to] = [parseMinutes(span.from), end(span.to)];
    return from === null || to === null ? [] : [{ weekday: index + 1, from_minute: from, to_minute: to }];
  }));
}

/** The first weekday (from 0) whose spans cannot be meant: unreadable, ending before they begin, or overlapping. */
export function hoursError(week: WeekText): number | null {
  const wrong = week.findIndex((day) => {
    const spans = day.map((span) => ({ from: parseMinutes(span.from), to: end(span.to) })).sort((a, b) => (a.from ?? 0) - (b.from ?? 0));
    return spans.some((span, index) => span.from === null || span.to === null || span.from >= span.to || (index > 0 && span.from < (spans[index - 1]?.to ?? 0)));
  });
  return wrong < 0 ? null : wrong;
}

/** Midnight at the end of a span means the end of the day, whether typed as 24:00 or 0:00. */
function end(text: string): number | null {
  const minutes = parseMinutes(text);
  return minutes === 0 ? 1440 : minutes;
}
