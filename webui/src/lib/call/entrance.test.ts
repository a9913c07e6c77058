import { beforeAll, describe, expect, it } from 'vitest';
import en from '../../../messages/en.json';
import type { Entrance } from '../api/types';
import { words } from '../text/text.svelte';
import { entranceName, entranceText } from './entrance';

const of = (more: Partial<Entrance>): Entrance => ({ kind: 'address', trunk: null, carrier: null, phone: null, ...more });

describe('the way by which a call came', () => {
  beforeAll(() => {
    words.catalogue = en;
  });

  it('has the name that its trunk or telephone has now, and says so when that is gone', () => {
    const trunk = of({ kind: 'trunk', trunk: '0193e6c0-0000-7000-8000-000000000001' });
    expect([entranceName(trunk, 'Main'), entranceText(trunk, 'Main')]).toEqual(['Main', 'Trunk · Main']);
    expect([entranceName(trunk, null), entranceText(trunk, null)]).toEqual(['Trunk', 'Trunk · no longer there']);
  });

  it('is a carrier by its own name', () => {
    const carrier = of({ kind: 'carrier', carrier: 'twilio' });
    expect([entranceName(carrier, null), entranceText(carrier, null)]).toEqual(['Twilio', 'Carrier · Twilio']);
  });

  it('needs no name where there is none, and is empty where it was not written down', () => {
    expect([entranceName(of({ kind: 'browser' }), null), entranceText(of({}), null)]).toEqual(['Browser', 'Trusted address']);
    expect(entranceName(null, null)).toBe('');
  });
});
