/** How the pages look on this machine. */
export type Theme = 'system' | 'light' | 'dark';

const KEPT = 'auricle.look';

class Look {
  theme = $state<Theme>('system');
  contrast = $state(false);

  open(): void {
    this.#read();
    window.addEventListener('storage', (change) => {
      if (change.key === KEPT) this.#read();
    });
  }

  set(theme: Theme, contrast: boolean): void {
    this.theme = theme;
    this.contrast = contrast;
    try {
      localStorage.setItem(KEPT, JSON.stringify({ theme, contrast: contrast ? 'more' : 'system' }));
    } catch {
      // Not kept on this machine; it holds until the page is closed.
    }
    this.#apply();
  }

  #read(): void {
    try {
      const kept = JSON.parse(localStorage.getItem(KEPT) ?? '{}') as { theme?: string; contrast?: string };
      this.theme = kept.theme === 'light' || kept.theme === 'dark' ? kept.theme : 'system';
      this.contrast = kept.contrast === 'more';
    } catch {
      // Nothing readable is kept: the system's own look is right.
    }
    this.#apply();
  }

  #apply(): void {
    const root = document.documentElement;
    if (this.theme === 'system') delete root.dataset['theme'];
    else root.dataset['theme'] = this.theme;
    if (this.contrast) root.dataset['contrast'] = 'more';
    else delete root.dataset['contrast'];
  }
}

export const look = new Look();
