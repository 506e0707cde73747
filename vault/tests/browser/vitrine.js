// A Vitrine of its own for a test: a fresh data directory, SoftHSM tokens, plain HTTP on a free loopback port.
// The program is VITRINE_BIN, or VITRINE, or target/debug/vitrine.

import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
/** The program. */
export const program = path.resolve(root, process.env.VITRINE_BIN ?? process.env.VITRINE ?? 'target/debug/vitrine');

/** Where a picture or another output of the tests goes. */
export const out = (...parts) => path.join(root, ...parts);

// Below those that the system gives to whoever connects (32768 and up on Linux): it is free still when the program is started again.
async function freePort() {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    const server = createServer();
    const free = await new Promise((done) => { server.once('error', () => done(false)).listen(port, '127.0.0.1', () => done(true)); });
    if (!free) continue;
    await new Promise((done) => { server.close(done); });
    return port;
  }
}

async function until(what, ms, look) {
  const end = Date.now() + ms;
  for (;;) {
    if (await look()) return;
    if (Date.now() > end) throw new Error(`${what}: not within ${ms} ms`);
    await new Promise((done) => { setTimeout(done, 100); });
  }
}

async function serve(environment, origin) {
  const child = spawn(program, ['serve'], { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
  const state = { said: '', over: null };
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => { state.said += part; });
  child.on('exit', (code, signal) => { state.over = code ?? signal; });
  const stop = async () => {
    if (state.over !== null) return;
    const gone = new Promise((done) => { child.on('exit', done); });
    child.kill('SIGTERM');
    await gone;
  };
  try {
    await until('answering', 30_000, async () => {
      if (state.over !== null) throw new Error(`vitrine serve ended with ${state.over}:\n${state.said}`);
      return (await fetch(`${origin}/healthz`).catch(() => null))?.ok;
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return { stop, said: () => state.said };
}

// On a busy machine a SoftHSM token may take longer to make its keys than a call may last: then once more, from nothing.
async function init(environment, origin, custodian) {
  for (let tries = 1; ; tries += 1) {
    try {
      const { stdout } = await promisify(execFile)(program, ['--json', 'init', '--origin', origin, '--custodian', custodian], { env: environment });
      return JSON.parse(stdout);
    } catch (error) {
      if (tries === 3 || !/did not answer in time/.test(error.stderr)) throw error;
      await rm(environment.VITRINE_DATA, { recursive: true, force: true });
    }
  }
}

/**
 * Founds and serves.
 * @param {{custodian?: string, env?: Record<string, string>}} [options]
 * @returns {Promise<{origin: string, data: string, ledger: string, invitation: string, log: () => string, again: (meanwhile?: () => unknown) => Promise<void>, stop: () => Promise<void>}>}
 *   `again` stops it, does something, and starts it on the same data
 */
export async function founded({ custodian = 'Helga Brandt', env = {} } = {}) {
  const data = await mkdtemp(path.join(tmpdir(), 'vitrine-pages-'));
  const port = await freePort();
  const origin = `http://localhost:${port}`;
  const environment = { ...process.env, VITRINE_DATA: data, VITRINE_SERVER_LISTEN: `127.0.0.1:${port}`, VITRINE_KEYS_DRILL: 'true', ...env };
  let running = null;
  const stop = async () => {
    await running?.stop();
    await rm(data, { recursive: true, force: true });
  };
  try {
    const { ledger, invitation } = await init(environment, origin, custodian);
    running = await serve(environment, origin);
    const again = async (meanwhile = () => {}) => {
      await running.stop();
      await meanwhile();
      running = await serve(environment, origin);
    };
    return { origin, data, ledger, invitation, log: () => running.said(), again, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
