// A simulator of the server for the browser tests: same API, same socket, plus levers under /__fake that the
// real one does not have (dropping connections, a gap in the feed, time passing, an expired session).
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { WebSocketServer } from 'ws';
import { seed, uuid } from './seed.mjs';
import { waveform, wav } from './sound.mjs';

const BUILD = new URL('../../build/', import.meta.url).pathname;
const PHONE_SERVER = { host: '203.0.113.7', host_inside: '192.168.1.10', port: 5060, tls_port: 5061, tls_fingerprint: '3A:7F:09:C4:5E:12:B8:6D:90:41:EE:27:5B:F3:0C:88:D1:64:AF:39:72:C6:1B:95:E0:4D:83:2F:B7:5A:16:CC' };
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.json': 'application/json', '.webmanifest': 'application/manifest+json' };
/** As strict as the real one: nothing inline, nothing from elsewhere. */
const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

export function start(port = 0) {
  const db = seed();
  const sockets = new Set();
  const state = { db, events: [], seq: db.seq, oldest: 1, refuse: false, failures: 0, slow: 0, reasons: new Map() };

  const emit = (type, fields, actor = { kind: 'system' }) => {
    state.seq += 1;
    const envelope = { seq: state.seq, at: new Date().toISOString(), tenant: db.clinic.id, actor, cause: uuid(), type, ...fields };
    state.events.push(envelope);
    for (const socket of sockets) if (socket.following) socket.send(JSON.stringify({ type: 'event', envelope }));
  };
  const liveCalls = () => db.calls.filter((call) => call.status !== 'ended').map((call) => {
    const turn = db.turns.filter((one) => one.call === call.id).at(-1);
    return {
      call: call.id, direction: call.direction, from_number: call.from_number, to_number: call.to_number, agent: call.agent, name: call.contact_name, status: call.status, language: call.language, created_at: call.created_at, answered_at: call.answered_at,
      emergency: call.emergency, last_speaker: call.partial?.speaker ?? turn?.speaker ?? null, last_words: call.partial?.text ?? turn?.text ?? '', stations: call.stations ?? [], participants: call.participants ?? [], masked_until: call.masked_until ?? null, asked: call.asked ?? null, unheard: call.unheard ?? null,
    };
  });
  const pushCalls = () => sockets.forEach((socket) => socket.send(JSON.stringify({ type: 'calls', items: liveCalls() })));
  const pushLive = (live) => sockets.forEach((socket) => socket.send(JSON.stringify({ type: 'live', live })));

  const routes = api({ db, state, emit, pushCalls });
  const server = createServer((request, response) => {
    handle(request, response).catch((error) => {
      console.error(error);
      response.writeHead(500).end();
    });
  });

  async function handle(request, response) {
    const url = new URL(request.url, 'http://fake');
    if (state.refuse) return request.socket.destroy();
    const body = await read(request);
    if (url.pathname.startsWith('/__fake/')) return lever(url, body, response);
    if (!url.pathname.startsWith('/api/')) return file(url.pathname, response);
    if (state.slow) await new Promise((resolve) => setTimeout(resolve, state.slow));
    return routes(request, response, url, body);
  }

  function lever(url, body, response) {
    const levers = {
      refuse: () => { state.refuse = true; for (const socket of sockets) socket.terminate(); setTimeout(() => (state.refuse = false), Number(url.searchParams.get('ms') ?? 3000)); },
      drop: () => { for (const socket of sockets) socket.terminate(); },
      gap: () => { state.oldest = state.seq + 1; for (const socket of sockets) socket.terminate(); },
      expire: () => { db.sessions.clear(); },
      turn: () => { const turn = { ...blankTurn(), ...JSON.parse(body) }; const call = db.calls.find((one) => one.id === turn.call); turn.index = db.turns.filter((one) => one.call === turn.call).length; turn.conversation = call.conversation; db.turns.push(turn); delete call.partial; emit('conversation.turn', { turn }); pushCalls(); },
      partial: () => { const live = JSON.parse(body); db.calls.find((one) => one.id === live.call).partial = live; pushLive({ type: 'call.partial', ...live }); pushCalls(); },
      level: () => pushLive({ type: 'call.level', ...JSON.parse(body) }),
      ring: () => { const call = { ...db.blank(), ...JSON.parse(body || '{}') }; db.calls.unshift(call); emit('call.arrived', { call: call.id, conversation: call.conversation, from_number: call.from_number, to_number: call.to_number }); pushCalls(); response.setHeader('x-call', call.id); },
      station: () => { const { call: id, ...change } = JSON.parse(body); Object.assign(db.calls.find((one) => one.id === id), change); pushCalls(); },
      end: () => { const { call: id, outcome } = JSON.parse(body); const call = db.calls.find((one) => one.id === id); end(call, outcome); },
    };
    levers[url.pathname.slice(8)]?.();
    response.writeHead(204).end();
  }

  function end(call, outcome, cause = 'caller_hung_up') {
    Object.assign(call, { status: 'ended', ended_at: new Date().toISOString(), cause, outcome: outcome ?? null, version: call.version + 1 });
    call.duration_ms = Date.parse(call.ended_at) - Date.parse(call.answered_at ?? call.ended_at);
    Object.assign(call.recording, { state: 'stopped', rate_hz: 8000, length_ms: Math.min(call.duration_ms, 60_000) });
    if (outcome) emit('call.outcome', { call: call.id, outcome });
    emit('call.ended', { call: call.id, end: cause });
    pushCalls();
  }
  state.end = end;

  const upgrades = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request, socket, head) => {
    if (state.refuse || request.url !== '/ws' || !account(db, request)) return socket.end('HTTP/1.1 401 Unauthorized\r\n\r\n');
    upgrades.handleUpgrade(request, socket, head, (client) => {
      sockets.add(client);
      client.send(JSON.stringify({ type: 'hello', seq: state.seq, at: new Date().toISOString(), version: '0.1.0' }));
      client.send(JSON.stringify({ type: 'calls', items: liveCalls() }));
      client.on('close', () => sockets.delete(client));
      client.on('message', (text) => {
        const message = JSON.parse(String(text));
        if (message.type !== 'subscribe') return;
        if (message.since !== null && (message.since > state.seq || message.since + 1 < state.oldest)) return client.send(JSON.stringify({ type: 'gap', head: state.seq, oldest: state.oldest }));
        client.following = true;
        for (const envelope of state.events) if (envelope.seq > (message.since ?? state.seq)) client.send(JSON.stringify({ type: 'event', envelope }));
      });
    });
  });

  return new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve({
    url: `http://127.0.0.1:${server.address().port}`, state,
    stop: () => { for (const socket of sockets) socket.terminate(); server.closeAllConnections(); server.close(); },
  })));
}

const blankTurn = () => ({ speaker: 'caller', language: 'en', start_ms: 0, end_ms: 0, heard: 'full', words: [], citations: [], tools: [], reply_ms: null, engine: 'local' });

function read(request) {
  return new Promise((resolve, reject) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk)).on('end', () => resolve(Buffer.concat(chunks).toString())).on('error', reject);
  });
}

function file(path, response) {
  const wanted = join(BUILD, normalize(path));
  const found = wanted.startsWith(BUILD) && extname(wanted) && existsSync(wanted) ? wanted : join(BUILD, 'index.html');
  response.writeHead(200, { 'content-type': TYPES[extname(found)] ?? 'application/octet-stream', 'content-security-policy': CSP, 'x-content-type-options': 'nosniff' });
  response.end(readFileSync(found));
}

function account(db, request) {
  const token = /auricle=([0-9a-f-]+)/.exec(request.headers.cookie ?? '')?.[1];
  return token ? db.accounts.find((one) => one.id === db.sessions.get(token)) : undefined;
}

function api({ db, state, emit, pushCalls }) {
  const view = ({ password: _, ...rest }) => ({ ...rest, must_change_password: rest.state === 'invited' });
  const found = (list, id) => list.find((one) => one.id === id) ?? fail(404, 'not_found', 'There is no such record');
  const fail = (status, code, detail, errors = [], headers = {}) => { throw { problem: { type: 'about:blank', title: code, status, detail, code, errors, request_id: uuid() }, headers }; };
  const page = (items, query) => {
    const limit = Math.min(100, Number(query.get('limit') ?? 50));
    const from = query.get('after') ? items.findIndex((one) => (one.id ?? one.seq) === query.get('after')) + 1 : 0;
    const slice = items.slice(from, from + limit);
    return { items: slice, next: from + limit < items.length ? slice.at(-1).id : null };
  };
  const fresh = (record, request) => {
    const match = request.headers['if-match'];
    if (!match) fail(400, 'version_required', 'If-Match is missing');
    if (match !== `"${record.version}"`) fail(412, 'stale', 'It has changed in the meantime');
  };
  const between = (at, query) => (!query.get('from') || at >= query.get('from')) && (!query.get('to') || at < query.get('to'));

  /** Refuses a reading of a past call without a reason, as the clinic is set. */
  const asks = (id, request, ...settings) => {
    const given = /^UTF-8''(.+)/.exec(request.headers['access-reason'] ?? '')?.[1];
    if (given) state.reasons.set(id, decodeURIComponent(given));
    if (settings.includes(db.clinic.access_reasons) && found(db.calls, id).status === 'ended' && !state.reasons.has(id)) fail(428, 'reason_required', 'Say why');
  };

  const table = {
    'POST /api/auth/login': ({ body, response }) => {
      const who = db.accounts.find((one) => one.email === body.email);
      if (state.failures >= 10) fail(429, 'locked', 'Locked', [], { 'retry-after': '900' });
      if (!who || who.password !== body.password || who.state === 'disabled') { state.failures += 1; fail(401, 'wrong_password', 'E-mail or password is wrong'); }
      state.failures = 0;
      const token = uuid();
      db.sessions.set(token, who.id);
      response.setHeader('set-cookie', `auricle=${token}; HttpOnly; SameSite=Strict; Path=/`);
      return { account: view(who) };
    },
    'POST /api/auth/logout': ({ request }) => { db.sessions.delete(/auricle=([0-9a-f-]+)/.exec(request.headers.cookie ?? '')?.[1]); return null; },
    'GET /api/auth/me': ({ who }) => view(who),
    'PATCH /api/auth/me': ({ who, body }) => {
      if (body.new_password) {
        if (body.current_password !== who.password) fail(400, 'invalid', 'Not acceptable', [{ field: 'current_password', code: 'wrong', detail: 'is not the present password' }]);
        if (body.new_password.length < 12) fail(400, 'invalid', 'Not acceptable', [{ field: 'new_password', code: 'too_short', detail: 'at least 12' }]);
        who.password = body.new_password;
        who.state = 'active';
      }
      if (body.language) who.language = body.language;
      if (body.name) who.name = body.name;
      who.version += 1;
      return view(who);
    },
    'GET /api/calls': ({ query }) => page(db.calls.filter((one) => (!query.get('status') || one.status === query.get('status')) && (!query.get('outcome') || one.outcome === query.get('outcome')) && between(one.created_at, query)), query),
    'GET /api/calls/stats': () => {
      const today = db.calls.filter((one) => one.created_at.slice(0, 10) === new Date().toISOString().slice(0, 10));
      const count = (outcome) => today.filter((one) => one.outcome === outcome).length;
      return { today: { calls: today.length, answered: today.length, answered_question: count('answered_question'), booked: count('booked'), message_taken: count('message_taken'), emergency: count('emergency'), abandoned: count('abandoned') }, live: 0, cached_at: new Date().toISOString() };
    },
    'GET /api/calls/:id': ({ id }) => { const call = found(db.calls, id); return { ...call, last_words: db.turns.filter((one) => one.call === id).at(-1)?.text ?? '' }; },
    'GET /api/calls/:id/turns': ({ id, request }) => asks(id, request, 'all') ?? ({ items: db.turns.filter((one) => one.call === id) }),
    'GET /api/calls/:id/tasks': ({ id }) => ({ items: db.tasks.filter((one) => one.call === id) }),
    'GET /api/calls/:id/texts': ({ id }) => ({ items: (db.texts ?? []).filter((one) => one.call === id) }),
    'GET /api/calls/:id/appointments': ({ id }) => ({ items: db.appointments.filter((one) => one.call === id) }),
    'GET /api/calls/:id/waveform': ({ id, query }) => waveform(db, found(db.calls, id), Number(query.get('points') ?? 600)),
    'GET /api/calls/:id/recording': ({ id, request, response }) => { asks(id, request, 'all', 'recordings'); sound(request, response, wav(db, found(db.calls, id))); return undefined; },
    'POST /api/softphone/session': () => ({ sdp: 'v=0', resumed: false }),
    'GET /api/softphone/session': () => ({ call: null }),
    'DELETE /api/softphone/session': ({ response }) => { response.statusCode = 204; return null; },
    'GET /api/calls/dialling': () => db.dialling,
    'POST /api/calls': ({ who, body }) => {
      if (body.caller_id && !db.dialling.numbers.includes(body.caller_id)) fail(409, 'outbound_refused', 'Refused by a rule', [{ field: 'number', code: 'caller_id', detail: 'caller_id' }]);
      if (body.phone_number.startsWith('0900')) fail(409, 'outbound_refused', 'Refused by a rule', [{ field: 'number', code: 'premium', detail: 'premium' }]);
      const emergency = db.dialling.emergency.includes(body.phone_number);
      const busy = db.calls.find((call) => call.status !== 'ended' && call.stations?.some((one) => one.account === who.id && !one.is_ringing));
      if (busy && (!emergency || busy.emergency)) fail(409, 'conflict', 'Your softphone is in a call');
      if (busy?.direction === 'incoming') Object.assign(busy, { status: 'with_receptionist', agent: null, stations: [] });
      else if (busy) state.end(busy, null, 'clinic_hung_up');
      const call = { ...db.blank(), id: uuid(), direction: 'outgoing', status: 'ringing', from_number: '201', to_number: body.phone_number, agent: who.id, contact_name: null, created_at: new Date().toISOString(), answered_at: null, emergency, stations: [seat(who)] };
      db.calls.unshift(call);
      pushCalls();
      return { id: call.id, status: 'queued' };
    },
    'POST /api/calls/:id/answer': ({ id, who }) => handle(id, (call) => Object.assign(call, { status: 'with_agent', agent: who.id, stations: [seat(who)] })),
    'POST /api/calls/:id/decline': ({ id }) => handle(id, (call) => Object.assign(call, { stations: [] })),
    'POST /api/calls/:id/mute': ({ id }) => handle(id, (call) => (call.stations[0].is_muted = true)),
    'POST /api/calls/:id/unmute': ({ id }) => handle(id, (call) => (call.stations[0].is_muted = false)),
    'POST /api/calls/:id/mask': ({ id }) => handle(id, (call) => (call.masked_until = new Date(Date.now() + 180_000).toISOString())),
    'POST /api/calls/:id/unmask': ({ id }) => handle(id, (call) => (call.masked_until = null)),
    'POST /api/calls/:id/hold': ({ id }) => handle(id, (call) => (call.status = 'on_hold')),
    'POST /api/calls/:id/resume': ({ id }) => handle(id, (call) => Object.assign(call, { status: 'with_agent', asked: null })),
    'POST /api/calls/:id/transfer': ({ id, body }) => handle(id, (call) => Object.assign(call, body.attended ? { status: 'on_hold', asked: 'ringing' } : { stations: [] })),
    'POST /api/calls/:id/hangup': ({ id, who }) => { const call = found(db.calls, id); const own = call.participants?.find((one) => one.account === who.id); if (own) return handle(id, () => Object.assign(call, { participants: call.participants.filter((one) => one !== own), stations: [] })); if (call.stations?.length && !call.asked) { state.end(call, null, 'clinic_hung_up'); return null; } if (call.asked) return handle(id, () => Object.assign(call, { asked: null, stations: [] })); if (who.role === 'AGENT') fail(403, 'forbidden', 'no'); state.end(found(db.calls, id), 'abandoned', 'clinic_hung_up'); return null; },
    'POST /api/calls/:id/conference': ({ id }) => handle(id, (call) => { Object.assign(call, { status: 'with_agent', asked: null }); participant(call, { shown: '202', part: 'talk' }); }),
    'POST /api/calls/:id/participants/:number/hangup': ({ id, number }) => handle(id, (call) => (call.participants = call.participants.filter((one) => one.number !== number))),
    'POST /api/supervisor/monitor/:id': ({ id, who }) => handle(id, (call) => supervises(call, who, 'listen')),
    'POST /api/supervisor/whisper/:id': ({ id, who }) => handle(id, (call) => supervises(call, who, 'whisper')),
    'POST /api/supervisor/barge/:id': ({ id, who }) => handle(id, (call) => supervises(call, who, 'talk')),
    'POST /api/supervisor/takeover/:id': ({ id, who }) => handle(id, (call) => Object.assign(call, { status: 'with_agent', agent: who.id, participants: [], stations: [seat(who)] })),
    'GET /api/storage': () => db.storage,
    'GET /api/backups': () => ({ items: db.backups }),
    'POST /api/backups': ({ response }) => { db.storage.backup.making = { rows: 0, blobs: 0, verifying: false }; response.statusCode = 202; return db.storage.backup; },
    'POST /api/search/rebuild': ({ response }) => { db.storage.search = { ...db.storage.search, state: 'rebuilding', done: 0 }; response.statusCode = 202; return db.storage.search; },
    'GET /api/clinic': () => db.clinic,
    'PUT /api/clinic': ({ request, body }) => { fresh(db.clinic, request); if (!body.name?.trim()) fail(400, 'invalid', 'Not acceptable', [{ field: 'name', code: 'required', detail: 'name is empty' }]); Object.assign(db.clinic, body, { version: db.clinic.version + 1 }); emit('clinic.changed', { version: db.clinic.version }); return db.clinic; },
    'GET /api/tasks': ({ query }) => page(db.tasks.filter((one) => !query.get('state') || one.state === query.get('state')), query),
    'PATCH /api/tasks/:id': ({ id, request, body, who }) => { const task = found(db.tasks, id); fresh(task, request); Object.assign(task, { state: body.state, owner: body.state === 'taken' ? who.id : task.owner, version: task.version + 1 }); emit('task.changed', { task: id, kind: task.kind, state: task.state }); return task; },
    'GET /api/knowledge-base': ({ query }) => page(db.documents.map(({ content: _, ...rest }) => rest), query),
    'POST /api/knowledge-base': ({ body, response }) => { const document = write({ id: uuid(), created_at: new Date().toISOString(), version: 0 }, body); db.documents.unshift(document); response.statusCode = 201; return document; },
    'POST /api/knowledge-base/import': ({ query, text, response }) => { const document = write({ id: uuid(), created_at: new Date().toISOString(), version: 0 }, { name: query.get('name'), content: text, language: query.get('language') }); db.documents.unshift(document); response.statusCode = 201; return document; },
    'GET /api/knowledge-base/search': ({ query }) => ({ items: passages(query.get('q') ?? '', query.get('language')).slice(0, Number(query.get('limit') ?? 5)) }),
    'GET /api/knowledge-base/:id': ({ id }) => found(db.documents, id),
    'PUT /api/knowledge-base/:id': ({ id, request, body }) => { const document = found(db.documents, id); fresh(document, request); return write(document, body); },
    'DELETE /api/knowledge-base/:id': ({ id, request }) => { fresh(found(db.documents, id), request); db.documents = db.documents.filter((one) => one.id !== id); emit('knowledge.removed', { document: id }); return null; },
    'GET /api/services': () => ({ items: db.services }),
    'POST /api/services': ({ body, response }) => { const service = { id: uuid(), aliases: [], hours: [], lead_min: 60, active: true, version: 1, ...body }; db.services.push(service); response.statusCode = 201; return service; },
    'PUT /api/services/:id': ({ id, request, body }) => { const service = found(db.services, id); fresh(service, request); return Object.assign(service, body, { version: service.version + 1 }); },
    'GET /api/slots': ({ query }) => ({ items: slots(query).slice(0, Number(query.get('limit') ?? 20)) }),
    'GET /api/appointments': ({ query }) => page(db.appointments.filter((one) => between(one.start, query) && (!query.get('status') || one.status === query.get('status'))).sort((a, b) => a.start.localeCompare(b.start)), query),
    'POST /api/appointments': ({ body, response }) => {
      const service = found(db.services, body.service);
      if (!body.patient_name?.trim()) fail(400, 'invalid', 'Not acceptable', [{ field: 'patient_name', code: 'required', detail: 'empty' }]);
      const end = new Date(Date.parse(body.start) + service.duration_min * 60_000).toISOString();
      if (db.appointments.some((one) => one.resource === service.resource && one.status !== 'cancelled' && one.start < end && one.end > body.start)) fail(409, 'slot_taken', 'The slot is taken');
      const appointment = { id: uuid(), service_name: service.name, resource: service.resource, end, status: 'booked', held_until: null, contact: null, call: null, conversation: null, cancel_reason: null, created_at: new Date().toISOString(), version: 1, ...body };
      db.appointments.push(appointment);
      emit('appointment.changed', { appointment: appointment.id, status: 'booked', call: null });
      response.statusCode = 201;
      return appointment;
    },
    'GET /api/appointments/:id': ({ id }) => found(db.appointments, id),
    'PATCH /api/appointments/:id': ({ id, request, body }) => { const appointment = found(db.appointments, id); fresh(appointment, request); Object.assign(appointment, body, { version: appointment.version + 1 }); emit('appointment.changed', { appointment: id, status: appointment.status, call: appointment.call }); return appointment; },
    'GET /api/audit': ({ who, query }) => { if (who.role !== 'ADMIN') fail(403, 'forbidden', 'no'); return page(db.audit, query); },
    'POST /api/audit/verify': ({ who }) => { if (who.role !== 'ADMIN') fail(403, 'forbidden', 'no'); return { entries: db.audit.length, head: { seq: db.audit.length, link: 'ab'.repeat(32) }, broken: db.broken ?? null }; },
    'GET /api/accounts': ({ who, query }) => { if (who.role !== 'ADMIN') fail(403, 'forbidden', 'no'); return page(db.accounts.map(view), query); },
    'POST /api/accounts': ({ body, response }) => {
      if (db.accounts.some((one) => one.email === body.email)) fail(409, 'taken', 'Another account has this e-mail address');
      const account = { id: uuid(), language: 'en', state: 'invited', created_at: new Date().toISOString(), version: 1, ...body, password: 'amber-otter-quietly-seven' };
      db.accounts.unshift(account);
      emit('account.changed', { account: account.id, role: account.role });
      response.statusCode = 201;
      return { account: view(account), one_time_password: account.password };
    },
    'PATCH /api/accounts/:id': ({ id, request, body }) => { const account = found(db.accounts, id); fresh(account, request); Object.assign(account, body, { version: account.version + 1 }); return view(account); },
    'POST /api/accounts/:id/reset-password': ({ id }) => { const account = found(db.accounts, id); Object.assign(account, { state: 'invited', password: 'violet-harbour-gently-nine', version: account.version + 1 }); return { one_time_password: account.password }; },
    'GET /api/trunks': ({ who }) => { if (who.role !== 'ADMIN') fail(403, 'forbidden', 'no'); return db.trunks; },
    'POST /api/trunks': ({ body, response }) => { const trunk = { id: uuid(), created_at: new Date().toISOString(), version: 0, has_password: false }; db.trunks.push(trunk); response.statusCode = 201; return connect(trunk, body); },
    'PUT /api/trunks/:id': ({ id, request, body }) => { const trunk = found(db.trunks, id); fresh(trunk, request); return connect(trunk, body); },
    'DELETE /api/trunks/:id': ({ id, request, response }) => { fresh(found(db.trunks, id), request); db.trunks = db.trunks.filter((one) => one.id !== id); emit('trunk.removed', { trunk: id }); response.statusCode = 204; return null; },
    'GET /api/phones': ({ who }) => { if (who.role !== 'ADMIN') fail(403, 'forbidden', 'no'); return { server: PHONE_SERVER, phones: db.phones }; },
    'GET /api/music': ({ who }) => { if (who.role !== 'ADMIN') fail(403, 'forbidden', 'no'); return db.music; },
    'PUT /api/music': ({ query }) => { if (!query.get('name').endsWith('.wav')) fail(400, 'invalid', 'Not acceptable', [{ field: 'file', code: 'not_wav', detail: 'not a WAV file' }]); db.music = { own: { name: query.get('name'), length_ms: 93_000, content_sha256: '00', created_at: new Date().toISOString() } }; emit('music.changed', {}); return db.music; },
    'DELETE /api/music': ({ response }) => { db.music = { own: null }; emit('music.removed', {}); response.statusCode = 204; return null; },
    'GET /api/phones/bans': ({ who }) => { if (who.role !== 'ADMIN') fail(403, 'forbidden', 'no'); return { items: db.bans }; },
    'DELETE /api/phones/bans/:id': ({ id, response }) => { const source = decodeURIComponent(id); db.bans = db.bans.filter((one) => one.source !== source); emit('phone.source_heard', { source }); response.statusCode = 204; return null; },
    'POST /api/phones': ({ body, response }) => {
      if (db.phones.some((one) => one.extension === body.extension)) fail(400, 'invalid', 'Not acceptable', [{ field: 'extension', code: 'taken', detail: 'taken' }]);
      const phone = { id: uuid(), ...body, user: 'h7kq2m9z', status: { state: 'away', since: new Date().toISOString(), places: [] }, created_at: new Date().toISOString(), version: 1 };
      db.phones.push(phone);
      setTimeout(() => {
        phone.status = { state: 'registered', since: new Date().toISOString(), places: [{ address: '192.168.1.40:5060', transport: 'udp', agent: 'Grandstream GRP2612 1.0.9.63', answers: true }] };
        emit('phone.state', { phone: phone.id, state: 'registered' });
      }, 700);
      response.statusCode = 201;
      return { phone, password: '7wq4m2kp9xz3hb6tn8rd5vc2jy', server: PHONE_SERVER };
    },
    'PUT /api/phones/:id': ({ id, request, body }) => { const phone = found(db.phones, id); fresh(phone, request); Object.assign(phone, body, { version: phone.version + 1 }); emit('phone.changed', { phone: id }); return phone; },
    'POST /api/phones/:id/password': ({ id, request }) => {
      const phone = found(db.phones, id); fresh(phone, request);
      Object.assign(phone, { user: 'n3vt8c4w', version: phone.version + 1, status: { state: 'away', since: new Date().toISOString(), places: [] } });
      emit('phone.password', { phone: id });
      return { phone, password: 'x2hd8n4wq7zk3mt9pb6rv5cj2y', server: PHONE_SERVER };
    },
    'DELETE /api/phones/:id': ({ id, request, response }) => { fresh(found(db.phones, id), request); db.phones = db.phones.filter((one) => one.id !== id); emit('phone.removed', { phone: id }); response.statusCode = 204; return null; },
    'GET /api/carriers/twilio': ({ who }) => { if (who.role !== 'ADMIN') fail(403, 'forbidden', 'no'); return db.twilio; },
    'PUT /api/carriers/twilio': ({ request, body }) => {
      fresh(db.twilio, request);
      if (!/^AC[0-9a-f]{32}$/.test(body.account_sid)) fail(400, 'invalid', 'Not acceptable', [{ field: 'account_sid', code: 'format', detail: 'AC and 32 digits' }]);
      if (body.auth_token === 'wrong') fail(400, 'invalid', 'Not acceptable', [{ field: 'auth_token', code: 'refused', detail: 'Twilio does not accept it' }]);
      if (body.auth_token === 'down') fail(503, 'carrier_silent', 'Twilio does not answer');
      Object.assign(db.twilio, { is_set_up: true, account_sid: body.account_sid, account_name: 'Lumen Skin Clinic', has_second_token: body.second_token ? true : body.second_token === '' ? false : db.twilio.has_second_token, sources: body.sources, machine_detection: body.machine_detection ?? 'off', text_number: body.text_number ?? '', version: db.twilio.version + 1 });
      emit('carrier.changed', { carrier: 'twilio' });
      return db.twilio;
    },
    'DELETE /api/carriers/twilio': ({ request, response }) => { fresh(db.twilio, request); Object.assign(db.twilio, { is_set_up: false, account_sid: '', account_name: '', has_second_token: false, sources: [], version: 0 }); emit('carrier.removed', { carrier: 'twilio' }); response.statusCode = 204; return null; },
    'GET /api/carriers/twilio/numbers': () => db.numbers,
    'POST /api/carriers/twilio/numbers/:id/connect': ({ id }) => { const number = db.numbers.find((one) => one.sid === id); Object.assign(number, { is_connected: true, goes_to: null }); emit('carrier.number', { carrier: 'twilio', number: id }); return number; },
    'GET /api/carriers/telnyx': ({ who }) => { if (who.role !== 'ADMIN') fail(403, 'forbidden', 'no'); return db.telnyx; },
    'PUT /api/carriers/telnyx': ({ request, body }) => {
      fresh(db.telnyx, request);
      if (body.public_keys.some((key) => key.length !== 44)) fail(400, 'invalid', 'Not acceptable', [{ field: 'public_keys[0]', code: 'format', detail: 'as the portal shows it' }]);
      if (body.api_key === 'wrong') fail(400, 'invalid', 'Not acceptable', [{ field: 'api_key', code: 'refused', detail: 'Telnyx does not accept it' }]);
      if (body.api_key === 'down') fail(503, 'carrier_silent', 'Telnyx does not answer');
      Object.assign(db.telnyx, { is_set_up: true, public_keys: body.public_keys, sources: body.sources, machine_detection: body.machine_detection ?? 'off', version: db.telnyx.version + 1 });
      emit('carrier.changed', { carrier: 'telnyx' });
      return db.telnyx;
    },
    'DELETE /api/carriers/telnyx': ({ request, response }) => { fresh(db.telnyx, request); Object.assign(db.telnyx, { is_set_up: false, application: '', public_keys: [], sources: [], version: 0 }); emit('carrier.removed', { carrier: 'telnyx' }); response.statusCode = 204; return null; },
    'GET /api/carriers/telnyx/numbers': () => db.telnyxNumbers,
    'POST /api/carriers/telnyx/numbers/:id/connect': ({ id }) => { const number = db.telnyxNumbers.find((one) => one.id === id); Object.assign(number, { is_connected: true, goes_to: null }); Object.assign(db.telnyx, { application: 'Auricle', version: db.telnyx.version + 1 }); emit('carrier.number', { carrier: 'telnyx', number: id }); return number; },
    'POST /api/carriers/telnyx/numbers/:id/disconnect': ({ id }) => { const number = db.telnyxNumbers.find((one) => one.id === id); Object.assign(number, { is_connected: false, goes_to: null }); emit('carrier.number_released', { carrier: 'telnyx', number: id }); return number; },
    'GET /api/outbound': ({ who }) => { if (who.role !== 'ADMIN') fail(403, 'forbidden', 'no'); return db.outbound; },
    'PUT /api/outbound': ({ request, body }) => {
      fresh(db.outbound, request);
      if (!/^[A-Z]{3}$/.test(body.currency)) fail(400, 'invalid', 'Not acceptable: currency', [{ field: 'currency', code: 'format', detail: 'three capital letters' }]);
      db.outbound = { ...body, version: db.outbound.version + 1 };
      emit('outbound.changed', { version: db.outbound.version });
      return db.outbound;
    },
    'GET /api/contacts': ({ query }) => page(db.contacts, query),
    'GET /api/contacts/:id': ({ id }) => found(db.contacts, id),
    'GET /api/search': ({ query }) => find(query),
  };

  const seat = (who) => ({ account: who.id, is_ringing: false, is_muted: false, part: 'talk', since: new Date().toISOString() });
  /** Somebody comes into a call beside the two whose call it is. */
  const participant = (call, fields) => { call.participants = [...(call.participants ?? []), { number: (call.participants?.at(-1)?.number ?? 0) + 1, account: null, is_ringing: false, since: new Date().toISOString(), ...fields }]; };
  const supervises = (call, who, part) => {
    const present = call.participants?.find((one) => one.account === who.id);
    if (present) present.part = part; else participant(call, { account: who.id, shown: who.name, part });
    call.stations = [{ ...seat(who), part }];
  };
  const handle = (id, change) => { change(found(db.calls, id)); pushCalls(); return null; };

  /** A trunk is being connected for a moment, and then up: unless its server is named after trouble. */
  function connect(trunk, { password, ...body }) {
    if (!/^[\w.:[\]-]+$/.test(body.server)) fail(400, 'invalid', 'Not acceptable', [{ field: 'server', code: 'format', detail: 'a name or an address' }]);
    const state = body.is_on ? 'registering' : 'off';
    const status = { state, since: new Date().toISOString(), fault: null, sip_status: null, server: null };
    Object.assign(trunk, body, { has_password: password ? true : trunk.has_password, version: trunk.version + 1, status });
    emit('trunk.changed', { trunk: trunk.id });
    setTimeout(() => {
      if (!body.is_on) return;
      const down = body.server.startsWith('nobody');
      trunk.status = { ...status, state: down ? 'down' : 'up', fault: down ? 'name_unknown' : null, server: down ? null : '192.0.2.8:5060' };
      emit('trunk.state', { trunk: trunk.id, state: trunk.status.state, fault: trunk.status.fault });
    }, 700);
    return trunk;
  }
  function write(document, body) {
    const errors = [];
    const content = (body.content ?? '').trim();
    if (!body.name?.trim()) errors.push({ field: 'name', code: 'required', detail: 'empty' });
    if ((body.name ?? '').length > 255) errors.push({ field: 'name', code: 'too_long', detail: 'up to 255' });
    if (content === '') errors.push({ field: 'content', code: 'required', detail: 'empty' });
    if (content.length > 1_000_000) errors.push({ field: 'content', code: 'too_long', detail: 'up to 1000000' });
    if (errors.length) fail(400, 'invalid', 'Not acceptable', errors);
    Object.assign(document, { name: body.name.trim(), content, language: body.language ?? 'en', namespace: body.namespace ?? 'general', state: body.state ?? 'live', content_chars: content.length, passages: content.split(/\n\s*\n/).length, updated_at: new Date().toISOString(), version: document.version + 1, content_sha256: createHash('sha256').update(content).digest('hex') });
    emit('knowledge.changed', { document: document.id });
    return document;
  }
  function passages(q, language) {
    const asked = q.toLowerCase().split(/\W+/).filter((word) => word.length > 2);
    return db.documents.filter((one) => one.state === 'live' && (!language || one.language === language)).flatMap((document) => document.content.split(/\n\s*\n/).map((text, index) => {
      const score = asked.filter((word) => text.toLowerCase().includes(word)).length / Math.max(1, asked.length);
      return { passage: `${document.id.slice(0, -2)}${String(index).padStart(2, '0')}`, document: document.id, name: document.name, heading: document.name, text, score };
    })).filter((one) => one.score > 0).sort((a, b) => b.score - a.score);
  }
  function slots(query) {
    const service = found(db.services, query.get('service'));
    const out = [];
    const day = Date.parse(`${(query.get('from') ?? new Date().toISOString()).slice(0, 10)}T08:00:00Z`);
    for (let d = 0; d < 8; d += 1) for (let minute = 0; minute < 480; minute += service.duration_min) {
      const start = new Date(day + d * 86_400_000 + minute * 60_000).toISOString();
      const end = new Date(Date.parse(start) + service.duration_min * 60_000).toISOString();
      if (between(start, query) && start > new Date().toISOString() && ![0, 6].includes(new Date(start).getUTCDay()) && !db.appointments.some((one) => one.resource === service.resource && one.status !== 'cancelled' && one.start < end && one.end > start)) out.push({ service: service.id, resource: service.resource, start, end });
    }
    return out;
  }
  function find(query) {
    const q = (query.get('q') ?? '').toLowerCase().trim();
    const hits = [];
    const mark = (text) => { const at = text.toLowerCase().indexOf(q); return { snippet: text, highlights: at < 0 ? [] : [[at, at + q.length]] }; };
    if (q === '') return { hits, next: null, seq: state.seq };
    for (const turn of db.turns) if (turn.text.toLowerCase().includes(q)) { const call = db.calls.find((one) => one.id === turn.call); hits.push({ kind: 'turn', id: `${turn.conversation}:${turn.index}`, call: turn.call, at: call.created_at, start_ms: turn.start_ms, title: call.contact_name ?? call.from_number, ...mark(turn.text), score: 1 }); }
    for (const call of db.calls) if (`${call.contact_name ?? ''} ${call.from_number}`.toLowerCase().includes(q)) hits.push({ kind: 'call', id: call.id, call: call.id, at: call.created_at, start_ms: null, title: call.contact_name ?? call.from_number, ...mark(`${call.contact_name ?? ''} ${call.from_number}`.trim()), score: 0.9 });
    for (const one of db.contacts) if (`${one.name} ${one.numbers.join(' ')}`.toLowerCase().includes(q)) hits.push({ kind: 'contact', id: one.id, call: null, at: one.created_at, start_ms: null, title: one.name, ...mark(`${one.name} ${one.numbers.join(' ')}`), score: 0.85 });
    for (const document of db.documents) for (const text of document.content.split(/\n\s*\n/)) if (text.toLowerCase().includes(q)) hits.push({ kind: 'passage', id: uuid(), parent: document.id, call: null, at: document.updated_at, start_ms: null, title: document.name, ...mark(text), score: 0.8 });
    for (const one of db.appointments) if (`${one.patient_name} ${one.service_name}`.toLowerCase().includes(q)) hits.push({ kind: 'appointment', id: one.id, call: one.call, at: one.start, start_ms: null, title: one.service_name, ...mark(one.patient_name), score: 0.7 });
    for (const one of db.tasks) if (`${one.name} ${one.text}`.toLowerCase().includes(q)) hits.push({ kind: 'task', id: one.id, call: one.call, at: one.created_at, start_ms: null, title: one.name, ...mark(one.text), score: 0.6 });
    const wanted = hits.filter((hit) => !query.get('kind') || hit.kind === query.get('kind'));
    return { hits: wanted.slice(0, Number(query.get('limit') ?? 30)), next: null, seq: state.seq };
  }

  return async (request, response, url, text) => {
    const match = Object.keys(table).map((key) => {
      const [method, pattern] = key.split(' ');
      const names = pattern.split('/');
      const parts = url.pathname.split('/');
      if (method !== request.method || names.length !== parts.length || !names.every((name, at) => name.startsWith(':') || name === parts[at])) return null;
      return { run: table[key], id: parts[names.indexOf(':id')], number: Number(parts[names.indexOf(':number')]), literal: names.filter((name) => !name.startsWith(':')).length };
    }).filter(Boolean).sort((a, b) => b.literal - a.literal)[0];
    try {
      if (!match) fail(404, 'not_found', `There is nothing at ${url.pathname}`);
      const who = account(db, request);
      if (!who && url.pathname !== '/api/auth/login') fail(401, 'unauthenticated', 'Sign in first');
      const json = (request.headers['content-type'] ?? '').startsWith('application/json') ? JSON.parse(text || 'null') : undefined;
      const answer = match.run({ request, response, query: url.searchParams, id: match.id, number: match.number, body: json, text, who });
      if (answer === undefined) return;
      if (answer === null) return response.writeHead(204).end();
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(answer));
    } catch (error) {
      if (!error.problem) throw error;
      response.writeHead(error.problem.status, { 'content-type': 'application/problem+json', ...error.headers });
      response.end(JSON.stringify(error.problem));
    }
  };
}

function sound(request, response, bytes) {
  const range = /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? '');
  const from = range ? Number(range[1]) : 0;
  const to = range && range[2] ? Math.min(Number(range[2]), bytes.length - 1) : bytes.length - 1;
  response.writeHead(range ? 206 : 200, { 'content-type': 'audio/wav', 'accept-ranges': 'bytes', 'content-length': to - from + 1, ...(range ? { 'content-range': `bytes ${from}-${to}/${bytes.length}` } : {}) });
  response.end(bytes.subarray(from, to + 1));
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const { url } = await start(Number(process.env.PORT ?? 8099));
  console.log(url);
}
