import { createSubscriber } from 'svelte/reactivity';
import { live } from './live.svelte';

/** A clock that ticks every second, and only while something on the screen reads it. */
const subscribe = createSubscriber((update) => {
  const timer = setInterval(update, 1_000);
  return () => clearInterval(timer);
});

export const clock = {
  /** This machine's time in milliseconds. */
  get now(): number {
    subscribe();
    return Date.now();
  },
  /** The server's time; it stands still at the last word from the server while the connection is away. */
  get server(): number {
    subscribe();
    return (live.down ? live.heardAt : Date.now()) + live.skew_ms;
  },
};
