import type { Key } from './text/text.svelte';

/** Every key of the product, in the order of the help; the handler in the frame reads the same table. */
export const KEYS: readonly { keys: string; text: Key }[] = [
  { keys: '/', text: 'keys.search' },
  { keys: '?', text: 'keys.help' },
  { keys: 'g c', text: 'keys.calls' },
  { keys: 'g m', text: 'keys.messages' },
  { keys: 'g a', text: 'keys.appointments' },
  { keys: 'g k', text: 'keys.knowledge' },
  { keys: 'p', text: 'keys.phone' },
  { keys: 'a', text: 'keys.answer' },
  { keys: 'x', text: 'keys.hang_up' },
  { keys: 'm', text: 'keys.mute' },
  { keys: 'n', text: 'keys.mask' },
  { keys: 'c', text: 'keys.confer' },
  { keys: 'h', text: 'keys.hold' },
  { keys: 't', text: 'keys.transfer' },
  { keys: 'k', text: 'keys.keypad' },
  { keys: 'e', text: 'keys.emergency' },
  { keys: '↑ ↓', text: 'keys.rows' },
  { keys: 'Enter', text: 'keys.open' },
  { keys: 'Space', text: 'keys.play' },
  { keys: '← →', text: 'keys.seek' },
  { keys: 'Esc', text: 'keys.close' },
];

/** Where `g` and a letter lead. */
export const GO: Record<string, string> = { c: '/calls', m: '/messages', a: '/appointments', k: '/knowledge' };

/** Whether a key press belongs to a field that is being typed in. */
export function typing(event: KeyboardEvent): boolean {
  const at = event.target as HTMLElement | null;
  return !!at?.closest('input:not([type=checkbox],[type=radio],[type=range]), textarea, select, [contenteditable=true]');
}

/** Moves the focus between the rows of a list with the arrow keys, Home and End. */
export function rowKeys(list: HTMLElement): () => void {
  const onkeydown = (event: KeyboardEvent): void => {
    if (typing(event) || event.ctrlKey || event.metaKey || event.altKey) return;
    const rows = [...list.querySelectorAll<HTMLElement>('[data-row]')];
    const at = rows.indexOf(document.activeElement?.closest<HTMLElement>('[data-row]') ?? list);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    rows[Math.min(rows.length - 1, Math.max(0, to))]?.focus();
  };
  list.addEventListener('keydown', onkeydown);
  return () => list.removeEventListener('keydown', onkeydown);
}
