// What a colleague sees while somebody is on the telephone: the three callers of `auricle demo`, as they ring.
import { axe, same, shot, visitor, signIn, yes } from './browser.mjs';

/** How long a caller may take to ring, to speak, or to be understood: they talk as people do. */
const SPEECH_MS = 60_000;
const STAYS = /The clinic stays open/;

/** The tests of each caller, in the order in which they ring. `demo` is the running program. */
export async function liveTests(browser, url, who, demo) {
  const page = await visitor(browser, url);
  await signIn(page, who.email, who.password);
  await page.goto('/calls');
  await page.locator('[data-connection=up]').waitFor();
  // Gone after a reload: whatever is seen has come by itself.
  await page.evaluate(() => (globalThis.sameDocument = true));

  const ringing = (number) => demo.says(new RegExp(`Caller ${number} of 3`), 2 * SPEECH_MS);
  const to = (name) => page.getByRole('link', { name }).first().click();
  const isOn = () => page.getByRole('button', { name: 'Hang up' }).waitFor();
  const caller = (number) => page.locator('tbody[data-live] tr', { hasText: number });
  const said = (who) => page.locator(`[role=log] .turn.${who}`);

  return {
    // RT-01, CALL-01
    'a call that comes in appears, and its words while they are being said': async () => {
      await ringing(1);
      await caller('020 7946 0101').waitFor({ timeout: SPEECH_MS });
      await shot(page, 'demo-calls-live');
      await caller('020 7946 0101').locator('a').click();
      await page.locator('[data-partial]').waitFor({ timeout: SPEECH_MS });
      await said('receptionist').first().waitFor({ timeout: SPEECH_MS });
      const before = await said('caller').count();
      await said('caller').nth(before).waitFor({ timeout: SPEECH_MS });
      await isOn();
      await shot(page, 'demo-call-live');
      same(await axe(page), [], 'axe on a call that is on');
      await page.getByRole('region', { name: 'Recording' }).waitFor({ timeout: SPEECH_MS });
      yes(await page.evaluate(() => globalThis.sameDocument), 'all of it without a reload');
    },

    'what was said is found while the call is still on': async () => {
      await ringing(2);
      await to('Calls');
      await caller('020 7946 0102').locator('a').click({ timeout: SPEECH_MS });
      await said('caller').first().waitFor({ timeout: SPEECH_MS });
      const id = new URL(page.url()).pathname.split('/').pop();
      // The longest word is looked for, which is hardly in every call.
      const words = (await said('caller').first().locator('p').textContent()).trim().split(/\s+/);
      const word = words.reduce((longest, one) => (one.length > longest.length ? one : longest));
      const other = await page.context().newPage();
      try {
        await other.goto('/search');
        await other.getByRole('searchbox').first().fill(word);
        await other.locator(`main a[data-row][href^="/calls/${id}?at="]`, { hasText: word }).first().waitFor();
        await isOn();
        await shot(other, 'demo-search-live');
      } finally {
        await other.close();
      }
      await page.getByRole('complementary', { name: 'Facts' }).getByText('Booked', { exact: true }).waitFor({ timeout: 2 * SPEECH_MS });
    },

    'a caller in danger is told on every page': async () => {
      await ringing(3);
      await to('Knowledge');
      const bar = page.getByRole('alert').filter({ hasText: 'Emergency words' });
      await bar.waitFor({ timeout: SPEECH_MS });
      await shot(page, 'demo-emergency');
      same(await axe(page), [], 'axe on a page with an emergency');
      await bar.getByRole('link', { name: 'Open call' }).click();
      await page.waitForURL(/\/calls\/[0-9a-f-]{36}/);
      await bar.waitFor();
      await isOn();
      await shot(page, 'demo-emergency-call');
    },

    'the calls end as what they came to': async () => {
      await demo.says(STAYS, 2 * SPEECH_MS);
      yes(!demo.printed.includes('NOT RIGHT'), `not every call went right:\n${demo.printed}`);
      await to('Calls');
      for (const [number, outcome] of [['020 7946 0101', 'Question answered'], ['Emma Brown', 'Booked'], ['020 7946 0103', 'Emergency']]) {
        await page.locator('main tbody:not([data-live]) tr', { hasText: number }).getByText(outcome, { exact: true }).waitFor();
      }
      same(await page.locator('tbody[data-live] tr').count(), 0, 'calls that are on');
      yes(await page.evaluate(() => globalThis.sameDocument), 'all of it without a reload');
      same(page.complaints, [], 'complaints on the console');
      await page.context().close();
    },
  };
}
