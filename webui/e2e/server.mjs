// The program under test: started, listened to, ended; nothing of it outlives the tests.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** The binary under test. */
export const BINARY = resolve(process.env.AURICLE_BIN ?? '../target/debug/auricle');
/** How long the program may take to say what is waited for, unless told. */
const SAYS_MS_MAX = 30_000;

const running = new Set();
const folders = new Set();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));

/** A folder of its own, gone when the tests end. */
export function folder() {
  const made = mkdtempSync(join(tmpdir(), 'auricle-e2e-'));
  folders.add(made);
  return made;
}

/** The tests end by then, whatever happens. */
export function watchdog(seconds) {
  setTimeout(() => {
    console.error(`FAIL  the tests were not over after ${seconds} s`);
    process.exit(1);
  }, seconds * 1000).unref();
}

/** Ports of the loopback that nobody has now. */
export async function freePorts(count) {
  const held = await Promise.all(Array.from({ length: count }, () => new Promise((done, failed) => {
    const server = createServer().once('error', failed).listen(0, '127.0.0.1', () => done(server));
  })));
  const ports = held.map((server) => server.address().port);
  await Promise.all(held.map((server) => new Promise((done) => server.close(done))));
  return ports;
}

/** Variables that begin so are settings of the program, which the tests choose themselves. */
const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('AURICLE_')));

/** Starts the program. What it prints is kept, and can be waited for. */
export function start(args, env = {}) {
  const child = spawn(BINARY, args, { env: { ...environment, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let printed = '';
  let errors = '';
  let listeners = [];
  running.add(child);
  const tell = () => {
    for (const listener of [...listeners]) listener();
  };
  child.stdout.setEncoding('utf8').on('data', (text) => {
    printed += text;
    tell();
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    errors = (errors + text).slice(-4_000);
  });
  let end = null;
  const ended = new Promise((done) => {
    const over = (status, signal) => {
      running.delete(child);
      end = { status, signal };
      done(end);
      tell();
    };
    child.on('error', (error) => {
      errors += `${BINARY}: ${error.message}`;
      over(null, null);
    });
    child.on('close', over);
  });
  return {
    ended,
    get printed() {
      return printed;
    },
    /** Resolves to the match once the program has printed it. */
    says(pattern, ms_max = SAYS_MS_MAX) {
      return new Promise((done, failed) => {
        const settle = (how, value) => {
          clearTimeout(timer);
          listeners = listeners.filter((listener) => listener !== look);
          how(value);
        };
        const timer = setTimeout(() => settle(failed, new Error(`nothing like ${pattern} was printed within ${ms_max} ms, but:\n${printed}\n${errors}`)), ms_max);
        const look = () => {
          const found = pattern.exec(printed);
          if (found) settle(done, found);
          else if (end) settle(failed, new Error(`it ended (${end.status ?? end.signal}) without printing ${pattern}:\n${printed}\n${errors}`));
        };
        listeners.push(look);
        look();
      });
    },
    /** Sends a signal and waits for the end, which is killed off when it takes too long. */
    async stop(signal, ms_max = 30_000) {
      child.kill(signal);
      const timer = setTimeout(() => child.kill('SIGKILL'), ms_max);
      const how = await ended;
      clearTimeout(timer);
      return how;
    },
  };
}
