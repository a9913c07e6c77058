import { describe, expect, it } from 'vitest';
import type { Turn } from '../api/types';
import { spokenWords, turnAt, withTurn, wordAt } from './words';

const word = (text: string, start_ms: number, end_ms: number) => ({ text, start_ms, end_ms });

describe('the words of a turn', () => {
  it('keep the text\'s spelling and the recogniser\'s times', () => {
    const spoken = spokenWords({ text: 'When are you open?', words: [word('when', 10, 20), word('are', 20, 30), word('you', 30, 40), word('open', 45, 60)], start_ms: 10, end_ms: 60 });
    expect(spoken[3]).toEqual({ text: 'open?', start_ms: 45, end_ms: 60 });
  });

  it('share out the turn where there are no times', () => {
    const spoken = spokenWords({ text: 'ab  abcd', words: [], start_ms: 1000, end_ms: 1800 });
    expect(spoken).toEqual([{ text: 'ab', start_ms: 1000, end_ms: 1300 }, { text: 'abcd', start_ms: 1300, end_ms: 1800 }]);
    expect(spokenWords({ text: '', words: [], start_ms: 0, end_ms: 9 })).toEqual([]);
  });

  it('are found by time, the last one said in a pause', () => {
    const spoken = [word('a', 100, 200), word('b', 300, 400)];
    expect([50, 100, 250, 300, 900].map((at) => wordAt(spoken, at))).toEqual([-1, 0, 0, 1, 1]);
  });
});

describe('turns', () => {
  it('are found by time, the later of two that overlap', () => {
    const turns = [{ start_ms: 0, end_ms: 500 }, { start_ms: 400, end_ms: 900 }];
    expect([0, 450, 899, 900].map((at) => turnAt(turns, at))).toEqual([0, 1, 1, -1]);
  });

  it('are kept once and in order, however they come', () => {
    const turn = (index: number, text: string) => ({ index, text }) as Turn;
    const kept = [turn(1, 'b'), turn(0, 'a'), turn(1, 'b2')].reduce<Turn[]>(withTurn, []);
    expect(kept.map((t) => t.text)).toEqual(['a', 'b2']);
  });
});
