/** Country, calling code, trunk prefix, and how the national number is grouped. Where a country is missing, digits are grouped by three. */
const PLANS: readonly (readonly [country: string, code: string, trunk: string, groups: readonly number[]])[] = [
  ['GB', '44', '0', [4, 6]], ['IE', '353', '0', [2, 3, 4]], ['ES', '34', '', [3, 3, 3]], ['CZ', '420', '', [3, 3, 3]], ['SK', '421', '0', [3, 3, 3]],
  ['DE', '49', '0', [3, 4, 4]], ['AT', '43', '0', [3, 4, 4]], ['CH', '41', '0', [2, 3, 2, 2]], ['FR', '33', '0', [1, 2, 2, 2, 2]], ['IT', '39', '', [3, 3, 4]],
  ['PT', '351', '', [3, 3, 3]], ['NL', '31', '0', [2, 3, 4]], ['BE', '32', '0', [3, 2, 2, 2]], ['PL', '48', '', [3, 3, 3]], ['HU', '36', '06', [2, 3, 4]],
  ['RO', '40', '0', [3, 3, 3]], ['SE', '46', '0', [2, 3, 2, 2]], ['NO', '47', '', [3, 2, 3]], ['DK', '45', '', [2, 2, 2, 2]], ['FI', '358', '0', [2, 3, 4]],
  ['UA', '380', '0', [2, 3, 2, 2]], ['US', '1', '', [3, 3, 4]], ['MX', '52', '', [2, 4, 4]], ['AR', '54', '0', [2, 4, 4]],
];

export interface PhoneText {
  /** As people of the clinic's country write it: national for their own numbers, international for others. */
  text: string;
  /** The country it belongs to, ISO 3166-1 alpha-2, where known. */
  country: string | null;
}

/** A number as signalled, made readable. What is not an E.164 number (a SIP user) stays as it is. */
export function phone(number: string, home: string): PhoneText {
  if (!/^\+[1-9]\d{6,14}$/.test(number)) return { text: number, country: null };
  const digits = number.slice(1);
  const plan = PLANS.find(([, code]) => digits.startsWith(code));
  if (!plan) return { text: `+${grouped(digits, [3, 3, 3, 3])}`, country: null };
  const [country, code, trunk, groups] = plan;
  const national = digits.slice(code.length);
  if (country === home) return { text: nationally(national, country, trunk, groups), country };
  return { text: `+${code} ${grouped(national, groups)}`, country };
}

function nationally(national: string, country: string, trunk: string, groups: readonly number[]): string {
  if (country === 'US') return national.replace(/^(\d{3})(\d{3})(\d{4})$/, '($1) $2-$3');
  // London and other two-figure areas: 020 7946 0182.
  if (country === 'GB' && national.startsWith('2')) return `0${grouped(national, [2, 4, 4])}`;
  return trunk + grouped(national, groups);
}

function grouped(digits: string, groups: readonly number[]): string {
  const parts: string[] = [];
  let rest = digits;
  for (const size of groups) {
    if (rest === '') break;
    parts.push(rest.slice(0, size));
    rest = rest.slice(size);
  }
  if (rest !== '') parts[parts.length - 1] += rest;
  return parts.join(' ');
}
