// The pages against the real program: AURICLE_BIN (../target/debug/auricle unless told) runs its demo, three callers ring,
// and everything is looked at in a browser, while they speak and afterwards.
import { readdirSync } from 'node:fs';
import { open, run, same } from './browser.mjs';
import { liveTests } from './live.mjs';
import { pageTests } from './pages.mjs';
import { folder, start, watchdog } from './server.mjs';
import { stories } from './stories.mjs';

watchdog(360);
const place = folder();
const demo = start(['demo'], { TMPDIR: place });
const [, url] = await demo.says(/web\s+(http:\/\/\S+)/);
const [, email, password] = await demo.says(/(\S+@\S+)\s+(\S+)\s+ADMIN/);
const who = { email, password };

const browser = await open();
let failed = await run(await liveTests(browser, url, who, demo));
failed += await run({ ...pageTests(browser, url, who), ...stories(browser, url, who) });
await browser.close();
failed += await run({
  'an interrupted demo ends well and leaves nothing behind': async () => {
    same(await demo.stop('SIGINT'), { status: 0, signal: null }, 'how the demo ended');
    same(readdirSync(place), [], 'what is left in the folder for temporary files');
  },
});
process.exit(failed > 0 ? 1 : 0);
