// A small clinic with a busy morning. Numbers are from the ranges set aside for fiction.
import { randomBytes } from 'node:crypto';

export function uuid() {
  const hex = Date.now().toString(16).padStart(12, '0') + '7' + randomBytes(10).toString('hex').slice(0, 3) + '8' + randomBytes(10).toString('hex').slice(0, 15);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}

const ago = (minutes) => new Date(Date.now() - minutes * 60_000).toISOString();
const PASSWORD = 'correct horse battery';

const STORIES = {
  hours: { outcome: 'answered_question', turns: [
    ['r', "Hello, Lumen Skin Clinic. I am the clinic's AI receptionist and this call is recorded. How can I help?"], ['c', 'Hi, when are you open on Friday?'],
    ['r', 'On Friday we are open from eight in the morning to six in the evening. Is there anything else?', { cite: 'Opening hours' }], ['c', 'And do you have parking near the clinic?'],
    ['r', 'Yes, there are twelve places behind the building, free for ninety minutes for patients.', { cite: 'Getting here and parking' }], ['c', 'Great, thank you, bye.'], ['r', 'You are welcome. Goodbye.', { tool: ['end_call', true, 'ok'] }]] },
  booking: { outcome: 'booked', turns: [
    ['r', "Hello, Lumen Skin Clinic. I am the clinic's AI receptionist and this call is recorded. How can I help?"], ['c', 'I would like to book a skin check please, next Thursday morning if you can.'],
    ['r', 'I have Thursday at twenty past ten or Thursday at eleven forty. Which', { partly: true, tool: ['find_slots', true, 'slots_found'] }], ['c', 'Twenty past ten is good.'],
    ['r', 'Thursday at twenty past ten, a skin check with Doctor Weiss. May I have your name?', { tool: ['hold_slot', true, 'held'] }], ['c', 'Ema Dvořáková.'],
    ['r', 'Thank you, Ema. Your skin check is booked for Thursday at twenty past ten.', { tool: ['book', true, 'booked'] }], ['c', 'Perfect, thanks.']] },
  message: { outcome: 'message_taken', turns: [
    ['r', "Hello, Lumen Skin Clinic. I am the clinic's AI receptionist and this call is recorded. How can I help?"], ['c', 'Could somebody ring me about my last invoice? It is a hundred pounds too high.'],
    ['r', 'I cannot see invoices, but I can take a message for the clinic. What name and number shall I put down?', { tool: ['answer_from_knowledge', false, 'nothing_found'] }], ['c', 'Tunde Okafor, this number is fine.'],
    ['r', 'Thank you. A colleague will ring you back about your invoice.', { tool: ['take_message', true, 'message_taken'] }]] },
  emergency: { outcome: 'emergency', turns: [
    ['r', "Hello, Lumen Skin Clinic. I am the clinic's AI receptionist and this call is recorded. How can I help?"], ['c', 'My father has chest pain and he is sweating a lot.'],
    ['r', 'Please hang up now and ring 999 straight away. I am telling the clinic as well.'], ['c', 'Okay, okay, I will.']] },
  early: { outcome: 'abandoned', turns: [['r', "Hello, Lumen Skin Clinic. I am the clinic's AI", { partly: true }]] },
  czech: { outcome: 'answered_question', language: 'cs', turns: [
    ['r', 'Dobrý den, klinika Lumen. Jsem AI recepční a hovor se nahrává. Jak vám mohu pomoci?'], ['c', 'Dobrý den, kolik stojí vyšetření znamének?'], ['r', 'Vyšetření znamének stojí devadesát pět liber.', { cite: 'Ceník' }], ['c', 'Děkuji, na shledanou.']] },
};

const PEOPLE = [['Ema Dvořáková', '+420601555010'], ['Tunde Okafor', '+447700900118'], [null, '+447700900321'], ['María Ruiz', '+34600000123'], ['Harriet Lindqvist', '+442079460182'], [null, ''], ['J. Hughes', '+447700900456'], [null, '+447700900789']];

const DOCUMENTS = [
  ['Opening hours', 'en', 'live', 'We are open Monday to Friday from 8:00 to 18:00, and on Saturday from 9:00 to 13:00.\n\nWe are closed on Sundays and on public holidays.'],
  ['Getting here and parking', 'en', 'live', 'There are twelve parking places behind the building, free for ninety minutes for patients.\n\nThe number 24 and 46 buses stop at the door. The nearest station is Elm Park, six minutes on foot.'],
  ['Aftercare: lip filler', 'en', 'live', 'Mild swelling for up to seven days is expected.\n\nWhite or blue skin, growing pain or fever is urgent: ring the doctor on duty.'],
  ['Ceník', 'cs', 'live', 'Vyšetření znamének stojí 95 liber. Kontrola po zákroku je zdarma.'],
  ['Precios', 'es', 'draft', 'La revisión de lunares cuesta 95 libras. La revisión tras un tratamiento es gratuita.'],
  ['Summer campaign 2025', 'en', 'retired', 'Ten per cent off laser treatments until the end of August.'],
];

export function seed() {
  const db = { sessions: new Map(), calls: [], turns: [], tasks: [], appointments: [], seq: 5_000 };
  const account = (email, name, role, state = 'active', language = 'en', password = PASSWORD) => ({ id: uuid(), email, name, role, language, state, created_at: ago(60 * 24 * 90), version: 1, password });
  db.accounts = [
    account('admin@lumen.test', 'Ana López', 'ADMIN'), account('supervisor@lumen.test', 'Petr Novák', 'SUPERVISOR', 'active', 'en'), account('agent@lumen.test', 'Jo Hughes', 'AGENT'),
    account('invited@lumen.test', 'Mia Sørensen', 'AGENT', 'invited', 'en', 'amber-otter-quietly-seven'), account('leaver@lumen.test', 'Luca Ferrari', 'AGENT', 'disabled'),
  ];
  const link = 'ab'.repeat(32);
  const admin = { kind: 'account', id: db.accounts[0].id, role: 'ADMIN' };
  const entry = (actor, action, object, id, reason = null) => ({ actor, action, object, id, reason, cause: uuid(), prev: link });
  db.audit = [
    entry(admin, 'audit.read', 'recording', uuid(), 'Complaint of 3 May'), entry(admin, 'account.signed_in', 'account', db.accounts[0].id),
    entry({ kind: 'receptionist', call: uuid() }, 'appointment.changed', 'appointment', uuid()), entry({ kind: 'system' }, 'call.ended', 'call', uuid()),
    entry({ kind: 'caller', call: uuid() }, 'conversation.turn', 'transcript', uuid()), entry({ kind: 'console' }, 'account.changed', 'account', db.accounts[2].id),
  ].map((one, index, all) => ({ ...one, seq: all.length - index, at: ago(3 * (index + 1)) }));
  const backup = (days) => ({ name: `auricle-${ago(days * 24 * 60).slice(0, 19).replace(/[-:]/g, '')}Z.backup`, at: ago(days * 24 * 60), bytes: 1_480_000_000 + days * 7_300_000, missing: 0 });
  db.backups = [0.3, 1.3, 2.3, 3.3].map(backup);
  db.storage = {
    disk: { room: 'enough', free_bytes: 182_400_000_000, low_water_bytes: 1 << 30 },
    backup: { directory: '/media/backups', every_hours: 24, keep: 14, has_passphrase: true, last: db.backups[0], lost: [], next_at: ago(-17 * 60), making: null, failed: null },
    search: { state: 'current', done: 48_200, of: 48_200, complete: true, failed: null },
  };
  const week = [1, 2, 3, 4, 5].map((weekday) => ({ weekday, from_minute: 480, to_minute: 1080 }));
  db.clinic = { id: uuid(), name: 'Lumen Skin Clinic', country: 'GB', zone: 'Europe/London', languages: ['en', 'es', 'cs'], hours: { open: [...week, { weekday: 6, from_minute: 540, to_minute: 780 }] }, record_calls: true, receptionist: 'Sarah', access_reasons: 'off', version: 1 };
  db.documents = DOCUMENTS.map(([name, language, state, content], index) => ({ id: uuid(), name, namespace: 'general', language, state, content, content_chars: content.length, passages: content.split('\n\n').length, content_sha256: '', created_at: ago(9_000 + index), updated_at: ago(3_000 * (index + 1)), version: 1 }));
  db.contacts = PEOPLE.filter(([name]) => name).map(([name, number]) => ({ id: uuid(), name, numbers: number ? [number] : [], emails: [], language: null, notes: name.startsWith('Ema') ? 'Prefers mornings.\nAllergic to lidocaine.' : '', created_at: ago(9_000), version: 1 }));
  const trunk = (name, more, state, rest = {}) => ({ id: uuid(), name, server: 'sip.example.net', transport: 'udp', domain: '', user: '4420794601', auth_user: '', has_password: true, registers: true, expires_s: 300, sources: [], realms: [], srtp: 'optional', identity: 'none', refers: false, advertise: '', is_on: state !== 'off', status: { state, since: ago(4_000), fault: null, sip_status: null, server: '192.0.2.7:5060', ...rest }, created_at: ago(9_000), version: 1, ...more });
  db.trunks = [
    trunk('Main number', {}, 'up'), trunk('Second provider', { server: 'voice.example.org:5061', transport: 'tls' }, 'degraded', { server: '198.51.100.4:5061' }),
    trunk('Old provider', { server: 'sip.example.com', transport: 'tcp' }, 'down', { fault: 'wrong_password', sip_status: 403, server: null }), trunk('Fax line', { registers: false, user: '', has_password: false }, 'off'),
  ];
  const phone = (label, extension, places, more = {}) => ({ id: uuid(), label, extension, account: null, user: `k${extension}m2x7q`, srtp: 'optional', is_on: true, status: { state: places.length > 0 ? 'registered' : 'away', since: ago(4_000), places }, created_at: ago(9_000), version: 1, ...more });
  const place = (address, transport, agent, answers = true) => ({ address, transport, agent, answers });
  db.phones = [
    phone('Front desk', '201', [place('192.168.1.31:5060', 'udp', 'Yealink SIP-T46U 108.86.0.90')]), phone('Dr Weiss', '202', [place('192.168.1.32:5061', 'tls', 'snom370/8.7.5.35'), place('192.168.1.77:40112', 'tcp', 'baresip v1.0.0 (x86_64/linux)', false)]),
    phone('Laser room', '203', []), phone('Old nurse phone', '209', [], { is_on: false, status: { state: 'off', since: ago(8_000), places: [] } }),
  ];
  db.music = { own: null };
  db.bans = [{ source: '203.0.113.77', until: new Date(Date.now() + 41.5 * 60_000).toISOString() }, { source: '2001:db8:7::1', until: new Date(Date.now() + 29.5 * 60_000).toISOString() }];
  db.telnyx = { is_set_up: true, application: 'Auricle', public_keys: ['6kpsY+Kcuga6PfGwzx9d0wHgGGb4XQ2gFNxNQXHrVfo='], sources: [], machine_detection: 'off', trunk: '61757269-636c-8063-8000-000000000002', webhook_url: 'https://desk.lumen.test/api/webhooks/telnyx/calls', version: 1 };
  db.telnyxNumbers = [{ id: '1293384261075731499', number: '+442079460133', is_connected: true, goes_to: null }, { id: '1293384261075731500', number: '+442079460144', is_connected: false, goes_to: 'The old system' }];
  db.twilio = { is_set_up: true, account_sid: 'AC0123456789abcdef0123456789abcdef', account_name: 'Lumen Skin Clinic', has_second_token: false, sources: [], machine_detection: 'off', text_number: '', trunk: '61757269-636c-8063-8000-000000000001', voice_url: 'https://desk.lumen.test/api/webhooks/twilio/voice', version: 1 };
  const numbered = (sid, number, name, goes_to, has_voice = true) => ({ sid: `PN${sid.padStart(32, '0')}`, number, name, has_voice, is_connected: goes_to === null, goes_to });
  db.numbers = [numbered('1', '+442079460100', 'Main number', null), numbered('2', '+442079460111', 'Night number', 'url'), numbered('3', '+442079460122', 'Old desk', 'trunk'), numbered('4', '+447700900555', 'Text messages', 'nowhere', false)];
  db.outbound = { is_on: false, countries: ['GB'], denied: [], permitted: [], calls_max: 4, minutes_max: 60, hour_calls_max: 60, account_hour_calls_max: 30, day_money_max: 2000, currency: 'GBP', prices: [], minute_price_unknown: 100, night: null, routes: [], trunks: [], is_recorded: false, version: 0 };
  db.dialling = { is_on: true, usual: '+442079460100', numbers: ['+442079460100', '+442079460111'], may_withhold: true, emergency: ['999', '112', '911'] };
  db.services = [['Skin check', 20, 'Dr Weiss'], ['Follow-up', 20, 'Dr Weiss'], ['Laser treatment', 40, 'Laser room'], ['Nurse visit', 15, 'Nurse Kaur']].map(([name, duration_min, resource]) => ({ id: uuid(), name, aliases: [], duration_min, resource, hours: week, lead_min: 60, active: true, version: 1 }));
  db.blank = () => ({
    id: uuid(), direction: 'incoming', outgoing: [], agent_name: null, from_number: '+447700900321', to_number: '+442079460100', identity: { diverted_from: null, check: null, level: null }, status: 'with_receptionist', created_at: new Date().toISOString(), answered_at: new Date().toISOString(), ended_at: null, cause: null, outcome: null, language: 'en', agent: null, contact: null,
    conversation: uuid(), recording: { state: 'recording', rate_hz: 8000, length_ms: 0, offset_ms: 0, gap_ms: 0, sha256: null, channels: 3, masked: [] }, emergency: false, quality: { answer_ms: 31, packets_received: 4120, packets_lost: 6, jitter_ms: 2.4, mos: 4.2, one_way: false, staff: [], reply_ms: 640 }, version: 1, contact_name: null, staff_names: [], duration_ms: 0, last_words: '',
  });

  const stories = Object.keys(STORIES);
  for (let n = 0; n < 130; n += 1) past(db, STORIES[stories[n % stories.length]], PEOPLE[(n * 5) % PEOPLE.length], 14 + n * 37, n);
  // Staff called one of them back.
  const back = db.calls.filter((call) => call.outcome === 'message_taken')[3];
  Object.assign(back, { direction: 'outgoing', to_number: back.from_number, from_number: '201', outcome: null, cause: 'called_hung_up', agent: db.accounts[0].id, agent_name: db.accounts[0].name, outgoing: [{ number: back.from_number, placed_at: back.created_at, answered_at: back.answered_at, ended_at: back.ended_at, by: db.accounts[0].id, trunk: uuid(), caller_id: '+442079460100', is_withheld: false, is_emergency: false, minute_price: 2, minutes_max: 60, cost: 4, currency: 'GBP' }] });
  live(db, STORIES.hours, PEOPLE[2], 3, 31);
  live(db, STORIES.booking, PEOPLE[3], 5, 116);
  diary(db);
  return db;
}

function speak(db, call, story, count) {
  let at = 400;
  story.turns.slice(0, count).forEach(([who, text, more = {}], index) => {
    const length = text.length * 62;
    const parts = text.split(' ');
    const words = who === 'c' ? parts.map((part, place) => ({ text: part.toLowerCase().replace(/[^\p{L}\p{N}']/gu, ''), start_ms: Math.round(at + (length * place) / parts.length), end_ms: Math.round(at + (length * (place + 0.9)) / parts.length) })) : [];
    const cited = db.documents.find((one) => one.name === more.cite);
    db.turns.push({
      conversation: call.conversation, call: call.id, index, speaker: who === 'c' ? 'caller' : 'receptionist', text, language: call.language, start_ms: at, end_ms: at + length, heard: more.partly ? 'partly' : 'full', words,
      citations: cited ? [{ document: cited.id, name: cited.name, passage: uuid() }] : [], tools: [...(cited ? [{ name: 'answer_from_knowledge', ok: true, result: 'found' }] : []), ...(more.tool ? [{ name: more.tool[0], ok: more.tool[1], result: more.tool[2] }] : [])], reply_ms: who === 'r' ? 640 : null, engine: who === 'c' ? 'pocketsphinx' : 'local',
    });
    at += length + (more.partly ? 100 : 700);
  });
  return at;
}

function past(db, story, [name, number], minutes, n) {
  const call = { ...db.blank(), id: uuid(), contact_name: name, from_number: number, created_at: ago(minutes), answered_at: ago(minutes), status: 'ended', outcome: story.outcome, emergency: story.outcome === 'emergency', language: story.language ?? 'en', cause: n % 4 ? 'caller_hung_up' : 'clinic_hung_up' };
  call.conversation = uuid();
  const length = speak(db, call, story, 99);
  Object.assign(call, { duration_ms: length, ended_at: new Date(Date.parse(call.answered_at) + length).toISOString(), last_words: story.turns.at(-1)[1] });
  if (n % 3 === 0) call.identity = { diverted_from: '+442079460177', check: 'passed', level: 'A' };
  call.recording = { state: 'stopped', rate_hz: 8000, length_ms: length, offset_ms: 0, gap_ms: 0, sha256: 'a1', channels: 3, masked: [] };
  db.calls.push(call);
  const due = ago(minutes - 240);
  const task = { id: uuid(), state: n > 40 ? 'done' : 'open', name: name ?? '', number, call: call.id, contact: null, owner: null, created_at: call.created_at, due_at: due, version: 1 };
  if (story.outcome === 'message_taken') db.tasks.push({ ...task, kind: 'message', text: 'Could somebody ring me about my last invoice? It is a hundred pounds too high.' });
  if (story.outcome === 'emergency') db.tasks.push({ ...task, kind: 'emergency', text: '' });
}

function live(db, story, [name, number], count, seconds) {
  const call = { ...db.blank(), contact_name: name, from_number: number, created_at: ago(seconds / 60), answered_at: ago(seconds / 60) };
  speak(db, call, story, count);
  db.calls.unshift(call);
}

function diary(db) {
  const monday = new Date();
  monday.setUTCHours(0, 0, 0, 0);
  monday.setUTCDate(monday.getUTCDate() - ((monday.getUTCDay() + 6) % 7));
  const booked = db.calls.filter((call) => call.outcome === 'booked');
  for (let n = 0; n < 46; n += 1) {
    const service = db.services[n % db.services.length];
    const start = new Date(monday.getTime() + (n % 5) * 86_400_000 + (8 * 60 + ((n * 7) % 24) * 20 + (n % 2) * 40) * 60_000);
    const end = new Date(start.getTime() + service.duration_min * 60_000);
    if (db.appointments.some((one) => one.resource === service.resource && one.start < end.toISOString() && one.end > start.toISOString())) continue;
    const voice = n % 3 === 0 ? booked[n % booked.length] : null;
    const [name, number] = PEOPLE[(n * 3) % PEOPLE.length];
    db.appointments.push({
      id: uuid(), service: service.id, service_name: service.name, resource: service.resource, start: start.toISOString(), end: end.toISOString(), status: n % 11 === 4 ? 'cancelled' : n % 13 === 6 ? 'proposed' : end < new Date() ? 'fulfilled' : 'booked',
      held_until: null, contact: null, patient_name: name ?? 'K. Adeyemi', patient_number: number, call: voice?.id ?? null, conversation: voice?.conversation ?? null, cancel_reason: null, created_at: ago(4_000), version: 1,
    });
  }
}
