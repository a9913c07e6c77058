/** A text cut at the marked stretches, `[begin, end)` in UTF-16 units; stretches that overlap or lie outside are put right. */
export function pieces(text: string, marks: readonly (readonly number[])[]): { text: string; marked: boolean }[] {
  const out: { text: string; marked: boolean }[] = [];
  let at = 0;
  for (const [from = 0, to = 0] of [...marks].sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0))) {
    const begin = Math.max(at, from);
    const end = Math.min(text.length, to);
    if (begin >= end) continue;
    if (begin > at) out.push({ text: text.slice(at, begin), marked: false });
    out.push({ text: text.slice(begin, end), marked: true });
    at = end;
  }
  if (at < text.length) out.push({ text: text.slice(at), marked: false });
  return out;
}
