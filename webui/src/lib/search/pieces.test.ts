import { describe, expect, it } from 'vitest';
import { pieces } from './pieces';

const shown = (text: string, marks: number[][]) => pieces(text, marks).map((piece) => (piece.marked ? `[${piece.text}]` : piece.text)).join('');

describe('a snippet', () => {
  it('is cut at its marks', () => {
    expect(shown('open on Friday', [[8, 14], [0, 4]])).toBe('[open] on [Friday]');
    expect(shown('nothing', [])).toBe('nothing');
  });

  it('loses no character to marks that overlap or lie outside', () => {
    expect(shown('abcdef', [[1, 4], [2, 5], [9, 12], [5, 5]])).toBe('a[bcd][e]f');
  });
});
