import { redirect } from '@sveltejs/kit';
import { session } from '$lib/session.svelte';

/** Pages of the desk are for people who are signed in and have a password of their own. */
export async function load({ parent, url }): Promise<void> {
  const { failure } = await parent();
  if (failure) return;
  if (!session.account || session.account.must_change_password) redirect(307, `/sign-in?to=${encodeURIComponent(url.pathname)}`);
}
