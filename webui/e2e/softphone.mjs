// A browser calls the receptionist, also from a network that lets no UDP out, and two people talk from their pages: Chromium with
// microphones that speak from files, and `auricle serve` on a folder of its own (VOICE-15, CALL-01, B-24).
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
/** Nobody speaks for this long: longer than the pauses of somebody who does. */
const QUIET_MS = 3_000;
const EMAIL = 'ada@clinic.example';

watchdog(720);
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

/** A file behind a microphone: what is made of the words, as a voice of flite says them, and of silence. */
function recorded(name, made) {
  const said = join(place, 'said.wav');
  execFileSync('flite', ['-voice', 'rms', '-t', WORDS, '-o', said]);
  const spoken = readFileSync(said);
  const rate = spoken.readUInt32LE(24);
  const data = spoken.indexOf('data') + 8;
  const samples = Buffer.concat(made(spoken.subarray(data), Buffer.alloc(SILENCE_S * rate * 2)));
  const head = Buffer.from(spoken.subarray(0, 44));
  head.write('data', 36);
  head.writeUInt32LE(36 + samples.length, 4);
  head.writeUInt32LE(samples.length, 40);
  const file = join(place, name);
  writeFileSync(file, Buffer.concat([head, samples]));
  return file;
}

/** Switches of a browser whose microphone is this file. */
const microphone = (file) => [
  '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', `--use-file-for-fake-audio-capture=${file}`,
  // Browsers keep their audio off the loopback unless told: nothing of this test leaves the machine.
  '--allow-loopback-in-peer-connection',
];

const added = auricle('user', 'add', EMAIL, '--role', 'admin');
const [, oneTime] = await added.says(/One-time password\s+(\S+)/);
same(await added.ended, { status: 0, signal: null }, 'how adding the administrator ended');
const server = auricle('serve');
await server.says(/Web\s+http/);
const url = `http://127.0.0.1:${web}`;
const question = recorded('question.wav', (words, silence) => [silence, words, silence, words, ...Array(8).fill(silence)]);
const browser = await open(microphone(`${question}%noloop`));
/** In a network that lets no UDP out. */
const confined = await open([...microphone(`${question}%noloop`), '--webrtc-ip-handling-policy=disable_non_proxied_udp']);
/** Whose microphones never stop speaking. */
const talkers = await open(microphone(recorded('talk.wav', (words) => [words, words])));
const password = await settle(browser, url, { email: EMAIL, password: oneTime });

const phone = (page, phase) => page.locator(`[data-phase=${phase}]`);
const call = (page) => page.getByRole('button', { name: 'Call the receptionist' });
const level = (page, side) => page.locator(`.meter .${side}`);
/** Waits until a side of the call is that loud, as the page measures it in what it plays. */
const speaks = (page, side, ms = HEARD_MS_MAX) => page.waitForFunction(
  ([meter, least]) => Number(document.querySelector(`.meter .${meter}`)?.getAttribute('data-level')) >= least, [side, SPEAKS], { timeout: ms });
/** Keeps the connections of a page, which are asked later how they go. */
const keepConnections = () => {
  globalThis.kept = [];
  globalThis.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...args) {
      super(...args);
      globalThis.kept.push(this);
    }
  };
};
/** By what the page's audio goes: the protocol at both ends of the pair that was chosen, and all that the page has. */
const protocols = (page) => page.evaluate(async () => {
  const entries = [...(await globalThis.kept.at(-1).getStats()).values()];
  const named = (id) => entries.find((entry) => entry.id === id);
  const pair = named(entries.find((entry) => entry.type === 'transport').selectedCandidatePairId);
  const all = entries.filter((entry) => entry.type === 'local-candidate').map((entry) => entry.protocol);
  return { chosen: [named(pair.localCandidateId).protocol, named(pair.remoteCandidateId).protocol], all: [...new Set(all)].sort() };
});
const about = (page, path) => page.evaluate(async (path) => (await fetch(path)).json(), path);
/** Asks until the answer is of use. */
async function asked(what, ask) {
  for (const until = performance.now() + HEARD_MS_MAX; performance.now() < until;) {
    const answer = await ask();
    if (answer) return answer;
  }
  throw new Error(`${what}: it took too long`);
}
/** The record of a call that has just been ended, with its recording closed. */
const ended = (page, id) => asked('the end of the call', async () => {
  const record = await about(page, `/api/calls/${id}`);
  return record.status === 'ended' && record.recording.state !== 'recording' && record;
});
/** Waits until the other side has been silent for a while, as the page measures it in what it plays. */
const isQuiet = (page) => page.waitForFunction(([loud, ms]) => {
  const level = Number(document.querySelector('.meter .theirs')?.getAttribute('data-level') ?? 100);
  globalThis.quietSince = level < loud ? globalThis.quietSince ?? performance.now() : undefined;
  return performance.now() - (globalThis.quietSince ?? Infinity) > ms;
}, [SPEAKS / 2, QUIET_MS], { timeout: HEARD_MS_MAX, polling: 50 });
const made = (page, path, body) => page.evaluate(async ([path, body]) => {
  const answer = await fetch(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}, [path, body]);
/** A colleague with this extension, whose telephone is switched on in a page of their own. */
async function colleague(admin, name, extension) {
  const email = `${name}@clinic.example`;
  const { account, one_time_password } = await made(admin, '/api/accounts', { email, name, role: 'AGENT', language: 'en' });
  await made(admin, '/api/phones', { label: name, extension, account: account.id });
  const password = await settle(talkers, url, { email, password: one_time_password });
  const page = await visitor(talkers, url);
  await signIn(page, email, password);
  await page.locator('[data-phone=off]').click();
  await page.getByRole('button', { name: 'Switch the telephone on' }).click();
  await page.locator('[data-phone=ready]').waitFor({ timeout: HEARD_MS_MAX });
  return page;
}
async function calling(page) {
  const link = page.getByRole('link', { name: 'Open the call' });
  await link.waitFor();
  return (await link.getAttribute('href')).split('/').pop();
}

/** Part of the name of the one test to run. */
const only = process.argv[2];
const tests = {
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
    const record = await ended(page, id);
    same(record.cause, 'caller_hung_up', 'how the call ended');
    yes(record.recording.length_ms > 10_000, `a recording of ${record.recording.length_ms} ms`);
    same(page.complaints, [], 'complaints on the console');
    await page.context().close();
  },

  'from a network without UDP a page calls the receptionist, is loaded again, and is understood': async () => {
    const page = await visitor(confined, url);
    await page.addInitScript(keepConnections);
    await signIn(page, EMAIL, password);
    await page.goto('/voice-test');
    await call(page).click();
    await phone(page, 'on').waitFor({ timeout: HEARD_MS_MAX });
    await speaks(page, 'theirs');
    const byTcp = { chosen: ['tcp', 'tcp'], all: ['tcp'] };
    same(await protocols(page), byTcp, 'how the audio goes');
    const id = await calling(page);
    await asked('the count', () => page.evaluate(async () => (await (await fetch('/metrics')).text()).includes('auricle_voice_browsers_by_tcp 1')));

    // B-24
    const began = performance.now();
    await page.reload();
    await phone(page, 'on').waitFor({ timeout: BACK_MS_MAX });
    console.log(`      the call was back ${Math.round(performance.now() - began)} ms after the page was loaded again`);
    same(await calling(page), id, 'the call after the page was loaded again');
    same(await protocols(page), byTcp, 'how the audio goes then');
    await speaks(page, 'mine');
    await page.locator('[data-turn].caller').filter({ hasText: /open|hours/i }).waitFor({ timeout: HEARD_MS_MAX });
    await speaks(page, 'theirs');
    const score = Number((await page.locator('[data-figure=mos]').textContent()).replace(',', '.'));
    console.log(`      MOS ${score}`);
    yes(score > 3, `the line sounds like ${score}`);
    await page.getByRole('button', { name: 'Hang up' }).click();
    await phone(page, 'over').waitFor();
    same((await ended(page, id)).cause, 'caller_hung_up', 'how the call ended');
    same(page.complaints, [], 'complaints on the console');
    await page.context().close();
  },

  'two people talk from their pages: called, answered, muted, loaded again, hung up': async () => {
    const admin = await visitor(browser, url);
    await signIn(admin, EMAIL, password);
    const [eve, sam] = [await colleague(admin, 'eve', '201'), await colleague(admin, 'sam', '202')];
    const bar = (page) => page.locator('[data-call]');
    const button = (page, name) => bar(page).getByRole('button', { name, exact: true });
    await eve.getByLabel('Number or extension').fill('202');
    await eve.getByRole('button', { name: 'Call', exact: true }).click();
    await sam.locator('[data-ringing]').getByText('201').waitFor();
    await shot(sam, 'station-rings');
    await sam.getByRole('button', { name: 'Answer' }).click();
    const id = await bar(eve).getAttribute('data-call');
    await Promise.all([speaks(eve, 'theirs'), speaks(sam, 'theirs')]);
    same((await about(admin, '/api/calls/live')).items.map((call) => [call.call, call.status]), [[id, 'with_agent']], 'the calls that are on');
    await eve.locator('[data-figure=mos]').waitFor();
    await shot(eve, 'station-talks');
    same(await axe(eve), [], 'axe in a call');

    await button(eve, 'Mute').click();
    await bar(eve).getByText('You are muted').waitFor();
    await isQuiet(sam);
    await speaks(eve, 'theirs');

    // B-24
    const began = performance.now();
    await eve.reload();
    await eve.locator('[data-phase=on] [data-call]').waitFor({ timeout: BACK_MS_MAX });
    console.log(`      the call was back ${Math.round(performance.now() - began)} ms after the page was loaded again`);
    same(await bar(eve).getAttribute('data-call'), id, 'the call after the page was loaded again');
    await speaks(eve, 'theirs');
    await bar(eve).getByText('You are muted').waitFor();
    await isQuiet(sam);
    await button(eve, 'Mute').click();
    await speaks(sam, 'theirs');

    await button(sam, 'Hang up').click();
    for (const page of [eve, sam]) {
      await bar(page).waitFor({ state: 'detached' });
      await page.locator('[data-phone=ready]').waitFor();
    }
    same((await about(admin, `/api/calls/${id}`)).direction, 'internal', 'which way the call went');
    for (const page of [eve, sam]) same(page.complaints, [], 'complaints on the console');
    for (const page of [admin, eve, sam]) await page.context().close();
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
};
const failed = await run(only ? Object.fromEntries(Object.entries(tests).filter(([name]) => name.includes(only))) : tests);
await Promise.all([browser.close(), confined.close(), talkers.close()]);
process.exit(failed > 0 ? 1 : 0);
