import type { Outbound } from '../api/types';

/** Prices as they are typed: a line each, `420 0.05`. */
export type Prices = Outbound['prices'];

/** Minor units of a currency in one of it: 100 cents, 1 yen. */
export function minorUnits(currency: string): number {
  try {
    return 10 ** (new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2);
  } catch {
    return 100;
  }
}

/** Money as it is typed; a comma is a point. Rounded up: a price is never kept as less than it is. Null when it is none. */
export function minorOf(text: string, currency: string): number | null {
  const plain = text.trim().replace(',', '.');
  if (!/^\d{1,9}(\.\d{1,6})?$/.test(plain)) return null;
  return Math.ceil(Number(plain) * minorUnits(currency) - 1e-6);
}

export function majorOf(minor: number, currency: string): string {
  const units = minorUnits(currency);
  return (minor / units).toFixed(Math.round(Math.log10(units)));
}

/** What can be read of a list of prices; null when a line cannot be read. */
export function pricesOf(text: string, currency: string): Prices | null {
  const prices: Prices = [];
  for (const line of text.split('\n').map((one) => one.trim()).filter((one) => one !== '')) {
    const [, prefix, price] = /^\+?([\d ]*\d)\s+([\d.,]+)$/.exec(line) ?? [];
    const minor = price === undefined ? null : minorOf(price, currency);
    if (prefix === undefined || minor === null) return null;
    prices.push({ prefix: prefix.replaceAll(' ', ''), minute_price: minor });
  }
  return prices;
}

export function pricesText(prices: Prices, currency: string): string {
  return prices.map(({ prefix, minute_price: price }) => `${prefix} ${majorOf(price, currency)}`).join('\n');
}

/** A line each, empty ones left out. */
export function linesOf(text: string): string[] {
  return text.split('\n').map((line) => line.trim()).filter((line) => line !== '');
}
