#!/usr/bin/env node
// Firefox for Playwright: started with the same switches, with a relay before its WebDriver BiDi. Playwright asks every browser to
// override media features, which Firefox ESR cannot yet (it is told by its settings instead) and refuses as an unknown command: that
// one refusal becomes consent. Everything else passes as it is.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { WebSocket, WebSocketServer } from 'ws';

const UNKNOWN = 'emulation.setMediaFeaturesOverride';
const LISTENS = /WebDriver BiDi listening on (ws:\/\/\S+)/;

const firefox = spawn(process.env.FIREFOX ?? '/usr/bin/firefox-esr', process.argv.slice(2), { stdio: ['ignore', 'inherit', 'pipe'] });
firefox.on('error', (error) => {
  console.error(`Firefox does not start: ${error.message}`);
  process.exit(1);
});
firefox.on('exit', (status) => process.exit(status ?? 1));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => firefox.kill(signal));

createInterface({ input: firefox.stderr }).on('line', (line) => {
  const listens = LISTENS.exec(line);
  if (!listens) return void console.error(line);
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 }, () => console.error(`WebDriver BiDi listening on ws://127.0.0.1:${server.address().port}`));
  server.on('connection', (near) => relay(near, listens[1]));
});

/** Carries messages both ways between Playwright and Firefox. */
function relay(near, address) {
  const far = new WebSocket(`${address}/session`);
  const waiting = [];
  /** Numbers of the commands that may be refused. */
  const asked = new Set();
  near.on('message', (data) => {
    const text = String(data);
    if (text.includes(UNKNOWN)) asked.add(JSON.parse(text).id);
    if (far.readyState === WebSocket.OPEN) far.send(text);
    else waiting.push(text);
  });
  far.on('open', () => {
    for (const text of waiting.splice(0)) far.send(text);
  });
  far.on('message', (data) => {
    const text = String(data);
    const answer = asked.size > 0 ? JSON.parse(text) : {};
    const isRefused = asked.delete(answer.id) && answer.error === 'unknown command';
    near.send(isRefused ? JSON.stringify({ type: 'success', id: answer.id, result: {} }) : text);
  });
  near.on('close', () => far.close());
  far.on('close', () => near.close());
  far.on('error', () => near.close());
}
