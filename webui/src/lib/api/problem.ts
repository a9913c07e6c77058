import { t, tCode } from '../text/text.svelte';
import { Problem } from './client';

/** What went wrong, in the user's words: what happened, what is still fine, what to do next. */
export function inWords(error: unknown): string {
  if (!(error instanceof Problem)) return t('problem.page');
  if (error.code === 'invalid' && error.fields.length > 0) return t('problem.invalid');
  // Of a rule that stands against a call its code is told.
  if (error.code === 'outbound_refused') return tCode(`outboundrule.${error.fields[0]?.code}`, 'problem.outbound_refused');
  const seconds = error.retry_after_s ?? 60;
  const wait = seconds < 90 ? t('time.seconds', { n: seconds }) : t('time.minutes', { n: Math.ceil(seconds / 60) });
  return tCode(`problem.${error.code}`, error.status >= 500 ? 'problem.internal' : 'problem.other', { wait });
}

/** What is wrong with one field of a form, or null. */
export function fieldInWords(error: unknown, field: string): string | null {
  if (!(error instanceof Problem)) return null;
  const found = error.fields.find((problem) => problem.field === field || problem.field.startsWith(`${field}.`) || problem.field.startsWith(`${field}[`));
  if (!found) return null;
  return tCode(`field.${found.code}`, 'field.other', { detail: found.detail });
}
