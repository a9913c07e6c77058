import { redirect } from '@sveltejs/kit';
import { session } from '$lib/session.svelte';

/** Everybody lands where their work is: agents at what callers asked of them, the others at the calls. */
export async function load({ parent }): Promise<void> {
  const { failure } = await parent();
  if (failure) return;
  if (!session.account || session.account.must_change_password) redirect(307, '/sign-in');
  redirect(307, session.account.role === 'AGENT' ? '/messages' : '/calls');
}
