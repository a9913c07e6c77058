// Browser tests against a running server that has had calls: AURICLE_URL, AURICLE_EMAIL and AURICLE_PASSWORD of an administrator.
// An account that still has its one-time password gets AURICLE_NEW_PASSWORD first.
import { open, run, settle } from './browser.mjs';
import { pageTests } from './pages.mjs';
import { stories } from './stories.mjs';

const url = process.env.AURICLE_URL ?? 'http://127.0.0.1:8080';
const who = { email: process.env.AURICLE_EMAIL, password: process.env.AURICLE_PASSWORD };
if (!who.email || !who.password) {
  console.error('Set AURICLE_EMAIL and AURICLE_PASSWORD to those of an administrator of the server at AURICLE_URL.');
  process.exit(2);
}

const browser = await open();
who.password = await settle(browser, url, who, process.env.AURICLE_NEW_PASSWORD);
const tests = { ...pageTests(browser, url, who), ...stories(browser, url, who) };
const only = process.argv[2];
const failed = await run(only ? Object.fromEntries(Object.entries(tests).filter(([name]) => name.includes(only))) : tests);
await browser.close();
process.exitCode = failed > 0 ? 1 : 0;
