import { onSignedOut, request } from './api/client';
import type { AccountView, Clinic, Lang } from './api/types';
import { live } from './live/live.svelte';
import { LANGUAGES, words } from './text/text.svelte';

/** Tabs of one browser tell each other about signing in and out. */
const tabs = typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel('auricle');

class Session {
  account = $state.raw<AccountView | null>(null);
  clinic = $state.raw<Clinic | null>(null);
  /** The session ended while pages were open; they stay, with what was typed, until somebody signs in again. */
  expired = $state(false);
  /** Whether it has been found out who is signed in. */
  known = $state(false);

  get zone(): string {
    return this.clinic?.zone ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
  }
  get country(): string {
    return this.clinic?.country ?? '';
  }
  get isAdmin(): boolean {
    return this.account?.role === 'ADMIN';
  }
  /** Supervisors and administrators. */
  get steers(): boolean {
    return this.isAdmin || this.account?.role === 'SUPERVISOR';
  }

  /** Finds out who is signed in. Throws when the server cannot be asked. */
  async open(): Promise<void> {
    onSignedOut.call = () => {
      if (this.account) this.expired = true;
    };
    live.onrefused = () => void this.#check();
    tabs?.addEventListener('message', this.#told);
    try {
      await this.#enter(await request<AccountView>('GET', '/api/auth/me'));
    } catch (error) {
      if ((error as { status?: number }).status !== 401) throw error;
    }
    this.known = true;
  }

  async signIn(email: string, password: string): Promise<void> {
    const { account } = await request<{ account: AccountView }>('POST', '/api/auth/login', { body: { email, password, client: 'web' } });
    await this.#enter(account);
    tabs?.postMessage('signed-in');
  }

  async signOut(): Promise<void> {
    await request('POST', '/api/auth/logout');
    this.#leave();
    tabs?.postMessage('signed-out');
  }

  async changePassword(current_password: string, new_password: string): Promise<void> {
    await this.#enter(await request<AccountView>('PATCH', '/api/auth/me', { body: { current_password, new_password } }));
  }

  /** Shows the pages in a language and keeps it, on this machine and with the account. */
  async speak(language: Lang): Promise<void> {
    await words.speak(language);
    if (this.account) this.account = await request<AccountView>('PATCH', '/api/auth/me', { body: { language } });
  }

  async loadClinic(): Promise<void> {
    this.clinic = await request<Clinic>('GET', '/api/clinic');
  }

  async #enter(account: AccountView): Promise<void> {
    this.account = account;
    this.expired = false;
    this.known = true;
    if (LANGUAGES.includes(account.language) && account.language !== words.language) await words.speak(account.language);
    if (account.must_change_password) return;
    await this.loadClinic();
    live.start();
    live.retry();
  }

  #leave(): void {
    live.stop();
    this.account = null;
    this.expired = false;
  }

  /** The socket was refused: find out whether that is because the session is over. A 401 tells `onSignedOut`. */
  async #check(): Promise<void> {
    await request('GET', '/api/auth/me').catch(() => undefined);
  }

  #told = (message: MessageEvent): void => {
    if (message.data === 'signed-out') this.#leave();
    else if (message.data === 'signed-in') void request<AccountView>('GET', '/api/auth/me').then((account) => this.#enter(account), () => undefined);
  };
}

export const session = new Session();
