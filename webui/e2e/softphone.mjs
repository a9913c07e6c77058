// A browser calls the receptionist: Chromium with a microphone that speaks from a file, and `auricle serve` on a folder of its own
// (VOICE-15, B-24).
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { axe, open, run, same, settle, shot, signIn, visitor, yes } from './browser.mjs';
import { folder, freePorts, start, watchdog } from './server.mjs';

/** What the microphone says, after this silence and once more after another: long enough for the greeting, and for what is looked at while
 * nobody speaks. */
const WORDS = 'What are your opening hours?';
const SILENCE_S = 20;
/** What the page shows of a side that speaks, 0 to 100. */
const SPEAKS = 40;
/** A recogniser on a busy machine takes its time. */
const HEARD_MS_MAX = 90_000;
/** B-24: how long a page that is loaded again may take to have its call back. The service gives it 15 s. */
const BACK_MS_MAX = 12_000;
const EMAIL = 'ada@clinic.example';

watchdog(300);
const place = folder();
const [web, sip] = await freePorts(2);
const config = join(place, 'auricle.toml');
writeFileSync(config, `
[server]
listen = "127.0.0.1:${web}"
[storage]
directory = "${join(place, 'clinic')}"
[sip]
listen = "127.0.0.1:${sip}"
rtp_ports = "39100-39199"
calls_max = 10
[webrtc]
listen = "127.0.0.1:0"
[log]
directory = "${join(place, 'log')}"
`);
const auricle = (...args) => start(['--config', config, ...args]);

/** The file behind the microphone: silence, the words by a voice of flite, both again, silence. */
function microphone() {
  const said = join(place, 'said.wav');
  execFileSync('flite', ['-voice', 'rms', '-t', WORDS, '-o', said]);
  const spoken = readFileSync(said);
  const rate = spoken.readUInt32LE(24);
  const data = spoken.indexOf('data') + 8;
  const silence = Buffer.alloc(SILENCE_S * rate * 2);
  const samples = Buffer.concat([silence, spoken.subarray(data), silence, spoken.subarray(data), ...Array(8).fill(silence)]);
  const head = Buffer.from(spoken.subarray(0, 44));
  head.write('data', 36);
  head.writeUInt32LE(36 + samples.length, 4);
  head.writeUInt32LE(samples.length, 40);
  const file = join(place, 'microphone.wav');
  writeFileSync(file, Buffer.concat([head, samples]));
  return file;
}

const added = auricle('user', 'add', EMAIL, '--role', 'admin');
const [, oneTime] = await added.says(/One-time password\s+(\S+)/);
same(await added.ended, { status: 0, signal: null }, 'how adding the administrator ended');
const server = auricle('serve');
await server.says(/Web\s+http/);
const url = `http://127.0.0.1:${web}`;
const browser = await open([
  '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', `--use-file-for-fake-audio-capture=${microphone()}%noloop`,
  // Browsers keep their audio off the loopback unless told: nothing of this test leaves the machine.
  '--allow-loopback-in-peer-connection',
]);
const password = await settle(browser, url, { email: EMAIL, password: oneTime });

const phone = (page, phase) => page.locator(`[data-phase=${phase}]`);
const call = (page) => page.getByRole('button', { name: 'Call the receptionist' });
const level = (page, side) => page.locator(`.meter .${side}`);
/** Waits until a side of the call is that loud, as the page measures it in what it plays. */
const speaks = (page, side, ms = HEARD_MS_MAX) => page.waitForFunction(
  ([meter, least]) => Number(document.querySelector(`.meter .${meter}`)?.getAttribute('data-level')) >= least, [side, SPEAKS], { timeout: ms });
const about = (page, path) => page.evaluate(async (path) => (await fetch(path)).json(), path);
async function calling(page) {
  const link = page.getByRole('link', { name: 'Open the call' });
  await link.waitFor();
  return (await link.getAttribute('href')).split('/').pop();
}

const failed = await run({
  'a page calls the receptionist, is loaded again in the middle, and is understood': async () => {
    const page = await visitor(browser, url);
    await signIn(page, EMAIL, password);
    await page.goto('/voice-test');
    await call(page).click();
    await phone(page, 'on').waitFor({ timeout: HEARD_MS_MAX });
    await speaks(page, 'theirs');
    const id = await calling(page);
    const greeting = page.locator('[data-partial], [data-turn]').first();
    await greeting.waitFor();
    await page.locator('[data-figure=mos]').waitFor();
    await shot(page, 'softphone-on');
    same(await axe(page), [], 'axe in a call');
    await page.getByRole('button', { name: 'Keypad' }).click();
    await shot(page, 'softphone-keypad');

    // B-24
    const began = performance.now();
    await page.reload();
    await phone(page, 'on').waitFor({ timeout: BACK_MS_MAX });
    console.log(`      the call was back ${Math.round(performance.now() - began)} ms after the page was loaded again`);
    same(await calling(page), id, 'the call after the page was loaded again');
    same((await about(page, `/api/calls/${id}`)).status === 'ended', false, 'whether the call has ended');

    await speaks(page, 'mine');
    await page.locator('[data-turn].caller').filter({ hasText: /open|hours/i }).waitFor({ timeout: HEARD_MS_MAX });
    await speaks(page, 'theirs');
    const loss = await page.locator('[data-figure=loss]').textContent();
    const score = Number((await page.locator('[data-figure=mos]').textContent()).replace(',', '.'));
    console.log(`      lost ${loss}, MOS ${score}`);
    yes(score > 3, `the line sounds like ${score}`);
    await shot(page, 'softphone-understood');

    await page.getByRole('button', { name: 'Mute' }).click();
    await page.getByText('You are muted').waitFor();
    await page.getByRole('button', { name: 'Hang up' }).click();
    await phone(page, 'over').waitFor();
    await page.waitForFunction(async (path) => (await (await fetch(path)).json()).status === 'ended', `/api/calls/${id}`);
    const ended = await about(page, `/api/calls/${id}`);
    same(ended.cause, 'caller_hung_up', 'how the call ended');
    yes(ended.recording.length_ms > 10_000, `a recording of ${ended.recording.length_ms} ms`);
    same(page.complaints, [], 'complaints on the console');
    await page.context().close();
  },

  'a service that is killed leaves a page that says so and can call again': async () => {
    const page = await visitor(browser, url, { size: 'narrow', dark: true });
    await signIn(page, EMAIL, password);
    await page.goto('/voice-test');
    await call(page).click();
    await phone(page, 'on').waitFor({ timeout: HEARD_MS_MAX });
    await speaks(page, 'theirs');
    await shot(page, 'softphone-narrow-dark');
    same(await axe(page), [], 'axe on a narrow page');
    same(await server.stop('SIGKILL'), { status: null, signal: 'SIGKILL' }, 'how the server ended');
    await phone(page, 'lost').waitFor({ timeout: HEARD_MS_MAX });
    await phone(page, 'failed').waitFor({ timeout: HEARD_MS_MAX });
    await shot(page, 'softphone-failed');
    await page.getByRole('button', { name: 'Call again' }).waitFor();
    await page.context().close();
  },
});
await browser.close();
process.exit(failed > 0 ? 1 : 0);
