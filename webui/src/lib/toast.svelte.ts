/** A short word at the edge of the screen, with a way back where there is one. */
export interface Toast { id: number; text: string; tone: 'good' | 'bad'; undo?: () => void }

/** Long enough to read and to undo. */
const SHOWN_MS = 7_000;
/** More at once would cover the page. */
const TOASTS_MAX = 3;

class Toasts {
  shown = $state.raw<Toast[]>([]);
  #next = 1;

  say(text: string, tone: Toast['tone'] = 'good', undo?: () => void): void {
    const toast: Toast = { id: this.#next, text, tone, ...(undo ? { undo } : {}) };
    this.#next += 1;
    this.shown = [...this.shown, toast].slice(-TOASTS_MAX);
    setTimeout(() => this.close(toast.id), SHOWN_MS);
  }

  close(id: number): void {
    this.shown = this.shown.filter((toast) => toast.id !== id);
  }
}

export const toasts = new Toasts();
