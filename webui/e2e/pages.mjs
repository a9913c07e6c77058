// Every page, at every size, in light and dark: no complaint on the console, nothing for axe to find, nothing wider than the screen.
import { SIZES, axe, same, shot, signIn, visitor, yes } from './browser.mjs';

/** The pages, by name. `{call}` and the like become one that exists. */
export const PAGES = { calls: '/calls', call: '/calls/{call}', search: '/search', messages: '/messages', appointments: '/appointments?day={day}', knowledge: '/knowledge', document: '/knowledge/{document}', contact: '/contacts/{contact}', 'document-new': '/knowledge/new', accounts: '/accounts', audit: '/audit', storage: '/storage', trunks: '/trunks', carriers: '/carriers', phones: '/phones', 'voice-test': '/voice-test', clinic: '/clinic' };

/** `sought` is a word that search finds. */
export function pageTests(browser, url, who, sought = 'appointment') {
  return Object.fromEntries(Object.keys(SIZES).map((size) => [`every page, ${size}, light and dark`, () => visit(browser, url, who, size, sought)]));
}

async function visit(browser, url, { email, password }, size, sought) {
  const page = await visitor(browser, url, { size });
  const problems = [];
  try {
    await page.goto('/sign-in');
    await page.locator('input[type=email]').waitFor();
    problems.push(...(await look(page, `sign-in-${size}`)));
    await signIn(page, email, password);
    const ids = await page.evaluate(async () => {
      const first = async (path, field = 'id') => (await (await fetch(path)).json()).items[0]?.[field];
      return { call: await first('/api/calls?status=ended&outcome=booked&limit=1') ?? await first('/api/calls?status=ended&limit=1'), document: await first('/api/knowledge-base?limit=1'), contact: await first('/api/contacts?limit=1'), day: await first('/api/appointments?limit=1', 'start') };
    });
    for (const [name, path] of Object.entries(PAGES)) {
      const id = /\{(\w+)\}/.exec(path)?.[1];
      yes(!id || ids[id], `there is no ${id} to show`);
      await page.goto(path.replace(/\{(\w+)\}/, (_, key) => ids[key]));
      await page.locator('main h1').first().waitFor();
      await page.waitForFunction(() => !document.querySelector('main .loading'));
      if (name === 'search') {
        await page.locator('input[type=search]').first().fill(sought);
        await page.locator('main [data-row]').first().waitFor();
      }
      problems.push(...(await look(page, `${name}-${size}`)));
    }
    same([...problems, ...page.complaints], [], 'problems');
  } finally {
    await page.context().close();
  }
}

/** Takes pictures in light and dark and returns what is wrong with the page. */
async function look(page, name) {
  const problems = [];
  for (const colorScheme of ['dark', 'light']) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await shot(page, `${name}-${colorScheme}`);
    problems.push(...(await axe(page)).map((problem) => `${name} ${colorScheme}: ${problem}`));
  }
  if (await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth)) problems.push(`${name}: wider than the screen`);
  return problems;
}
