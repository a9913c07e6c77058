// How calls sound: that somebody is not heard is seen at once, and what was measured of both sides afterwards.
import { axe, same, shot } from '../browser.mjs';

export function qualityStories({ fake, lever, story }) {
  return {
    // B-22
    'a side that is not heard is shown in the list, at the call and as a message': story('/calls', async (page) => {
      const call = (await lever('ring', { contact_name: 'Zoe Nowak' })).headers.get('x-call');
      await lever('station', { call, unheard: 'other' });
      const row = page.locator('tbody[data-live] tr', { hasText: 'Zoe Nowak' });
      await row.getByText('The other side is not heard').waitFor();
      await shot(page, 'unheard-list');
      same(await axe(page), [], 'axe on a list with a call that is not heard');
      await row.locator('a').click();
      const bar = page.getByRole('region', { name: 'Call that is on' });
      await bar.getByRole('alert').getByText('The other side is not heard').waitFor();
      await shot(page, 'unheard-call');
      same(await axe(page), [], 'axe on a call that is not heard');
      await lever('station', { call, unheard: 'clinic' });
      await bar.getByText('The clinic’s side is not heard').waitFor();
      await lever('station', { call, unheard: null });
      await bar.getByRole('alert').waitFor({ state: 'detached' });

      const { quality } = fake.state.db.calls.find((one) => one.id === call);
      const staff = { packets_received: 900, packets_lost: 100, jitter_ms: 61.5, mos: 2.6, one_way: false };
      const good = { packets_received: 1500, packets_lost: 0, jitter_ms: 2.1, mos: 4.4, one_way: false };
      const people = [{ account: crypto.randomUUID(), sound: staff }, { account: crypto.randomUUID(), sound: good }, { account: null, sound: { ...good, one_way: true } }];
      await lever('station', { call, quality: { ...quality, mos: 4.3, one_way: false, staff: people }, staff_names: ['Petr Novák', 'Jo Hughes', null] });
      const task = { ...fake.state.db.tasks[0], id: crypto.randomUUID(), kind: 'one_way', text: 'other', state: 'open', call, created_at: new Date().toISOString(), due_at: new Date(Date.now() + 3_600_000).toISOString(), version: 1 };
      fake.state.db.tasks.unshift(task);
      await lever('end', { call });
      const facts = page.getByRole('complementary', { name: 'Facts' });
      await facts.getByText('10 % lost, jitter 61.5 ms · score 2.6 of 5').waitFor();
      same(await facts.getByText('Sound, clinic', { exact: true }).count(), 3, 'people of the clinic');
      for (const name of ['Petr Novák', 'Jo Hughes']) await facts.getByText(name, { exact: true }).waitFor();
      await facts.getByText('Check the sound of calls').waitFor();
      await shot(page, 'sound-both-sides');
      same(await axe(page), [], 'axe on the sound of both sides');
      await page.goto('/messages');
      await page.getByText('Nothing came from the other side for ten seconds').waitFor();
      await shot(page, 'unheard-message');
      same(await axe(page), [], 'axe on the message');
      fake.state.db.tasks = fake.state.db.tasks.filter((one) => one !== task);
    }),
  };
}
