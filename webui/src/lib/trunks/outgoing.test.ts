import { describe, expect, it } from 'vitest';
import { linesOf, majorOf, minorOf, minorUnits, pricesOf, pricesText } from './outgoing';

describe('money as it is typed', () => {
  it('knows the minor units of currencies', () => {
    expect([minorUnits('EUR'), minorUnits('JPY'), minorUnits('nothing')]).toEqual([100, 1, 100]);
  });
  it('rounds prices up and refuses what is none', () => {
    expect([minorOf('0.05', 'EUR'), minorOf('0,009', 'EUR'), minorOf('20', 'EUR'), minorOf('1.5', 'JPY')]).toEqual([5, 1, 2000, 2]);
    expect([minorOf('', 'EUR'), minorOf('-1', 'EUR'), minorOf('1.2.3', 'EUR'), minorOf('free', 'EUR')]).toEqual([null, null, null, null]);
    expect(majorOf(5, 'EUR')).toBe('0.05');
  });
  it('reads a list of prices as it writes it', () => {
    const prices = [{ prefix: '420', minute_price: 5 }, { prefix: '4420', minute_price: 120 }];
    expect(pricesOf('+420 0.05\n\n 44 20 1,2 ', 'EUR')).toEqual(prices);
    expect(pricesOf(pricesText(prices, 'EUR'), 'EUR')).toEqual(prices);
    expect([pricesOf('420', 'EUR'), pricesOf('home 1', 'EUR')]).toEqual([null, null]);
  });
  it('leaves empty lines out', () => {
    expect(linesOf(' a \n\n b')).toEqual(['a', 'b']);
  });
});
