import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import cs from '../../../messages/cs.json';
import en from '../../../messages/en.json';
import es from '../../../messages/es.json';
import { fill, placeholders, type Catalogue } from './catalogue';
import { preferred } from './text.svelte';

const catalogues: Record<string, Catalogue> = { en, es, cs };

describe('the catalogues', () => {
  // I18N-01, I18N-02, I18N-03, I18N-06
  it.each(['es', 'cs'])('say in %s everything that English says, and nothing else', (language) => {
    expect(Object.keys(catalogues[language] ?? {}).sort()).toEqual(Object.keys(en).sort());
  });

  it.each(['en', 'es', 'cs'])('have no empty text in %s', (language) => {
    const empty = Object.entries(catalogues[language] ?? {}).filter(([, message]) =>
      typeof message === 'string' ? message.trim() === '' : Object.values(message).some((text) => text?.trim() === ''));
    expect(empty).toEqual([]);
  });

  it.each(['es', 'cs'])('have the same placeholders in %s as in English', (language) => {
    for (const [key, message] of Object.entries(en as Catalogue)) {
      expect([key, placeholders(catalogues[language]?.[key] ?? '')]).toEqual([key, placeholders(message)]);
    }
  });

  // I18N-08
  it.each(['en', 'es', 'cs'])('have exactly the plural forms of %s', (language) => {
    const forms = new Intl.PluralRules(language).resolvedOptions().pluralCategories.sort();
    for (const [key, message] of Object.entries(catalogues[language] ?? {})) {
      if (typeof message !== 'string') expect([key, Object.keys(message).sort()]).toEqual([key, forms]);
    }
  });

  // B-17: what is audited has words.
  it('have a text for every kind of event', () => {
    const kinds = [...readFileSync(new URL('../../../openapi.json', import.meta.url), 'utf8').matchAll(/"const": "([a-z_]+\.[a-z_]+)"|"enum": \[\s*"([a-z_]+\.[a-z_]+)"\s*\]/g)].map((found) => found[1] ?? found[2]);
    expect(kinds.length).toBeGreaterThan(15);
    // These pass and are never stored.
    const passing = ['audit.read', 'call.partial', 'call.level'];
    const missing = kinds.filter((kind) => !passing.includes(kind ?? '') && !(`audit.did.${kind}` in en));
    expect(missing).toEqual([]);
  });

  it('are plural in every language or in none', () => {
    for (const [key, message] of Object.entries(en as Catalogue)) {
      for (const other of [es, cs] as Catalogue[]) expect([key, typeof other[key]]).toEqual([key, typeof message]);
    }
  });
});

describe('a message', () => {
  const czech: Catalogue = { calls: { one: '{n} hovor', few: '{n} hovory', many: '{n} hovoru', other: '{n} hovorů' } };

  it('takes the four Czech forms', () => {
    const said = [1, 2, 4, 5, 0, 1.5].map((n) => fill(czech, 'cs', 'calls', { n }));
    expect(said).toEqual(['1 hovor', '2 hovory', '4 hovory', '5 hovorů', '0 hovorů', '1,5 hovoru']);
  });

  it('writes numbers as the language does', () => {
    expect(fill({ a: '{n}' }, 'en', 'a', { n: 12345.5 })).toBe('12,345.5');
    expect(fill({ a: '{n}' }, 'es', 'a', { n: 12345.5 })).toBe('12.345,5');
  });

  // I18N-13
  it('shows its key when it is missing', () => {
    expect(fill({}, 'en', 'calls.gone')).toBe('calls.gone');
  });

  it('leaves a placeholder that got no value, and puts values in as they are', () => {
    expect(fill({ a: '{x} and {y}' }, 'en', 'a', { x: '{y}$&' })).toBe('{y}$& and {y}');
  });
});

describe('the language to begin with', () => {
  // I18N-04
  it('is the kept one, else the first of the browser\'s that we speak, else English', () => {
    expect(preferred('cs', ['es'])).toBe('cs');
    expect(preferred(null, ['fr-FR', 'es-MX', 'en'])).toBe('es');
    expect(preferred('xx', ['de'])).toBe('en');
  });
});
