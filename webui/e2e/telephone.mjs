// What the tests of telephones in browsers share: a clinic of their own, microphones that speak from files, and what its pages show.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { same, settle, signIn, visitor } from './browser.mjs';
import { founded } from './clinic.mjs';

/** What a caller's microphone says, after this silence and once more after another: long enough for the greeting, and for what is looked
 * at while nobody speaks. */
const WORDS = 'What are your opening hours?';
const SILENCE_S = 20;
/** What the page shows of a side that speaks, 0 to 100. */
const SPEAKS = 40;
/** A recogniser on a busy machine takes its time. */
export const HEARD_MS_MAX = 90_000;
/** B-24: how long a page that is loaded again may take to have its call back. The service gives it 15 s. */
export const BACK_MS_MAX = 12_000;
/** Nobody speaks for this long: longer than the pauses of somebody who does. */
const QUIET_MS = 3_000;

/** An address of this machine that is not the loopback's, over which Firefox sends no audio. What goes to it from here stays here. */
export function ownAddress() {
  const own = Object.values(networkInterfaces()).flat().find((one) => one.family === 'IPv4' && !one.internal);
  if (!own) throw new Error('Firefox needs a network interface besides the loopback; this machine has none with IPv4');
  return own.address;
}

/** A clinic with an administrator, served from a folder of its own; browsers' audio comes to this address. */
export async function clinic(email, audio = '127.0.0.1') {
  const { place, url, administrator, serve } = await founded('39100-39199', () => `[webrtc]\nlisten = "${audio}:0"\n`);
  const password = await administrator(email);
  return { place, server: await serve(), url, email, password };
}

/** A file behind a microphone: what is made of the words, as a voice of flite says them, and of silence. */
function recorded(place, name, made) {
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
/** What Chromium's microphone asks, twice. */
export const question = (place) => recorded(place, 'question.wav', (words, silence) => [silence, words, silence, words, ...Array(8).fill(silence)]);
/** The question alone. */
export const words = (place) => recorded(place, 'words.wav', (words) => [words]);
/** What never stops speaking where it is played over and over. */
export const talk = (place) => recorded(place, 'talk.wav', (words) => [words, words]);

/** Switches of a Chromium whose microphone is this file. */
export const microphone = (file) => [
  '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', `--use-file-for-fake-audio-capture=${file}`,
  // Browsers keep their audio off the loopback unless told: nothing of these tests leaves the machine.
  '--allow-loopback-in-peer-connection',
];

/** A Firefox whose microphone plays this file: over and over, or begun after so many seconds each. Firefox has no switch for it, so its
 * pages get the file in place of what the microphone hears; that one is asked for and held all the same, with all that hangs on it. */
export function throughMicrophone(browser, file, from_s = null) {
  const made = { wav: readFileSync(file, 'base64'), from_s };
  const newContext = async (options) => {
    const context = await browser.newContext(options);
    await context.addInitScript(speaking, made);
    return context;
  };
  return { newContext };
}

/** Runs in the page. */
function speaking({ wav, from_s }) {
  // An empty page has no microphone.
  if (!globalThis.MediaDevices) return;
  const play = HTMLMediaElement.prototype.play;
  HTMLMediaElement.prototype.play = function played() {
    globalThis.loudspeaker = this;
    return play.call(this);
  };
  const asked = MediaDevices.prototype.getUserMedia;
  MediaDevices.prototype.getUserMedia = async function getUserMedia(wanted) {
    const device = await asked.call(this, wanted);
    const context = new AudioContext();
    await context.resume();
    const buffer = await context.decodeAudioData(Uint8Array.from(atob(wav), (letter) => letter.charCodeAt(0)).buffer);
    const heard = context.createMediaStreamDestination();
    for (const from of from_s ?? [0]) {
      const source = new AudioBufferSourceNode(context, { buffer, loop: from_s === null });
      source.connect(heard);
      source.start(context.currentTime + from);
    }
    const [track] = heard.stream.getAudioTracks();
    const stop = track.stop.bind(track);
    track.stop = () => {
      stop();
      for (const own of device.getTracks()) own.stop();
      void context.close();
    };
    return heard.stream;
  };
}

export const phone = (page, phase) => page.locator(`[data-phase=${phase}]`);
export const bar = (page) => page.locator('[data-call]');
export const button = (page, name) => bar(page).getByRole('button', { name, exact: true });
/** The call to the receptionist that the page of test calls shows. */
export async function calling(page) {
  const link = page.getByRole('link', { name: 'Open the call' });
  await link.waitFor();
  return (await link.getAttribute('href')).split('/').pop();
}

/** Waits until the loudspeaker of a page behind such a microphone plays: a browser may want a press first. */
export const plays = (page) => page.waitForFunction(() => globalThis.loudspeaker?.currentTime > 0, null, { timeout: HEARD_MS_MAX });
/** Waits until a side of the call is that loud, as the page measures it in what it plays. */
export const speaks = (page, side, ms = HEARD_MS_MAX) => page.waitForFunction(
  ([meter, least]) => Number(document.querySelector(`.meter .${meter}`)?.getAttribute('data-level')) >= least, [side, SPEAKS], { timeout: ms });
/** Waits until the other side has been silent for a while, as the page measures it in what it plays. */
export const isQuiet = (page) => page.waitForFunction(([loud, ms]) => {
  const level = Number(document.querySelector('.meter .theirs')?.getAttribute('data-level') ?? 100);
  globalThis.quietSince = level < loud ? globalThis.quietSince ?? performance.now() : undefined;
  return performance.now() - (globalThis.quietSince ?? Infinity) > ms;
}, [SPEAKS / 2, QUIET_MS], { timeout: HEARD_MS_MAX, polling: 50 });

/** Calls the receptionist from the page of test calls, and waits until it is heard; the call. */
export async function callsReceptionist(page) {
  await page.goto('/voice-test');
  await page.getByRole('button', { name: 'Call the receptionist' }).click();
  await phone(page, 'on').first().waitFor({ timeout: HEARD_MS_MAX });
  await speaks(page, 'theirs');
  return calling(page);
}
/** Waits until what the microphone asks is understood and answered. */
export async function isUnderstood(page) {
  await speaks(page, 'mine');
  await page.locator('[data-turn].caller').filter({ hasText: /open|hours/i }).waitFor({ timeout: HEARD_MS_MAX });
  await speaks(page, 'theirs');
}
/** B-24: loads the page again, and waits until it has its call back, as this place of it shows. */
export async function loadedAgain(page, place) {
  const began = performance.now();
  await page.reload();
  await page.locator(place).waitFor({ timeout: BACK_MS_MAX });
  console.log(`      the call was back ${Math.round(performance.now() - began)} ms after the page was loaded again`);
}
/** Two people talk, and one mutes: they are not heard, also when their page has been loaded again, until they are muted no more. `back` is
 * waited for when the call is back. */
export async function mutesAndLoadsAgain(page, other, back = async () => {}) {
  const id = await bar(page).getAttribute('data-call');
  const isMuted = async () => {
    await bar(page).getByText('You are muted').waitFor();
    await isQuiet(other);
  };
  await button(page, 'Mute').click();
  await isMuted();
  await speaks(page, 'theirs');
  await loadedAgain(page, '[data-phase=on] [data-call]');
  same(await bar(page).getAttribute('data-call'), id, 'the call after the page was loaded again');
  await speaks(page, 'theirs');
  await back();
  await isMuted();
  await button(page, 'Mute').click();
  await speaks(other, 'theirs');
}

export const about = (page, path) => page.evaluate(async (path) => (await fetch(path)).json(), path);
export const made = (page, path, body) => page.evaluate(async ([path, body]) => {
  const answer = await fetch(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}, [path, body]);

/** A colleague with this extension, whose telephone is switched on in a page of their own in this browser. */
export async function colleague(admin, browser, url, name, extension) {
  const email = `${name}@clinic.example`;
  const { account, one_time_password } = await made(admin, '/api/accounts', { email, name, role: 'AGENT', language: 'en' });
  await made(admin, '/api/phones', { label: name, extension, account: account.id });
  const password = await settle(browser, url, { email, password: one_time_password });
  const page = await visitor(browser, url);
  await signIn(page, email, password);
  await switchOn(page);
  return page;
}

/** Switches the telephone of this page on. */
export async function switchOn(page) {
  await page.locator('[data-phone=off]').click();
  await page.getByRole('button', { name: 'Switch the telephone on' }).click();
  await page.locator('[data-phone=ready]').waitFor({ timeout: HEARD_MS_MAX });
}
