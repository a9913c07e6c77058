// Every page, at every size, in light and dark: no complaint on the console, nothing for axe to find, nothing wider than the screen.
import { axe, same, shot, signIn, visitor } from './browser.mjs';

/** The pages, by name. `{call}` and the like become one that exists. */
export const PAGES = { calls: '/calls', call: '/calls/{call}', search: '/search', messages: '/messages', appointments: '/appointments', knowledge: '/knowledge', document: '/knowledge/{document}', contact: '/contacts/{contact}', 'document-new': '/knowledge/new', accounts: '/accounts', clinic: '/clinic' };

export function pageTests(browser, url, who, { sizes = ['wide', 'middle', 'narrow'], looks = [false, true] } = {}) {
  const tests = {};
  for (const size of sizes) for (const dark of looks) tests[`pages ${size} ${dark ? 'dark' : 'light'}`] = () => visit(browser, url, who, size, dark);
  return tests;
}

async function visit(browser, url, { email, password }, size, dark) {
  const page = await visitor(browser, url, { size, dark });
  const problems = [];
  const suffix = `${size}-${dark ? 'dark' : 'light'}`;
  try {
    await page.goto('/sign-in');
    await page.locator('input[type=email]').waitFor();
    problems.push(...(await look(page, `sign-in-${suffix}`)));
    await signIn(page, email, password);
    const ids = await page.evaluate(async () => {
      const first = async (path) => (await (await fetch(path)).json()).items[0]?.id;
      return { call: await first('/api/calls?status=ended&outcome=booked&limit=1') ?? await first('/api/calls?status=ended&limit=1'), document: await first('/api/knowledge-base?limit=1'), contact: await first('/api/contacts?limit=1') };
    });
    for (const [name, path] of Object.entries(PAGES)) {
      const id = /\{(\w+)\}/.exec(path)?.[1];
      if (id && !ids[id]) continue;
      await page.goto(path.replace(/\{(\w+)\}/, (_, key) => ids[key]));
      await page.locator('main h1').first().waitFor();
      await page.waitForLoadState('networkidle').catch(() => undefined);
      if (name === 'search') {
        await page.locator('input[type=search]').first().fill('check');
        await page.locator('main [data-row]').first().waitFor({ timeout: 4_000 }).catch(() => undefined);
      }
      problems.push(...(await look(page, `${name}-${suffix}`)));
    }
    same([...problems, ...page.complaints], [], 'problems');
  } finally {
    await page.context().close();
  }
}

/** Takes a picture and returns what is wrong with the page. */
async function look(page, name) {
  await shot(page, name);
  const problems = (await axe(page)).map((problem) => `${name}: ${problem}`);
  if (await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth)) problems.push(`${name}: wider than the screen`);
  return problems;
}
