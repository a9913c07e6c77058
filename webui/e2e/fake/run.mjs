// Browser tests against the simulator: every page, and what a real server cannot be made to do on demand.
import { open, run } from '../browser.mjs';
import { pageTests } from '../pages.mjs';
import { start } from './server.mjs';
import { stories } from './stories.mjs';

const fake = await start();
const browser = await open();
const who = { email: 'admin@lumen.test', password: 'correct horse battery' };
const only = process.argv[2];
let tests = { ...pageTests(browser, fake.url, who, 'check'), ...stories(browser, fake) };
if (only) tests = Object.fromEntries(Object.entries(tests).filter(([name]) => name.includes(only)));
const failed = await run(tests);
await browser.close();
fake.stop();
process.exitCode = failed > 0 ? 1 : 0;
