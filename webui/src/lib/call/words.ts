import type { Turn } from '../api/types';

export interface SpokenWord { text: string; start_ms: number; end_ms: number }

/**
 * The words of a turn as they stand in its text, each with its time.
 *
 * Where the recogniser gave one time per word, those are used; where it gave none or split the text
 * differently, the turn's span is shared out by the length of the words, which is close enough to click on.
 */
export function spokenWords(turn: Pick<Turn, 'text' | 'words' | 'start_ms' | 'end_ms'>): SpokenWord[] {
  const texts = turn.text.split(/\s+/).filter((text) => text !== '');
  if (turn.words.length === texts.length) {
    return turn.words.map((word, index) => ({ text: texts[index] ?? word.text, start_ms: word.start_ms, end_ms: word.end_ms }));
  }
  const total = texts.reduce((sum, text) => sum + text.length + 1, 0);
  const span = Math.max(0, turn.end_ms - turn.start_ms);
  let passed = 0;
  return texts.map((text) => {
    const start_ms = turn.start_ms + Math.round((span * passed) / total);
    passed += text.length + 1;
    return { text, start_ms, end_ms: turn.start_ms + Math.round((span * passed) / total) };
  });
}

/** The index of the turn being heard at a time, or -1: of overlapping turns the one that began last. */
export function turnAt(turns: readonly Pick<Turn, 'start_ms' | 'end_ms'>[], at_ms: number): number {
  let found = -1;
  turns.forEach((turn, index) => {
    if (turn.start_ms <= at_ms && at_ms < turn.end_ms) found = index;
  });
  return found;
}

/** The index of the word being heard; between two words the one just said. */
export function wordAt(words: readonly SpokenWord[], at_ms: number): number {
  let found = -1;
  for (let index = 0; index < words.length; index += 1) {
    if ((words[index]?.start_ms ?? Infinity) > at_ms) break;
    found = index;
  }
  return found;
}

/** Adds or replaces a turn by its index and keeps their order. */
export function withTurn(turns: readonly Turn[], turn: Turn): Turn[] {
  return [...turns.filter((kept) => kept.index !== turn.index), turn].sort((a, b) => a.index - b.index);
}
