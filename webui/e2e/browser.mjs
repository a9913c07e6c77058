// A browser for the tests, and what every test needs: signing in, waiting for words, axe, pictures.
import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium, firefox } from 'playwright-core';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
export const SHOTS = process.env.AURICLE_SHOTS ?? join(tmpdir(), 'auricle-shots');
export const SIZES = { wide: { width: 1440, height: 900 }, middle: { width: 1024, height: 768 }, narrow: { width: 390, height: 844 } };

/** Opens a browser; `more` are further switches of it. */
export async function open(more = []) {
  await mkdir(SHOTS, { recursive: true });
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required', ...more],
  });
}

/** Firefox as a softphone on a machine that has neither microphone nor loudspeaker. What may play without a press stays as it is for
 * everybody. */
const FIREFOX = {
  'media.navigator.permission.disabled': true,
  'media.navigator.streams.fake': true,
  'media.cubeb.force_mock_context': true,
  'ui.prefersReducedMotion': 1,
};
/** Opens Debian's Firefox, or the one that FIREFOX names; `more` are further settings of it. */
export async function openFirefox(more = {}) {
  await mkdir(SHOTS, { recursive: true });
  return firefox.launch({
    channel: 'moz-firefox',
    executablePath: fileURLToPath(new URL('firefox-relay.mjs', import.meta.url)),
    firefoxUserPrefs: { ...FIREFOX, ...more },
  });
}

/** The style by which Playwright has Firefox paint before a picture; the pages' security policy refuses it, and Firefox complains. */
const PAINTING = 'sha256-YjaKGiklmzC6wjXA513HAMmzus8VE61XCOT+SmwNZWA=';

/** A fresh visitor. Whatever the page complains about on the console (a blocked style, say) is kept in `page.complaints`. */
export async function visitor(browser, url, { size = 'wide', dark = false, locale = 'en-GB' } = {}) {
  const context = await browser.newContext({ baseURL: url, viewport: SIZES[size], colorScheme: dark ? 'dark' : 'light', locale, timezoneId: 'America/New_York', hasTouch: size === 'narrow', reducedMotion: 'reduce' });
  const page = await context.newPage();
  page.setDefaultTimeout(8_000);
  page.complaints = [];
  page.on('console', (message) => {
    if (message.type() === 'error' && !/Failed to load resource|WebSocket connection/.test(message.text())) page.complaints.push(message.text());
  });
  page.on('pageerror', (error) => {
    if (!String(error).includes(PAINTING)) page.complaints.push(String(error));
  });
  return page;
}

export async function signIn(page, email, password) {
  await page.goto('/sign-in');
  await page.locator('input[type=email]').fill(email);
  await page.locator('input[type=password]').fill(password);
  await page.locator('form button.primary').click();
  await page.waitForURL((address) => !address.pathname.startsWith('/sign-in'));
  await page.locator('main h1').first().waitFor();
}

/** Signs in with what may be a one-time password, which is changed then; resolves to the password that holds from now on. */
export async function settle(browser, url, { email, password }, chosen = 'a password for the tests') {
  const page = await visitor(browser, url);
  try {
    await page.goto('/sign-in');
    await page.locator('input[type=email]').fill(email);
    await page.locator('input[type=password]').fill(password);
    await page.locator('form button.primary').click();
    const fresh = page.locator('input[autocomplete=new-password]');
    const isIn = (address) => !address.pathname.startsWith('/sign-in');
    await Promise.race([fresh.first().waitFor(), page.waitForURL(isIn)]);
    if ((await fresh.count()) === 0) return password;
    await page.locator('input[autocomplete=current-password]').fill(password);
    for (const field of await fresh.all()) await field.fill(chosen);
    await page.locator('form button.primary').click();
    await page.waitForURL(isIn);
    return chosen;
  } finally {
    await page.context().close();
  }
}

/** What axe finds against WCAG 2.1 AA and its best practices. */
export async function axe(page) {
  // Through the debugging protocol, so that the page's own security policy stays in force.
  await page.evaluate(AXE);
  const found = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
  return found.violations.map((violation) => `${violation.id}: ${violation.help} (${violation.nodes.map((node) => node.target.join(' ')).slice(0, 3).join(', ')})`);
}

export const shot = (page, name) => page.screenshot({ path: join(SHOTS, `${name}.png`) });

/** Runs tests one after another and says how each went; resolves to how many failed. */
export async function run(tests) {
  let failed = 0;
  for (const [name, test] of Object.entries(tests)) {
    const began = performance.now();
    try {
      await test();
      console.log(`ok    ${name} (${Math.round(performance.now() - began)} ms)`);
    } catch (error) {
      failed += 1;
      console.log(`FAIL  ${name}\n      ${String(error?.stack ?? error).split('\n').slice(0, 40).join('\n      ')}`);
    }
  }
  return failed;
}

export function same(got, wanted, what) {
  const [a, b] = [JSON.stringify(got, null, 1), JSON.stringify(wanted, null, 1)];
  if (a !== b) throw new Error(`${what}: got ${a}, wanted ${b}`);
}
export function yes(value, what) {
  if (!value) throw new Error(what);
}
