// Firefox as a softphone, against `auricle serve` on a folder of its own: what softphone.mjs does in Chromium, and calls between the two
// (CALL-01, CALL-06, VOICE-15, B-24).
import { open, openFirefox, run, same, settle, shot, signIn, visitor, yes } from './browser.mjs';
import { watchdog } from './server.mjs';
import { HEARD_MS_MAX, about, bar, button, calling, callsReceptionist, clinic, colleague, isQuiet, isUnderstood, loadedAgain, microphone, mutesAndLoadsAgain, ownAddress, phone, plays, speaks, switchOn, talk, throughMicrophone, words } from './telephone.mjs';

const EMAIL = 'ada@clinic.example';

watchdog(480);
const { place, server, url, password: oneTime } = await clinic(EMAIL, ownAddress());
const firefox = await openFirefox();
/** Asks its question twice: after what is looked at while nobody speaks. */
const caller = throughMicrophone(firefox, words(place), [20, 44]);
const talker = throughMicrophone(firefox, talk(place));
const chromium = await open(microphone(talk(place)));
const password = await settle(firefox, url, { email: EMAIL, password: oneTime });

/** Part of the name of the one test to run. */
const only = process.argv[2];
const tests = {
  'Firefox calls the receptionist, presses keys, is loaded again in the middle, and is understood': async () => {
    const page = await visitor(caller, url);
    await signIn(page, EMAIL, password);
    const id = await callsReceptionist(page);
    await page.locator('[data-partial], [data-turn]').first().waitFor();
    const figures = page.locator('[data-figure]');
    await figures.first().waitFor();
    same(await figures.evaluateAll((all) => all.map((one) => one.dataset.figure)), ['mos', 'loss', 'jitter', 'round_trip'], 'the figures of the line');
    await shot(page, 'firefox-test-call');

    await page.getByRole('button', { name: 'Keypad' }).click();
    await page.getByRole('button', { name: 'Key 2' }).click();
    await page.locator('[data-turn].receptionist').filter({ hasText: /our opening hours are/i }).first().waitFor({ timeout: HEARD_MS_MAX });

    // B-24
    await loadedAgain(page, '[data-phase=on]');
    same(await calling(page), id, 'the call after the page was loaded again');
    await plays(page);

    await isUnderstood(page);
    // What is said of the sound goes by the loudspeaker's clock too, and this one's is not true; what was lost does not.
    const [loss, score] = [await page.locator('[data-figure=loss]').textContent(), await page.locator('[data-figure=mos]').textContent()];
    console.log(`      lost ${loss}, MOS ${score}`);
    yes(Number.parseFloat(loss) < 5, `the line has lost ${loss}`);

    await page.getByRole('button', { name: 'Mute' }).click();
    await page.getByText('You are muted').waitFor();
    await page.getByRole('button', { name: 'Hang up' }).click();
    await phone(page, 'over').waitFor();
    await page.waitForFunction(async (path) => (await (await fetch(path)).json()).status === 'ended', `/api/calls/${id}`);
    same((await about(page, `/api/calls/${id}`)).cause, 'caller_hung_up', 'how the call ended');
    same(page.complaints, [], 'complaints on the console');
    await page.context().close();
  },

  'Firefox and Chromium talk: called, answered, muted, held, loaded again, handed on': async () => {
    const admin = await visitor(firefox, url);
    await signIn(admin, EMAIL, password);
    const eve = await colleague(admin, talker, url, 'eve', '201');
    const sam = await colleague(admin, chromium, url, 'sam', '202');
    const kim = await colleague(admin, talker, url, 'kim', '203');
    await shot(eve, 'firefox-settings');
    const microphones = eve.getByLabel('Microphone');
    const label = await microphones.locator('option').nth(1).textContent();
    await microphones.selectOption({ label });

    await eve.getByLabel('Number or extension').fill('202');
    await eve.getByRole('button', { name: 'Call', exact: true }).click();
    await sam.locator('[data-ringing]').getByText('201').waitFor();
    await sam.getByRole('button', { name: 'Answer' }).click();
    await Promise.all([speaks(eve, 'theirs'), speaks(eve, 'mine'), speaks(sam, 'theirs')]);
    await eve.locator('[data-figure=mos]').waitFor();
    await shot(eve, 'firefox-talks');
    await microphones.selectOption('');
    await speaks(sam, 'theirs');

    // B-24
    await mutesAndLoadsAgain(eve, sam, () => plays(eve));

    await button(eve, 'Hold').click();
    await bar(eve).getByText('On hold').waitFor();
    await isQuiet(eve);
    await button(eve, 'Hold').click();
    await bar(eve).getByText('In a call').waitFor();
    await Promise.all([speaks(eve, 'theirs'), speaks(sam, 'theirs')]);

    await button(eve, 'Transfer').click();
    await eve.getByLabel('To which number or extension').fill('203');
    await eve.getByRole('button', { name: 'Hand over', exact: true }).click();
    await kim.locator('[data-ringing]').waitFor();
    await shot(kim, 'firefox-rings');
    await kim.getByRole('button', { name: 'Answer' }).click();
    await bar(eve).waitFor({ state: 'detached' });
    await Promise.all([speaks(kim, 'theirs'), speaks(sam, 'theirs')]);
    await button(kim, 'Hang up').click();
    for (const page of [kim, sam]) await bar(page).waitFor({ state: 'detached' });
    for (const page of [eve, sam, kim]) {
      await page.locator('[data-phone=ready]').waitFor();
      same(page.complaints, [], 'complaints on the console');
    }
    for (const page of [admin, eve, sam, kim]) await page.context().close();
  },

  'another window takes the telephone, and a service that is killed is told of': async () => {
    const page = await visitor(talker, url, { size: 'narrow' });
    await signIn(page, EMAIL, password);
    await switchOn(page);
    const other = await page.context().newPage();
    await other.goto('/calls');
    await switchOn(other);
    await page.getByText('another window').first().waitFor();
    await page.locator('[data-phone=off]').waitFor();
    await callsReceptionist(other);
    await shot(other, 'firefox-narrow');
    same(await server.stop('SIGKILL'), { status: null, signal: 'SIGKILL' }, 'how the server ended');
    await phone(other, 'lost').first().waitFor({ timeout: HEARD_MS_MAX });
    await phone(other, 'failed').first().waitFor({ timeout: HEARD_MS_MAX });
    await shot(other, 'firefox-failed');
    await page.context().close();
  },
};
const failed = await run(only ? Object.fromEntries(Object.entries(tests).filter(([name]) => name.includes(only))) : tests);
await Promise.all([firefox.close(), chromium.close()]);
process.exit(failed > 0 ? 1 : 0);
