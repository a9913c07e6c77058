/** A message: a text, or one text per plural form of its language. */
export type Message = string | Partial<Record<Intl.LDMLPluralRule, string>>;
export type Catalogue = Record<string, Message>;
export type Values = Record<string, string | number>;

/**
 * Fills a message. `n` chooses the plural form; every number is written the way the language writes it.
 * A key that the catalogue lacks is shown as it is, so that a gap is seen rather than an empty place.
 */
export function fill(catalogue: Catalogue, language: string, key: string, values: Values = {}): string {
  const message = catalogue[key];
  if (message === undefined) return key;
  const text = typeof message === 'string' ? message : form(message, language, Number(values['n'] ?? 0));
  if (text === undefined) return key;
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = values[name];
    if (value === undefined) return whole;
    return typeof value === 'number' ? numbers(language).format(value) : value;
  });
}

function form(message: Exclude<Message, string>, language: string, n: number): string | undefined {
  return message[plurals(language).select(n)] ?? message.other;
}

/** The names in braces of a message, over all its forms. */
export function placeholders(message: Message): string[] {
  const texts = typeof message === 'string' ? [message] : Object.values(message);
  const names = new Set(texts.flatMap((text) => [...(text ?? '').matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? '')));
  return [...names].sort();
}

function memo<T>(make: (language: string) => T): (language: string) => T {
  const made = new Map<string, T>();
  return (language) => {
    const kept = made.get(language) ?? make(language);
    made.set(language, kept);
    return kept;
  };
}

const plurals = memo((language) => new Intl.PluralRules(language));
const numbers = memo((language) => new Intl.NumberFormat(language));
