// What an administrator does with a clinic that has had calls. What is made is taken away again.
import { axe, same, shot, signIn, visitor, yes } from './browser.mjs';

export function stories(browser, url, who) {
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
  const mark = `zebra${Date.now().toString(36)}`;

  return {
    // KB-01, KB-05
    'a document is written, found by a question and by search, and deleted': story('/knowledge/new', async (page) => {
      await page.getByLabel('Name').fill(`Test ${mark}`);
      await page.getByLabel('Content').fill(`The ${mark} waiting room has seven chairs.`);
      await page.getByRole('button', { name: 'Save' }).click();
      await page.waitForURL(/knowledge\/[0-9a-f-]{36}/);
      await page.getByRole('link', { name: 'All documents' }).click();
      await page.getByLabel('Question', { exact: true }).fill(`how many chairs has the ${mark} waiting room?`);
      await page.keyboard.press('Enter');
      await page.locator('aside').getByText(`The ${mark} waiting room has seven chairs`).waitFor();
      await page.keyboard.press('Escape');
      await page.getByRole('searchbox').first().fill(mark);
      await page.locator('main [data-row]', { hasText: 'seven chairs' }).waitFor();
      await shot(page, 'real-search');
      same(await axe(page), [], 'axe on search results');
      await page.locator('main [data-row]', { hasText: 'seven chairs' }).first().click();
      await page.getByRole('button', { name: 'Delete' }).click();
      await page.getByRole('button', { name: 'Delete document' }).click();
      await page.waitForURL(/\/knowledge$/);
      await page.getByRole('link', { name: `Test ${mark}` }).waitFor({ state: 'detached' });
    }),

    'an appointment is booked, seen and cancelled': story('/appointments', async (page) => {
      await page.getByRole('button', { name: 'New appointment' }).click();
      const dialog = page.locator('dialog');
      await dialog.locator('.time').first().click();
      await dialog.getByLabel('Patient').fill(`Test ${mark}`);
      await dialog.getByRole('button', { name: 'Book' }).click();
      const entry = page.locator('.entry', { hasText: mark }).filter({ visible: true }).first();
      await entry.click();
      await dialog.getByRole('button', { name: 'Cancel appointment' }).click();
      await dialog.getByRole('button', { name: 'Cancel appointment' }).click();
      await entry.waitFor({ state: 'detached' });
    }),

    'a person is added, gets a new password and is disabled': story('/accounts', async (page) => {
      await page.getByRole('button', { name: 'Add a person' }).click();
      await page.getByLabel('Name').fill(`Test ${mark}`);
      await page.getByLabel('E-mail').fill(`${mark}@example.org`);
      await page.locator('dialog').getByRole('button', { name: 'Add', exact: true }).click();
      yes((await page.locator('dialog output').textContent())?.length, 'a one-time password is shown');
      await page.getByRole('button', { name: 'I have passed it on' }).click();
      const row = page.locator('tr', { hasText: mark }).first();
      await row.getByRole('button', { name: 'New password' }).click();
      await page.locator('dialog').getByRole('button', { name: 'New password' }).click();
      await page.locator('dialog output').waitFor();
      await page.getByRole('button', { name: 'I have passed it on' }).click();
      await row.getByRole('button', { name: 'Disable' }).click();
      await page.locator('dialog').getByRole('button', { name: 'Disable' }).click();
      await row.getByText('Disabled').waitFor();
    }),

    'a recorded call plays, and a click on a word goes there': story('/calls', async (page) => {
      const id = await page.evaluate(async () => (await (await fetch('/api/calls?status=ended&limit=100')).json()).items.find((call) => call.recording.state === 'stopped' && call.recording.length_ms > 10_000)?.id);
      yes(id, 'there is a recorded call of more than ten seconds');
      await page.goto(`/calls/${id}`);
      await page.getByRole('button', { name: 'Play', exact: true }).click();
      await page.waitForFunction(() => document.querySelector('audio')?.currentTime > 0.5);
      await shot(page, 'real-playing');
      const word = page.locator('.turn.caller [data-at]').first();
      const at_s = Number(await word.getAttribute('data-at')) / 1000;
      await Promise.all([word.click(), page.locator('.turn.caller .now').first().waitFor()]);
      const now_s = await page.locator('audio').evaluate((audio) => audio.currentTime);
      yes(now_s >= at_s && now_s < at_s + 5, `a word at ${at_s} s is at ${now_s} s of the recording`);
    }),

    // SEC-20, B-17
    'a clinic that asks why keeps the reason with the reading': story('/clinic', async (page) => {
      const asks = async (setting) => {
        await page.goto('/clinic');
        await page.getByLabel('Reason for opening past calls').selectOption(setting);
        await page.getByRole('button', { name: 'Save' }).click();
        await page.locator('form').getByText('Saved', { exact: true }).waitFor();
      };
      const id = await page.evaluate(async () => (await (await fetch('/api/calls?status=ended&limit=100')).json()).items.find((call) => call.recording.state === 'stopped' && call.recording.length_ms > 3_000)?.id);
      yes(id, 'there is a recorded call');
      await asks('all');
      try {
        await page.goto(`/calls/${id}`);
        await page.locator('dialog').getByLabel('Reason', { exact: true }).fill(`Stížnost ${mark}`);
        await shot(page, 'real-reason');
        same(await axe(page), [], 'axe on the question');
        await page.keyboard.press('Enter');
        await page.locator('[role=log] .turn').first().waitFor();
        await page.getByRole('button', { name: 'Play', exact: true }).click();
        await page.waitForFunction(() => document.querySelector('audio')?.currentTime > 0.3);
        await page.goto('/audit');
        const reading = page.locator('tr', { hasText: `Stížnost ${mark}` });
        await reading.filter({ hasText: 'Listened to a recording' }).first().waitFor();
        await reading.filter({ hasText: 'Read a transcript' }).first().waitFor();
      } finally {
        await asks('off');
      }
    }),

    'settings are saved and put back': story('/clinic', async (page) => {
      const name = page.getByLabel('Name of the clinic');
      await page.waitForFunction(() => document.querySelector('main form input')?.value);
      const before = await name.inputValue();
      for (const wanted of [`${before} ${mark}`, before]) {
        await name.fill(wanted);
        await page.getByRole('button', { name: 'Save' }).click();
        await page.locator('form').getByText('Saved', { exact: true }).waitFor();
      }
    }),
  };
}
