import { look } from '$lib/look.svelte';
import { session } from '$lib/session.svelte';
import { preferredHere, words } from '$lib/text/text.svelte';

export const ssr = false;
export const prerender = false;

let opened: Promise<void> | null = null;

async function open(): Promise<void> {
  await words.speak(preferredHere());
  await session.open();
}

look.open();

/** Language, look and who is signed in are known before the first page is drawn. */
export async function load(): Promise<{ failure: unknown }> {
  opened ??= open();
  try {
    await opened;
    return { failure: null };
  } catch (failure) {
    opened = null;
    return { failure };
  }
}
