// A clinic for the tests of the real program: a folder of its own, its configuration, its commands and its service.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { same } from './browser.mjs';
import { folder, freePorts, start } from './server.mjs';

/** A clinic whose audio goes by these ports. `more` are further sections of its configuration, by its folder. */
export async function founded(ports, more = () => '') {
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
rtp_ports = "${ports}"
calls_max = 10
[log]
directory = "${join(place, 'log')}"
${more(place)}`);
  const auricle = (...args) => start(['--config', config, ...args]);
  /** Runs a command to its good end; what it printed. */
  const done = async (...args) => {
    const program = auricle(...args);
    same(await program.ended, { status: 0, signal: null }, `how ${args.join(' ')} ended`);
    return program.printed;
  };
  /** Adds an administrator; their one-time password. */
  const administrator = async (email) => /One-time password\s+(\S+)/.exec(await done('user', 'add', email, '--role', 'admin'))[1];
  /** Starts the service. */
  const serve = async () => {
    const server = auricle('serve');
    await server.says(/Web\s+http/);
    return server;
  };
  return { place, url: `http://127.0.0.1:${web}`, auricle, done, administrator, serve };
}
