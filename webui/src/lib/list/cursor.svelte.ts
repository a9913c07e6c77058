import type { Page } from '../api/types';

/** Empty pages that are passed over in a row before the person is asked whether to go on. */
const EMPTY_PAGES_MAX = 40;

/** Fetches one page of a list; `after` is null for the first. */
export type Fetch<T> = (after: string | null) => Promise<Page<T>>;

/**
 * A list that grows page by page and can be brought up to date without losing its place.
 * Only the newest request counts: an answer to an older one (another filter, say) is dropped.
 */
export class CursorList<T> {
  items = $state.raw<T[]>([]);
  /** Whether the server has more. */
  more = $state(false);
  /** Whether a page is being fetched. */
  loading = $state(false);
  /** Whether anything was ever loaded with the present filter. */
  loaded = $state(false);
  /** What went wrong last, if anything. */
  error = $state.raw<unknown>(null);

  #next: string | null = null;
  #round = 0;
  #fetch: Fetch<T>;
  #id: (item: T) => string;

  constructor(fetch: Fetch<T>, id: (item: T) => string) {
    this.#fetch = fetch;
    this.#id = id;
  }

  /** Starts over, as after a change of filter. What is shown stays until the answer is here. */
  async reset(): Promise<void> {
    this.loaded = false;
    await this.#load(null, (page) => page.items);
  }

  /** Fetches the next page; does nothing while one is on its way or when there is none. */
  async grow(): Promise<void> {
    if (this.loading || !this.more || this.#next === null) return;
    await this.#load(this.#next, (page) => {
      const known = new Set(this.items.map(this.#id));
      return [...this.items, ...page.items.filter((item) => !known.has(this.#id(item)))];
    });
  }

  /** Fetches the first page again and lays it over what is there: new items appear, changed ones change, pages further down stay. */
  async refresh(): Promise<void> {
    if (!this.loaded) return this.reset();
    const kept = this.#next;
    const more = this.more;
    const round = await this.#load(null, (page) => {
      if (!page.next) return page.items;
      const last = page.items.at(-1);
      const place = last === undefined ? -1 : this.items.findIndex((item) => this.#id(item) === this.#id(last));
      return place < 0 ? page.items : [...page.items, ...this.items.slice(place + 1)];
    });
    // Pages that were already there keep their own end.
    if (round !== null && this.items.length > round.items.length) {
      this.#next = kept;
      this.more = more;
    }
  }

  /** Puts one changed item in its place; an unknown one is left out. */
  replace(changed: T): void {
    const id = this.#id(changed);
    this.items = this.items.map((item) => (this.#id(item) === id ? changed : item));
  }

  /** Takes one item out. */
  remove(id: string): void {
    this.items = this.items.filter((item) => this.#id(item) !== id);
  }

  async #load(after: string | null, merge: (page: Page<T>) => T[]): Promise<Page<T> | null> {
    const round = (this.#round += 1);
    this.loading = true;
    try {
      let page = await this.#fetch(after);
      // A filtered page may be empty although more follow: the server looks at a bounded stretch for each.
      for (let hop = 0; hop < EMPTY_PAGES_MAX && page.items.length === 0 && page.next && round === this.#round; hop += 1) page = await this.#fetch(page.next);
      if (round !== this.#round) return null;
      this.items = merge(page);
      this.#next = page.next ?? null;
      this.more = this.#next !== null;
      this.loaded = true;
      this.error = null;
      return page;
    } catch (error) {
      if (round === this.#round) this.error = error;
      return null;
    } finally {
      if (round === this.#round) this.loading = false;
    }
  }
}
