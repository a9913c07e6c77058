// Browser tests against a running server: AURICLE_URL, AURICLE_EMAIL and AURICLE_PASSWORD of an administrator.
// An account that still has its one-time password gets AURICLE_NEW_PASSWORD first. What is made is taken away again.
import { axe, open, run, same, shot, signIn, visitor, yes } from './browser.mjs';
import { pageTests } from './pages.mjs';

const url = process.env.AURICLE_URL ?? 'http://127.0.0.1:8080';
const who = { email: process.env.AURICLE_EMAIL, password: process.env.AURICLE_PASSWORD };
if (!who.email || !who.password) {
  console.error('Set AURICLE_EMAIL and AURICLE_PASSWORD to those of an administrator of the server at AURICLE_URL.');
  process.exit(2);
}

const browser = await open();
await settle();

/** Changes a one-time password, so that the tests can sign in as everybody else does. */
async function settle() {
  const page = await visitor(browser, url);
  await page.goto('/sign-in');
  await page.locator('input[type=email]').fill(who.email);
  await page.locator('input[type=password]').fill(who.password);
  await page.locator('form button.primary').click();
  const fresh = page.locator('input[autocomplete=new-password]');
  await Promise.race([fresh.first().waitFor(), page.locator('main h1').first().waitFor({ state: 'detached' }), page.waitForURL((address) => !address.pathname.startsWith('/sign-in'))]);
  if (await fresh.count()) {
    const chosen = process.env.AURICLE_NEW_PASSWORD ?? 'a password for the tests';
    await page.locator('input[autocomplete=current-password]').fill(who.password);
    for (const field of await fresh.all()) await field.fill(chosen);
    await page.locator('form button.primary').click();
    await page.waitForURL((address) => !address.pathname.startsWith('/sign-in'));
    who.password = chosen;
  }
  await page.context().close();
}

const story = (path, test) => async () => {
  const page = await visitor(browser, url);
  try {
    await signIn(page, who.email, who.password);
    await page.goto(path);
    await page.locator('[data-connection=up]').waitFor();
    await test(page);
    same(page.complaints, [], 'complaints on the console');
  } finally {
    await page.context().close();
  }
};
/** Unlike anything a clinic writes, so that it is found alone. */
const MARK = `zebra${Date.now().toString(36)}`;

const tests = {
  ...pageTests(browser, url, who),

  // KB-01, KB-05
  'a document is written, found by a question and by search, and deleted': story('/knowledge/new', async (page) => {
    await page.getByLabel('Name').fill(`Test ${MARK}`);
    await page.getByLabel('Content').fill(`The ${MARK} waiting room has seven chairs.`);
    await page.getByRole('button', { name: 'Save' }).click();
    await page.waitForURL(/knowledge\/[0-9a-f-]{36}/);
    await page.getByRole('link', { name: 'All documents' }).click();
    await page.getByLabel('Question', { exact: true }).fill(`how many chairs has the ${MARK} waiting room?`);
    await page.keyboard.press('Enter');
    await page.locator('aside').getByText(`The ${MARK} waiting room has seven chairs`).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('searchbox').first().fill(MARK);
    await page.locator('main [data-row]', { hasText: 'seven chairs' }).waitFor();
    await shot(page, 'real-search');
    same(await axe(page), [], 'axe on search results');
    await page.locator('main [data-row]', { hasText: 'seven chairs' }).first().click();
    await page.getByRole('button', { name: 'Delete' }).click();
    await page.getByRole('button', { name: 'Delete document' }).click();
    await page.waitForURL(/\/knowledge$/);
    await page.getByRole('link', { name: `Test ${MARK}` }).waitFor({ state: 'detached' });
  }),

  'an appointment is booked, seen and cancelled': story('/appointments', async (page) => {
    if ((await page.evaluate(async () => (await (await fetch('/api/services')).json()).items.length)) === 0) return console.log('      nothing can be booked here: skipped');
    await page.getByRole('button', { name: 'New appointment' }).click();
    const dialog = page.locator('dialog');
    await dialog.locator('.time').first().click();
    await dialog.getByLabel('Patient').fill(`Test ${MARK}`);
    await dialog.getByRole('button', { name: 'Book' }).click();
    const entry = page.locator('.entry', { hasText: MARK }).filter({ visible: true }).first();
    await entry.click();
    await dialog.getByRole('button', { name: 'Cancel appointment' }).click();
    await dialog.getByRole('button', { name: 'Cancel appointment' }).click();
    await entry.waitFor({ state: 'detached' });
  }),

  'a person is added, gets a new password and is disabled': story('/accounts', async (page) => {
    await page.getByRole('button', { name: 'Add a person' }).click();
    await page.getByLabel('Name').fill(`Test ${MARK}`);
    await page.getByLabel('E-mail').fill(`${MARK}@example.org`);
    await page.locator('dialog').getByRole('button', { name: 'Add', exact: true }).click();
    yes((await page.locator('dialog output').textContent())?.length, 'a one-time password is shown');
    await page.getByRole('button', { name: 'I have passed it on' }).click();
    const row = page.locator('tr', { hasText: MARK }).first();
    await row.getByRole('button', { name: 'New password' }).click();
    await page.locator('dialog').getByRole('button', { name: 'New password' }).click();
    await page.locator('dialog output').waitFor();
    await page.getByRole('button', { name: 'I have passed it on' }).click();
    await row.getByRole('button', { name: 'Disable' }).click();
    await page.locator('dialog').getByRole('button', { name: 'Disable' }).click();
    await row.getByText('Disabled').waitFor();
  }),

  'a recorded call plays': story('/calls', async (page) => {
    const id = await page.evaluate(async () => (await (await fetch('/api/calls?status=ended&limit=100')).json()).items.find((call) => call.recording.state === 'stopped' && call.recording.length_ms > 1_000)?.id);
    if (!id) return console.log('      no recorded call to play: skipped');
    await page.goto(`/calls/${id}`);
    await page.getByRole('button', { name: 'Play', exact: true }).click();
    await page.waitForFunction(() => document.querySelector('audio')?.currentTime > 0.5);
    await shot(page, 'real-playing');
  }),

  'settings are saved and put back': story('/clinic', async (page) => {
    const name = page.getByLabel('Name of the clinic');
    await page.waitForFunction(() => document.querySelector('main form input')?.value);
    const before = await name.inputValue();
    for (const wanted of [`${before} ${MARK}`, before]) {
      await name.fill(wanted);
      await page.getByRole('button', { name: 'Save' }).click();
      await page.locator('form').getByText('Saved', { exact: true }).waitFor();
    }
  }),
};

const only = process.argv[2];
const failed = await run(only ? Object.fromEntries(Object.entries(tests).filter(([name]) => name.includes(only))) : tests);
await browser.close();
process.exitCode = failed > 0 ? 1 : 0;
