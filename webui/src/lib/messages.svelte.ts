import { all } from './api/client';
import type { Task } from './api/types';
import { live } from './live/live.svelte';

/** How many things callers asked for are still open; shown in the rail on every page. */
class OpenTasks {
  count = $state<number | null>(null);
  #following: (() => void) | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Counts now and again whenever a task changes. Call once the person is signed in; returns how to stop. */
  follow(): () => void {
    this.#following ??= live.follow({
      reload: () => this.#load(),
      event: (envelope) => {
        if (envelope.type !== 'task.changed') return;
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => void this.#load(), 300);
      },
    });
    void this.#load();
    return () => {
      this.#following?.();
      this.#following = null;
    };
  }

  async #load(): Promise<void> {
    try {
      this.count = (await all<Task>('/api/tasks', { state: 'open' }, 500)).length;
    } catch {
      // The number is a convenience; the page of messages says what is wrong.
    }
  }
}

export const openTasks = new OpenTasks();
