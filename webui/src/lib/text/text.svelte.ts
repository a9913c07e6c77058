import type en from '$messages/en.json';
import type { Lang } from '../api/types';
import { fill, type Catalogue, type Values } from './catalogue';

/** Every text of the pages, by key. */
export type Key = keyof typeof en;

export const LANGUAGES: readonly Lang[] = ['en', 'es', 'cs'];
/** Languages by their own names, for the switcher: these are never translated. */
export const ENDONYMS: Record<Lang, string> = { en: 'English', es: 'Español', cs: 'Čeština' };
const KEPT = 'auricle.language';

const catalogues: Record<Lang, () => Promise<{ default: unknown }>> = {
  en: () => import('$messages/en.json'),
  es: () => import('$messages/es.json'),
  cs: () => import('$messages/cs.json'),
};

class Words {
  language = $state<Lang>('en');
  catalogue = $state.raw<Catalogue>({});

  /** Loads a language and shows the pages in it from then on. */
  async speak(language: Lang): Promise<void> {
    const loaded = await catalogues[language]();
    this.catalogue = loaded.default as Catalogue;
    this.language = language;
    document.documentElement.lang = language;
    keep(language);
  }
}

export const words = new Words();

/** The text of a key in the language of the pages. */
export function t(key: Key, values?: Values): string {
  return fill(words.catalogue, words.language, key, values);
}

/** The text of a key that is made from a code of the API; `fallback` where the page does not know the code. */
export function tCode(key: string, fallback: Key, values?: Values): string {
  return key in words.catalogue ? fill(words.catalogue, words.language, key, values) : t(fallback, values);
}

/** The language to begin with: the one kept on this machine, else the first of the browser's that we speak. */
export function preferred(kept: string | null, browser: readonly string[]): Lang {
  const known = (tag: string | null): Lang | undefined => LANGUAGES.find((language) => language === tag?.slice(0, 2).toLowerCase());
  return known(kept) ?? browser.map(known).find((language) => language !== undefined) ?? 'en';
}

export function preferredHere(): Lang {
  let kept: string | null = null;
  try {
    kept = localStorage.getItem(KEPT);
  } catch {
    // Storage may be closed to us; the browser's languages decide then.
  }
  return preferred(kept, navigator.languages);
}

function keep(language: Lang): void {
  try {
    localStorage.setItem(KEPT, language);
  } catch {
    // Not kept on this machine; the account keeps it too.
  }
}
