// A target: a throw-away PostgreSQL of the test's own, with TLS (.ci/postgres), and its administrator `dba`.

import { execFile, spawn } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { out } from './vitrine.js';

const run = promisify(execFile);

/**
 * Starts it, with the database `orders`.
 * @returns {Promise<{address: string, port: string, pin: string, sql: (text: string) => Promise<string>, logsIn: (role: string, password: string) => Promise<boolean>,
 *   hold: (table: string) => Promise<() => Promise<void>>, stop: () => Promise<void>}>}
 *   `hold` takes a table from everybody else, and gives the function that lets it go
 */
export async function target() {
  const folder = await mkdtemp(path.join(tmpdir(), 'vitrine-target-'));
  await chmod(folder, 0o711); // user postgres goes through it
  const dir = path.join(folder, 'server');
  const ci = (act) => run(out('.ci', 'postgres'), [act, dir], { maxBuffer: 1 << 20 });
  const held = new Set();
  const stop = async () => {
    for (const child of held) child.kill();
    await ci('stop');
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const { stdout } = await ci('start');
    const { port, pin } = Object.fromEntries(stdout.trim().split('\n').map((line) => line.split(/=(.*)/s)));
    const dba = await readFile(path.join(dir, 'dba.password'), 'utf8');
    const as = (role, password, database = 'orders') => [
      ['-XqAt', '-w', '-v', 'ON_ERROR_STOP=1', `host=127.0.0.1 port=${port} user=${role} dbname=${database} sslmode=require`],
      { env: { ...process.env, PGPASSWORD: password } },
    ];
    const psql = async (input, args, options) => {
      const going = run('psql', args, options);
      going.child.stdin.end(input);
      return (await going).stdout.trim();
    };
    const sql = (text) => psql(text, ...as('dba', dba));
    await psql('CREATE DATABASE orders', ...as('dba', dba, 'postgres'));
    const logsIn = (role, password) => psql('SELECT current_user', ...as(role, password)).then((said) => said === role, (error) => {
      if (/password authentication failed/.test(error.stderr)) return false;
      throw error;
    });
    const hold = async (table) => {
      const [args, options] = as('dba', dba);
      const child = spawn('psql', args, options);
      held.add(child);
      const has = new Promise((done, fail) => {
        child.stdout.once('data', done);
        child.once('exit', (code) => fail(new Error(`psql ended with ${code}`)));
      });
      child.stdin.write(`BEGIN; LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE; SELECT 'held';\n`);
      await has;
      return async () => {
        const gone = new Promise((done) => { child.once('exit', done); });
        child.stdin.end('COMMIT;\n');
        await gone;
        held.delete(child);
      };
    };
    return { address: `127.0.0.1:${port}/orders`, port, pin, sql, logsIn, hold, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
