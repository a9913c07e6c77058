import { readdirSync, readFileSync } from 'node:fs';
import { parse } from 'svelte/compiler';
import { describe, expect, it } from 'vitest';
import en from '../../../messages/en.json';

const root = new URL('../../', import.meta.url).pathname;
const files = readdirSync(root, { recursive: true }).map(String).filter((name) => /\.(svelte|ts)$/.test(name) && !name.includes('.test.'));
const source = (name: string): string => readFileSync(root + name, 'utf8');

/** Attributes that people read or hear. */
const READ = new Set(['title', 'aria-label', 'placeholder', 'alt', 'label']);
/** Two letters in a row are a word; single signs such as × are not. */
const WORD = /\p{L}{2}/u;

type Node = { type?: string; name?: string; data?: string; [key: string]: unknown };

function texts(node: unknown, found: string[]): string[] {
  if (Array.isArray(node)) node.forEach((item) => texts(item, found));
  else if (node !== null && typeof node === 'object') {
    const { type, name, data } = node as Node;
    if (type === 'StyleDirective' || (type === 'Attribute' && !READ.has(String(name)))) return found;
    if (type === 'Text' && data !== undefined && WORD.test(data)) found.push(data.trim());
    for (const [key, value] of Object.entries(node)) if (key !== 'metadata' && key !== 'expression') texts(value, found);
  }
  return found;
}

describe('the pages', () => {
  // I18N-06
  it.each(files.filter((name) => name.endsWith('.svelte')))('%s says nothing that is not in the catalogue', (name) => {
    expect(texts(parse(source(name), { modern: true }).fragment, [])).toEqual([]);
  });

  it('leave no text of the catalogue unused', () => {
    const all = files.map(source).join('\n');
    const prefixes = [...all.matchAll(/`([\w.]+[._])\$\{/g)].map((match) => match[1] ?? '');
    const unused = Object.keys(en).filter((key) => !all.includes(`'${key}'`) && !prefixes.some((prefix) => key.startsWith(prefix)));
    expect(unused).toEqual([]);
  });
});
