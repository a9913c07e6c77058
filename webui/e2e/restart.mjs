// What a browser shows while the service is killed and started again: `auricle serve` on a folder of its own (RT-02, RT-03).
import { axe, open, run, same, settle, shot, signIn, visitor, yes } from './browser.mjs';
import { founded } from './clinic.mjs';
import { watchdog } from './server.mjs';

/** The page tries again at least every ten seconds; a busy machine is given some more. */
const BACK_MS_MAX = 30_000;
const EMAIL = 'ada@clinic.example';

watchdog(150);
const { url, done, administrator, serve } = await founded('39000-39099', () => '[speech]\nstt = "none"\n');
yes((await done('config', 'check')).includes('good'), 'the configuration is good');
const oneTime = await administrator(EMAIL);
let server = await serve();
const browser = await open();
const password = await settle(browser, url, { email: EMAIL, password: oneTime });

/** A colleague's program: it signs in and writes a document, by the API alone. */
async function colleague(name) {
  const post = async (path, body, token) => {
    const reply = await fetch(url + path, { method: 'POST', headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}`, 'idempotency-key': crypto.randomUUID() }) }, body: JSON.stringify(body) });
    yes(reply.ok, `${path} answered ${reply.status}`);
    return reply.json();
  };
  const { token } = await post('/api/auth/login', { email: EMAIL, password, client: 'terminal' });
  await post('/api/knowledge-base', { name, content: 'The lift is out of order.', language: 'en', state: 'live' }, token);
}

const down = (page) => page.locator('[data-disconnected]');
/** Gone after a reload: whatever is seen afterwards has come by itself. */
const remember = (page) => page.evaluate(() => (globalThis.sameDocument = true));
const isSame = async (page) => yes(await page.evaluate(() => globalThis.sameDocument), 'the page was not loaded again');

const failed = await run({
  'a killed server is told, and everything comes back by itself': async () => {
    const list = await visitor(browser, url);
    await signIn(list, EMAIL, password);
    const form = await list.context().newPage();
    form.setDefaultTimeout(8_000);
    await list.goto('/knowledge');
    await form.goto('/knowledge/new');
    for (const page of [list, form]) {
      await page.locator('[data-connection=up]').waitFor();
      await remember(page);
    }
    await form.getByLabel('Name').fill('Half written');
    await form.getByLabel('Content').fill('Words that must stay.');

    same(await server.stop('SIGKILL'), { status: null, signal: 'SIGKILL' }, 'how the server ended');
    for (const page of [list, form]) {
      await page.bringToFront();
      await down(page).getByText('Disconnected from the server.').waitFor();
      same(await page.locator('[data-connection=down]').count(), 1, 'signs of no connection');
    }
    const age = () => down(form).getByText(/What you see is \d+:\d\d old/).textContent();
    const first = await age();
    await form.waitForFunction((before) => document.querySelector('[data-disconnected] .num')?.textContent !== before, first);
    await shot(form, 'restart-disconnected-form');
    same(await axe(form), [], 'axe while disconnected');

    // What cannot be saved now is not lost either.
    await form.getByRole('button', { name: 'Save' }).click();
    await form.getByRole('alert').first().waitFor();
    same(await form.getByLabel('Content').inputValue(), 'Words that must stay.', 'what was typed, after it could not be saved');
    await list.bringToFront();
    await shot(list, 'restart-disconnected-list');

    server = await serve();
    await colleague('Made in between');
    for (const page of [list, form]) await down(page).waitFor({ state: 'detached', timeout: BACK_MS_MAX });
    await list.getByRole('link', { name: 'Made in between' }).waitFor();
    for (const page of [list, form]) {
      await page.locator('[data-connection=up]').waitFor();
      await isSame(page);
    }

    same(await form.getByLabel('Name').inputValue(), 'Half written', 'the name typed');
    same(await form.getByLabel('Content').inputValue(), 'Words that must stay.', 'what was typed');
    await form.bringToFront();
    await form.getByRole('button', { name: 'Save' }).click();
    await form.waitForURL(/knowledge\/[0-9a-f-]{36}/);
    await list.getByRole('link', { name: 'Half written' }).waitFor();
    same(list.complaints, [], 'complaints on the console');
    await list.context().close();
  },

  'the server ends well when it is told to': async () => same(await server.stop('SIGTERM'), { status: 0, signal: null }, 'how the server ended'),
});
await browser.close();
process.exit(failed > 0 ? 1 : 0);
