import type { Role } from '../api/types';
import type { Key } from '../text/text.svelte';
import type { IconName } from '../ui/Icon.svelte';

export interface Place { href: string; text: Key; icon: IconName; roles: readonly Role[]; count?: 'calls' | 'messages'; group?: boolean }

const ALL: readonly Role[] = ['AGENT', 'SUPERVISOR', 'ADMIN'];

/** The places of the left rail, by role. On phones the ungrouped ones make the bar at the bottom; the others move into the account menu. */
export const RAIL: readonly Place[] = [
  { href: '/calls', text: 'rail.calls', icon: 'phone', roles: ALL, count: 'calls' },
  { href: '/messages', text: 'rail.messages', icon: 'inbox', roles: ALL, count: 'messages' },
  { href: '/appointments', text: 'rail.appointments', icon: 'calendar', roles: ALL },
  { href: '/knowledge', text: 'rail.knowledge', icon: 'book', roles: ALL },
  { href: '/voice-test', text: 'rail.voice_test', icon: 'mic', roles: ['SUPERVISOR', 'ADMIN'], group: true },
  { href: '/accounts', text: 'rail.accounts', icon: 'people', roles: ['ADMIN'], group: true },
  { href: '/audit', text: 'rail.audit', icon: 'key', roles: ['ADMIN'], group: true },
  { href: '/phones', text: 'rail.phones', icon: 'phone', roles: ['ADMIN'], group: true },
  { href: '/trunks', text: 'rail.trunks', icon: 'phone', roles: ['ADMIN'], group: true },
  { href: '/carriers', text: 'rail.carriers', icon: 'globe', roles: ['ADMIN'], group: true },
  { href: '/storage', text: 'rail.storage', icon: 'disk', roles: ['ADMIN'], group: true },
  { href: '/clinic', text: 'rail.settings', icon: 'settings', roles: ['ADMIN'], group: true },
];
