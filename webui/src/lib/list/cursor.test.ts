import { describe, expect, it } from 'vitest';
import type { Page } from '../api/types';
import { CursorList } from './cursor.svelte';

interface Row { id: string; text: string }
const row = (n: number, text = ''): Row => ({ id: String(n), text });

/** A server holding rows newest first, two a page; the cursor is the last id of a page. */
function server(rows: Row[]) {
  return {
    rows,
    asked: [] as (string | null)[],
    async fetch(after: string | null): Promise<Page<Row>> {
      this.asked.push(after);
      const from = after === null ? 0 : this.rows.findIndex((r) => r.id === after) + 1;
      const items = this.rows.slice(from, from + 2);
      const last = items.at(-1);
      return { items, next: last && from + 2 < this.rows.length ? last.id : null };
    },
  };
}

const listOf = (s: ReturnType<typeof server>) => new CursorList<Row>((after) => s.fetch(after), (r) => r.id);
const ids = (list: CursorList<Row>) => list.items.map((r) => r.id).join('');

describe('a cursor list', () => {
  it('grows to the end and asks no further', async () => {
    const s = server([row(5), row(4), row(3), row(2), row(1)]);
    const list = listOf(s);
    await list.reset();
    expect(ids(list)).toBe('54');
    await list.grow();
    await list.grow();
    expect(ids(list)).toBe('54321');
    expect(list.more).toBe(false);
    await list.grow();
    expect(s.asked).toEqual([null, '4', '2']);
  });

  it('takes in what is new and changed without losing the pages below', async () => {
    const s = server([row(5), row(4), row(3), row(2), row(1)]);
    const list = listOf(s);
    await list.reset();
    await list.grow();
    s.rows = [row(6), row(5, 'changed'), row(4), row(3), row(2), row(1)];
    await list.refresh();
    expect(ids(list)).toBe('65432');
    expect(list.items[1]?.text).toBe('changed');
    await list.grow();
    expect(ids(list)).toBe('654321');
  });

  it('starts over when so much is new that the pages no longer meet', async () => {
    const s = server([row(2), row(1)]);
    const list = listOf(s);
    await list.reset();
    s.rows = [row(9), row(8), row(7), row(2), row(1)];
    await list.refresh();
    expect(ids(list)).toBe('98');
    await list.grow();
    await list.grow();
    expect(ids(list)).toBe('98721');
  });

  it('shows a removal when the list fits one page', async () => {
    const s = server([row(2), row(1)]);
    const list = listOf(s);
    await list.reset();
    s.rows = [row(2)];
    await list.refresh();
    expect(ids(list)).toBe('2');
  });

  it('passes over empty pages that have more behind them', async () => {
    const pages: Record<string, Page<Row>> = { '': { items: [], next: 'a' }, a: { items: [], next: 'b' }, b: { items: [row(1)], next: null } };
    const list = new CursorList<Row>(async (after) => pages[after ?? ''] as Page<Row>, (r) => r.id);
    await list.reset();
    expect(ids(list)).toBe('1');
    expect(list.more).toBe(false);
  });

  it('drops the answer to an older question', async () => {
    const answers: ((page: Page<Row>) => void)[] = [];
    const list = new CursorList<Row>(() => new Promise((resolve) => answers.push(resolve)), (r) => r.id);
    const first = list.reset();
    const second = list.reset();
    answers[1]?.({ items: [row(2)], next: null });
    await second;
    answers[0]?.({ items: [row(1)], next: null });
    await first;
    expect(ids(list)).toBe('2');
    expect(list.loading).toBe(false);
  });

  it('keeps what it shows when a request fails, and says so', async () => {
    const s = server([row(1)]);
    const list = listOf(s);
    await list.reset();
    s.fetch = async () => { throw new Error('away'); };
    await list.refresh();
    expect(ids(list)).toBe('1');
    expect(list.error).toBeInstanceOf(Error);
    expect(list.loading).toBe(false);
  });

  it('changes and removes single items', async () => {
    const list = listOf(server([row(2), row(1)]));
    await list.reset();
    list.replace(row(1, 'new'));
    list.replace(row(7, 'unknown'));
    list.remove('2');
    expect(list.items).toEqual([row(1, 'new')]);
  });
});
