// A browser calls the receptionist, also from a network that lets no UDP out, and two people talk from their pages: Chromium with
// microphones that speak from files, and `auricle serve` on a folder of its own (VOICE-15, CALL-01, B-24).
import { axe, open, run, same, settle, shot, signIn, visitor, yes } from './browser.mjs';
import { watchdog } from './server.mjs';
import { HEARD_MS_MAX, about, bar, button, calling, callsReceptionist, clinic, colleague, isUnderstood, loadedAgain, microphone, mutesAndLoadsAgain, phone, question, speaks, talk } from './telephone.mjs';

const EMAIL = 'ada@clinic.example';

watchdog(720);
const { place, server, url, password: oneTime } = await clinic(EMAIL);

const asking = microphone(`${question(place)}%noloop`);
const browser = await open(asking);
/** In a network that lets no UDP out. */
const confined = await open([...asking, '--webrtc-ip-handling-policy=disable_non_proxied_udp']);
/** Whose microphones never stop speaking. */
const talkers = await open(microphone(talk(place)));
const password = await settle(browser, url, { email: EMAIL, password: oneTime });

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

/** Part of the name of the one test to run. */
const only = process.argv[2];
const tests = {
  'a page calls the receptionist, is loaded again in the middle, and is understood': async () => {
    const page = await visitor(browser, url);
    await signIn(page, EMAIL, password);
    const id = await callsReceptionist(page);
    const greeting = page.locator('[data-partial], [data-turn]').first();
    await greeting.waitFor();
    await page.locator('[data-figure=mos]').waitFor();
    await shot(page, 'softphone-on');
    same(await axe(page), [], 'axe in a call');
    await page.getByRole('button', { name: 'Keypad' }).click();
    await shot(page, 'softphone-keypad');

    // B-24
    await loadedAgain(page, '[data-phase=on]');
    same(await calling(page), id, 'the call after the page was loaded again');
    same((await about(page, `/api/calls/${id}`)).status === 'ended', false, 'whether the call has ended');

    await isUnderstood(page);
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
    const id = await callsReceptionist(page);
    const byTcp = { chosen: ['tcp', 'tcp'], all: ['tcp'] };
    same(await protocols(page), byTcp, 'how the audio goes');
    await asked('the count', () => page.evaluate(async () => (await (await fetch('/metrics')).text()).includes('auricle_voice_browsers_by_tcp 1')));

    // B-24
    await loadedAgain(page, '[data-phase=on]');
    same(await calling(page), id, 'the call after the page was loaded again');
    same(await protocols(page), byTcp, 'how the audio goes then');
    await isUnderstood(page);
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
    const [eve, sam] = [await colleague(admin, talkers, url, 'eve', '201'), await colleague(admin, talkers, url, 'sam', '202')];
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

    // B-24
    await mutesAndLoadsAgain(eve, sam);

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
    await callsReceptionist(page);
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
