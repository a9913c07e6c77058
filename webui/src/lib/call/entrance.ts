import type { Entrance, EntranceKind } from '../api/types';
import { t, type Key } from '../text/text.svelte';

/** By what a call comes in, or is placed. */
export const ENTRANCES: readonly EntranceKind[] = ['trunk', 'carrier', 'phone', 'browser', 'address'];

/** Carriers by their own names. */
const CARRIERS: Record<NonNullable<Entrance['carrier']>, Key> = { twilio: 'carriers.twilio', telnyx: 'telnyx.name' };

/** The way by which a call came, by its name where it has one; empty where nothing is known of it. */
export function entranceName(entrance: Entrance | null | undefined, name: string | null | undefined): string {
  if (!entrance) return '';
  if (entrance.carrier) return t(CARRIERS[entrance.carrier]);
  return name ?? t(`entrance.${entrance.kind}`);
}

/** The same with what it is. */
export function entranceText(entrance: Entrance, name: string | null | undefined): string {
  const kind = t(`entrance.${entrance.kind}`);
  if (entrance.kind === 'browser' || entrance.kind === 'address') return kind;
  return `${kind} · ${entrance.carrier || name ? entranceName(entrance, name) : t('entrance.gone')}`;
}
