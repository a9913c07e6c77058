// What an administrator looks after in the browser: `auricle serve` with a folder for backups (B-26, B-04, B-17).
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { axe, open, run, same, settle, shot, signIn, visitor, yes } from './browser.mjs';
import { founded } from './clinic.mjs';
import { watchdog } from './server.mjs';

/** Making a backup and restoring it beside itself, on a busy machine. */
const BACKUP_MS_MAX = 60_000;
const EMAIL = 'ada@clinic.example';

watchdog(240);
const sections = (place) => `[backup]\ndirectory = "${join(place, 'backups')}"\n[speech]\nstt = "none"\n`;
const { place, url, auricle, done, administrator, serve } = await founded('39200-39299', sections);
const backups = join(place, 'backups');
await done('secrets', 'generate');
const oneTime = await administrator(EMAIL);
const server = await serve();
const browser = await open();
const password = await settle(browser, url, { email: EMAIL, password: oneTime });
const page = await visitor(browser, url);
await signIn(page, EMAIL, password);
const files = () => readdirSync(backups).filter((name) => name.endsWith('.backup'));
const head = join(place, 'head.txt');

const failed = await run({
  'a backup is made, and is in the list and in the folder': async () => {
    await page.goto('/storage');
    // The schedule makes the first.
    await page.locator('tbody tr').first().waitFor({ timeout: BACKUP_MS_MAX });
    const before = files();
    await page.getByRole('button', { name: 'Back up now' }).click();
    await page.getByText('A backup was made and verified.').first().waitFor({ timeout: BACKUP_MS_MAX });
    yes(files().length > before.length, 'there is one more');
    same(await page.locator('tbody tr').count(), files().length, 'backups in the list');
    await page.getByText('Enough room').or(page.getByText('Getting full')).waitFor();
    await shot(page, 'real-storage');
    same(await axe(page), [], 'axe on the storage page');
  },

  'the search index is built again, and finds what is there': async () => {
    await page.evaluate(async () => {
      const reply = await fetch('/api/contacts', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ name: 'Rosinante Quixote' }) });
      if (!reply.ok) throw new Error(`adding a person was answered ${reply.status}`);
    });
    const asked = page.waitForResponse((reply) => reply.url().endsWith('/api/search/rebuild'));
    await page.getByRole('button', { name: 'Rebuild the index' }).click();
    const { state } = await (await asked).json();
    same(state, 'rebuilding', 'the state of the index after it was asked for');
    await page.getByText('The search index was built again.').waitFor();
    await page.locator('[data-index=current]').waitFor();
    await page.goto('/audit');
    await page.getByRole('cell', { name: 'The search index was built again' }).waitFor();
    await page.getByRole('searchbox').first().fill('rosinante');
    await page.locator('main [data-row]', { hasText: 'Rosinante Quixote' }).waitFor();
  },

  'the chain is checked, and its head is kept': async () => {
    await page.goto('/storage');
    await page.getByRole('button', { name: 'Check the chain' }).click();
    await page.getByText('The chain holds').waitFor();
    const coming = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Download the head' }).click();
    await (await coming).saveAs(head);
    yes(/^\d+ [0-9a-f]{64}\n$/.test(readFileSync(head, 'utf8')), 'the head is a number and a link');
    same(page.complaints, [], 'complaints on the console');
  },

  'the command line checks the chain against that head': async () => {
    same(await server.stop('SIGTERM'), { status: 0, signal: null }, 'how the server ended');
    await auricle('audit', 'verify', '--head', head).says(/The chain holds/);
  },
});
await browser.close();
process.exit(failed > 0 ? 1 : 0);
