// The telephone at the foot of the pages, without sound: what the service says of calls is shown, and what is pressed is asked of it.
// With sound it is tested in ../softphone.mjs.
import { SIZES, axe, same, shot, yes } from '../browser.mjs';

const BUTTONS = ['Hang up', 'Mute', 'Mask', 'Hold', 'Transfer', 'Keypad', 'Emergency'];

/** A microphone that is silent, and a connection that is there at once. */
const silent = () => {
  Object.defineProperty(MediaDevices.prototype, 'getUserMedia', { value: async () => new AudioContext().createMediaStreamDestination().stream });
  globalThis.RTCPeerConnection = class {
    connectionState = 'new';
    localDescription = { sdp: 'v=0' };
    addTrack() {}
    getSenders() { return []; }
    async getStats() { return new Map(); }
    async setLocalDescription() {}
    async setRemoteDescription() {
      this.connectionState = 'connected';
      this.onconnectionstatechange?.();
    }
    close() {}
  };
};

export function stationStories({ fake, lever, story }) {
  const me = () => fake.state.db.accounts[0].id;
  const bar = (page) => page.locator('[data-call]');
  const button = (page, name) => bar(page).getByRole('button', { name, exact: true });
  const is = (page, state) => page.locator(`[data-phone=${state}]`).waitFor();
  const asked = (page, what) => page.waitForRequest((request) => request.method() === 'POST' && request.url().endsWith(what));

  async function switchedOn(page) {
    await page.addInitScript(silent);
    await page.reload();
    await page.locator('[data-connection=up], [data-connection]').first().waitFor({ state: 'attached' });
    await page.locator('[data-phone=off]').click();
    const dock = page.getByRole('region', { name: 'Your telephone' });
    await dock.getByText('Make and take calls in this browser').waitFor();
    await dock.getByRole('button', { name: 'Switch the telephone on' }).click();
    await is(page, 'ready');
  }

  /** A call rings at the administrator's softphone. */
  async function rings(name) {
    const call = (await lever('ring', { contact_name: name, status: 'with_receptionist' })).headers.get('x-call');
    await lever('station', { call, status: 'on_hold', stations: [{ account: me(), is_ringing: true, is_muted: false, since: new Date().toISOString() }] });
    return call;
  }

  return {
    // CALL-01, CALL-06
    'a call rings at the telephone, is answered, muted, held, handed on and ended by keys': story('/calls', async (page) => {
      await switchedOn(page);
      same(await axe(page), [], 'axe on the telephone');
      await page.keyboard.press('Escape');
      const call = await rings('Zoe Nowak');
      const ringing = page.locator('[data-ringing]');
      await ringing.getByText('Zoe Nowak').waitFor();
      await is(page, 'rings');
      await shot(page, 'station-ringing');
      same(await axe(page), [], 'axe on a call that rings');
      await page.keyboard.press('a');
      await ringing.waitFor({ state: 'detached' });
      await bar(page).getByText('Zoe Nowak').waitFor();
      same(await bar(page).getByRole('button').allTextContents(), BUTTONS, 'the controls, in their order');
      await page.keyboard.press('m');
      await bar(page).getByText('You are muted').waitFor();
      await page.keyboard.press('m');
      await bar(page).getByText('In a call').waitFor();
      // B-16
      await page.keyboard.press('n');
      await bar(page).getByText('Nothing is recorded').waitFor();
      await shot(page, 'station-masked');
      same(await axe(page), [], 'axe while what is said is masked');
      await page.keyboard.press('n');
      await bar(page).getByText('In a call').waitFor();
      await page.keyboard.press('h');
      await bar(page).getByText('On hold').waitFor();
      await page.keyboard.press('h');
      await page.keyboard.press('k');
      await page.getByRole('button', { name: 'Key 5' }).waitFor();
      await shot(page, 'station-keypad');
      // Another page: the call stays where it is.
      await page.getByRole('link', { name: 'Messages' }).click();
      await page.waitForURL('**/messages');
      await bar(page).getByText('In a call').waitFor();
      await page.keyboard.press('t');
      await page.getByLabel('To which number or extension').fill('202');
      await page.getByRole('button', { name: 'Ask them first' }).click();
      await bar(page).getByText('Ringing your colleague').waitFor();
      await shot(page, 'station-asking');
      same(await axe(page), [], 'axe while a colleague is asked');
      await button(page, 'Take back').click();
      await bar(page).getByText('In a call').waitFor();
      const told = asked(page, `/api/calls/${call}/hangup`);
      await page.keyboard.press('x');
      await told;
      await bar(page).waitFor({ state: 'detached' });
      await is(page, 'ready');
    }),

    // CALL-01
    'which of the clinic\'s numbers is shown is chosen, and stays chosen on this page': story('/calls', async (page) => {
      await switchedOn(page);
      const [number, shown] = [page.getByLabel('Number or extension'), page.getByLabel('Number that is shown')];
      const wish = async () => (await asked(page, '/api/calls')).postDataJSON();
      const place = async (to) => {
        await number.fill(to);
        const [body] = await Promise.all([wish(), page.getByRole('button', { name: 'Call', exact: true }).click()]);
        return body;
      };
      const hangUp = async () => {
        await button(page, 'Hang up').click();
        await bar(page).waitFor({ state: 'detached' });
        await page.keyboard.press('p');
      };
      same(await shown.locator('option').allTextContents(), ['Usual: 020 7946 0100', '020 7946 0111', 'Withheld'], 'the numbers that may be shown');
      same(await shown.inputValue(), '', 'what is chosen at first');
      await shot(page, 'station-shown');
      same(await axe(page), [], 'axe on the choice of a number');
      same(await place('020 7946 0958'), { phone_number: '020 7946 0958' }, 'a call that shows the usual number');
      await hangUp();
      await shown.selectOption('020 7946 0111');
      await page.getByRole('link', { name: 'Messages' }).click();
      await page.waitForURL('**/messages');
      same(await place('020 7946 0958'), { phone_number: '020 7946 0958', caller_id: '+442079460111' }, 'a call that shows the chosen number');
      await hangUp();
      same(await shown.inputValue(), '+442079460111', 'what is chosen for the next call');
      await shown.selectOption('Withheld');
      same(await place('020 7946 0958'), { phone_number: '020 7946 0958', is_withheld: true }, 'a call that shows no number');
      await hangUp();
      await shown.selectOption('020 7946 0111');
      // Somebody changes the rules: what is no longer there is told, and chosen no longer.
      const before = fake.state.db.dialling;
      try {
        fake.state.db.dialling = { ...before, usual: null, may_withhold: false, numbers: ['+442079460100', '+442079460122'] };
        await place('020 7946 0958');
        await page.getByText('None of the trunks for this number may show').waitFor();
        await page.keyboard.press('Escape');
        await page.keyboard.press('p');
        await page.waitForFunction(() => document.querySelector('.dock select')?.value === '');
        same(await shown.locator('option').allTextContents(), ['The usual one', '020 7946 0100', '020 7946 0122'], 'the numbers of the new rules');
        fake.state.db.dialling = { ...before, may_withhold: false, numbers: ['+442079460100'] };
        await page.keyboard.press('Escape');
        await page.keyboard.press('p');
        await shown.waitFor({ state: 'detached' });
      } finally {
        fake.state.db.dialling = before;
      }
    }),

    'a number is called, what a rule forbids is said, and a call that rings is declined': story('/calls', async (page) => {
      await switchedOn(page);
      const number = page.getByLabel('Number or extension');
      await number.fill('0900 123456');
      await page.getByRole('button', { name: 'Call', exact: true }).click();
      await page.getByText('This number costs more than usual ones').waitFor();
      same(await bar(page).count(), 0, 'calls after a refusal');
      await number.fill('');
      for (const key of '020') await page.getByRole('button', { name: `Key ${key}` }).click();
      same(await number.inputValue(), '020', 'what the keypad typed');
      await number.fill('+442079460958');
      await page.getByRole('button', { name: 'Call', exact: true }).click();
      await bar(page).getByText('020 7946 0958').waitFor();
      await bar(page).getByText('Ringing', { exact: true }).waitFor();
      yes(await button(page, 'Hold').isDisabled(), 'nobody can be held before somebody is there');
      await button(page, 'Hang up').click();
      await bar(page).waitFor({ state: 'detached' });
      await rings('Emma Brown');
      await page.getByRole('button', { name: 'Decline' }).click();
      await page.locator('[data-ringing]').waitFor({ state: 'detached' });
    }),

    'a colleague who is asked is brought into the call, and let go again': story('/calls', async (page) => {
      await switchedOn(page);
      await page.keyboard.press('Escape');
      const call = await rings('Zoe Nowak');
      await page.getByRole('button', { name: 'Answer' }).click();
      await lever('station', { call, status: 'on_hold', asked: 'talking' });
      await button(page, 'All together').waitFor();
      await page.keyboard.press('c');
      const others = bar(page).getByRole('list', { name: 'Also in the call' });
      await others.getByText('202').waitFor();
      await button(page, 'Leave').waitFor();
      await shot(page, 'station-conference');
      same(await axe(page), [], 'axe on a conference');
      await others.getByRole('button', { name: 'Let 202 go' }).click();
      await others.waitFor({ state: 'detached' });
      await button(page, 'Hang up').click();
    }),

    // B-05, SUP-05 to SUP-08
    'a supervisor listens to a call, whispers, talks, leaves, and takes it over': story('/calls', async (page) => {
      await switchedOn(page);
      await page.keyboard.press('Escape');
      const call = (await lever('ring', { contact_name: 'Emma Brown', status: 'with_agent', answered_at: new Date().toISOString() })).headers.get('x-call');
      await page.goto(`${fake.url}/calls/${call}`);
      const live = page.getByRole('region', { name: 'Call that is on' });
      await is(page, 'ready');
      await live.getByRole('button', { name: 'Listen' }).click();
      await bar(page).getByText('You listen; nobody hears you').waitFor();
      await shot(page, 'station-listens');
      same(await axe(page), [], 'axe while one listens');
      same(await bar(page).getByRole('button').allTextContents(), ['Leave', 'Listen', 'Whisper', 'Join in', 'Take over', 'Emergency'], 'what who listens may do');
      await button(page, 'Whisper').click();
      await bar(page).getByText('Only your colleague hears you').waitFor();
      await button(page, 'Mute').waitFor();
      await button(page, 'Join in').click();
      await bar(page).getByText('In a call').waitFor();
      await page.keyboard.press('x');
      await bar(page).waitFor({ state: 'detached' });
      // With the receptionist nobody can be whispered to, and nobody talks beside her.
      await lever('station', { call, status: 'with_receptionist' });
      await live.getByRole('button', { name: 'Whisper' }).waitFor({ state: 'detached' });
      await live.getByRole('button', { name: 'Listen' }).waitFor();
      await live.getByRole('button', { name: 'Take over' }).click();
      await button(page, 'Hold').waitFor();
      await shot(page, 'station-taken-over');
      await button(page, 'Hang up').click();
      await bar(page).waitFor({ state: 'detached' });
    }),

    // SAFE-01
    'an emergency number is dialled in the middle of a call, which is left for it': story('/calls', async (page) => {
      await switchedOn(page);
      await page.keyboard.press('Escape');
      await page.keyboard.press('e');
      same(await page.getByLabel('Emergency number').count(), 0, 'fields without a call');
      const call = await rings('Zoe Nowak');
      await page.getByRole('button', { name: 'Answer' }).click();
      await bar(page).getByText('In a call').waitFor();
      await page.keyboard.press('e');
      const number = page.getByLabel('Emergency number');
      await number.waitFor();
      same(await number.inputValue(), '', 'what the key that opens it types');
      await page.keyboard.type('020 7946 0958');
      await page.keyboard.press('Enter');
      await page.getByText('only an emergency number can be dialled: 999, 112, 911').waitFor();
      await shot(page, 'station-emergency');
      same(await axe(page), [], 'axe on dialling an emergency number');
      await page.setViewportSize(SIZES.narrow);
      await shot(page, 'station-emergency-narrow');
      same(await axe(page), [], 'axe on dialling an emergency number, narrow');
      await page.setViewportSize(SIZES.wide);
      await number.fill('999');
      await page.keyboard.press('Enter');
      await bar(page).getByText('999').waitFor();
      await number.waitFor({ state: 'detached' });
      yes(await button(page, 'Emergency').isDisabled(), 'a call to such a number is not left for another');
      const left = fake.state.db.calls.find((one) => one.id === call);
      same([left.status, left.stations], ['with_receptionist', []], 'the caller who was left');
      await lever('end', { call });
      await button(page, 'Hang up').click();
      await bar(page).waitFor({ state: 'detached' });
    }),

    // B-24
    'a page that is loaded again has its telephone and its call back': story('/calls', async (page) => {
      await switchedOn(page);
      await rings('Zoe Nowak');
      await page.getByRole('button', { name: 'Answer' }).click();
      await button(page, 'Mute').click();
      await bar(page).getByText('You are muted').waitFor();
      await page.reload();
      await bar(page).getByText('You are muted').waitFor();
      await is(page, 'talks');
      await page.getByRole('button', { name: /^Telephone/ }).click();
      await page.getByRole('button', { name: 'Switch the telephone off' }).click();
      await is(page, 'talks');
      await bar(page).getByText('You talk in another window').waitFor();
      await button(page, 'Hang up').click();
      await is(page, 'off');
    }),

    'the telephone fits every size, in light and dark': story('/calls', async (page) => {
      await switchedOn(page);
      const open = page.locator('[data-phone]');
      for (const [size, viewport] of Object.entries(SIZES)) {
        await page.setViewportSize(viewport);
        for (const colorScheme of ['light', 'dark']) {
          await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
          await shot(page, `station-open-${size}-${colorScheme}`);
          same(await axe(page), [], `axe on the telephone, ${size} ${colorScheme}`);
        }
        yes(await page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth), `${size}: no wider than the screen`);
      }
      await open.click();
      await rings('Zoe Nowak');
      await page.locator('[data-ringing]').waitFor();
      await shot(page, 'station-ringing-narrow');
      same(await axe(page), [], 'axe on a call that rings, narrow');
      await page.getByRole('button', { name: 'Answer' }).click();
      await bar(page).waitFor();
      await shot(page, 'station-call-narrow');
      same(await axe(page), [], 'axe on a call, narrow');
      await button(page, 'Hang up').click();
      await bar(page).waitFor({ state: 'detached' });
    }),
  };
}
