// A terminal that asks: the real program, a link that a browser files, the secret in the terminal or in a child of it.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { browser, foundSafe, generated, Person } from './people.js';
import { founded, program } from './vitrine.js';

const CREDENTIAL = 'orders-primary superuser';
const WHY = 'Primary refuses every login.';

let vitrine;
let chrome;
let helga;
let adaeze;
let mara;
let folder;
let replica;

before(async () => {
  vitrine = await founded();
  chrome = await browser();
  folder = await mkdtemp(path.join(tmpdir(), 'vitrine-terminal-'));
  [helga, adaeze, mara] = await Promise.all([1, 2, 3].map(() => Person.at(vitrine, chrome)));
  await helga.join(vitrine.invitation);
  await adaeze.join(await helga.invite('Adaeze Obi', ['approver']));
  await mara.join(await helga.invite('Mara Lindqvist', ['requester']));
  const safe = await foundSafe(helga, 'Production databases', [{ person: adaeze, called: 'Adaeze Obi' }], 1);
  await generated(helga, safe, CREDENTIAL);
  replica = await generated(helga, safe, 'orders-replica reader');
});
after(async () => {
  await chrome?.close();
  await vitrine?.stop();
  if (folder) await rm(folder, { recursive: true, force: true });
});

/** The program at a terminal: what it says, and how it ends. */
function terminal(args, { input, env = {} } = {}) {
  const child = spawn(program, args, {
    env: { ...process.env, VITRINE_URL: vitrine.origin, XDG_RUNTIME_DIR: folder, XDG_STATE_HOME: folder, ...env }, stdio: ['pipe', 'pipe', 'pipe'], detached: true,
  });
  const said = { out: '', err: '' };
  child.stdout.on('data', (part) => { said.out += part; });
  child.stderr.on('data', (part) => { said.err += part; });
  const ended = new Promise((done) => { child.on('close', done); });
  child.stdin.on('error', () => {}); // it may have ended before it was written to
  child.stdin.end(input ?? '');
  const says = async (pattern) => {
    for (let tries = 0; tries < 300; tries += 1) {
      const found = said.err.match(pattern);
      if (found) return found;
      await new Promise((go) => { setTimeout(go, 50); });
    }
    throw new Error(`it did not say ${pattern}:\n${said.err}`);
  };
  return { said, ended, says, interrupt: () => process.kill(-child.pid, 'SIGINT') };
}

/** Files what the terminal printed, and signs it. */
async function through(at, { choose } = {}) {
  const [link] = await at.says(/http:\S+#\S+/);
  await mara.go('about:blank');
  await mara.go(link);
  if (choose) {
    await mara.says('Which one is');
    await mara.page.locator('#choose label', { hasText: choose }).click();
    await mara.page.click('#choose button');
  }
  await mara.says(`Your terminal asks for ${CREDENTIAL}`);
  await mara.page.click('#ask button');
  await mara.says('Asked. The terminal goes on from here');
  const request = link.match(/[#&]r=([0-9a-f-]{36})/)[1];
  await adaeze.go(`/requests/${request}/approve`);
  await adaeze.page.locator('#act button[type=submit]:enabled').first().click();
  await adaeze.page.locator('#done').waitFor({ state: 'visible' });
  return request;
}

test('break by part of a name that two have: the page asks which, the terminal prints it', async () => {
  const at = terminal(['break', 'orders', '--why', WHY, '--yes']);
  const request = await through(at, { choose: CREDENTIAL });
  assert.equal(await at.ended, 0, at.said.err);
  assert.match(at.said.out, /^\S{24}\n$/);
  const code = at.said.err.match(/vitrine checkin (\S+)/)[1];
  const back = terminal(['checkin', code]);
  assert.equal(await back.ended, 0, back.said.err);
  assert.deepEqual((await readdir(path.join(folder, 'vitrine'))).filter((name) => name === code), []);
  const live = await mara.page.evaluate((id) => fetch(`/api/v1/requests/${id}`).then((answer) => answer.json()), request);
  assert.equal(live.state, 'closed');
});

test('exec returns the code of its command, and checks in', async () => {
  const at = terminal(['exec', CREDENTIAL, '--why', WHY, '--env', 'SECRET', '--', 'sh', '-c', 'test ${#SECRET} = 24 && exit 5']);
  await through(at);
  assert.equal(await at.ended, 5, at.said.err);
  assert.match(at.said.err, /checked in/);
});

test('exec on a descriptor leaves the command its input', async () => {
  const at = terminal(['exec', CREDENTIAL, '--why', WHY, '--fd', '3', '--', 'sh', '-c', 'read line; read secret <&3; echo "$line ${#secret}"'], { input: 'what was piped in\n' });
  await through(at);
  assert.equal(await at.ended, 0, at.said.err);
  assert.equal(at.said.out, 'what was piped in 24\n');
});

test('an interrupt is the command\u2019s: its code comes back, and what was open is checked in', async () => {
  const at = terminal(['exec', CREDENTIAL, '--why', WHY, '--env', 'SECRET', '--', 'sh', '-c', 'trap "exit 7" INT; echo ready >&2; while :; do sleep 0.1; done']);
  await through(at);
  await at.says(/ready/);
  at.interrupt();
  assert.equal(await at.ended, 7, at.said.err);
  assert.match(at.said.err, /checked in/);
});

test('of several versions the page asks for the one that it shows', async () => {
  const { page } = helga;
  await helga.go(`${replica}/import`);
  await page.fill('#value', 'set by hand');
  await page.click('#import button[type=submit]');
  await page.waitForURL((url) => url.pathname === replica);
  const asked = async (choose) => {
    const at = terminal(['break', 'orders-replica', '--why', WHY]);
    const [link] = await at.says(/http:\S+#\S+/);
    await mara.go('about:blank');
    await mara.go(link);
    await mara.says('Your terminal asks for orders-replica reader');
    assert.equal(await mara.page.locator('#which input').count(), 2);
    if (choose) await mara.page.locator('#which label', { hasText: choose }).click();
    const shown = await mara.page.locator('[data-fill=version]').innerText();
    await mara.page.click('#ask button');
    await mara.says('Asked. The terminal goes on from here');
    at.interrupt();
    await at.ended;
    const request = link.match(/[#&]r=([0-9a-f-]{36})/)[1];
    const live = await mara.page.evaluate((id) => fetch(`/api/v1/requests/${id}`).then((answer) => answer.json()), request);
    return { shown, signed: JSON.parse(live.statement).version };
  };
  const usual = await asked();
  assert.match(usual.shown, /^version 2: current since /);
  assert.equal(usual.signed, 2);
  const other = await asked('Version 1');
  assert.match(other.shown, /^version 1: replaced on /);
  assert.equal(other.signed, 1);
});

test('nobody is asked for a program that is not there, without a reason, or for what nobody has', async () => {
  const none = terminal(['exec', CREDENTIAL, '--why', WHY, '--env', 'SECRET', '--', '/no/such/program']);
  assert.equal(await none.ended, 1);
  assert.match(none.said.err, /no program/);
  const silent = terminal(['break', CREDENTIAL]);
  assert.equal(await silent.ended, 1);
  assert.match(silent.said.err, /says why/);
  const unknown = terminal(['break', 'no such thing', '--why', WHY]);
  const [link] = await unknown.says(/http:\S+#\S+/);
  await mara.go('about:blank');
  await mara.go(link);
  assert.match(await mara.refusal(), /No credential matches/);
  unknown.interrupt();
  await unknown.ended;
});

test('a terminal without a folder for keys says so', async () => {
  const at = terminal(['break', CREDENTIAL, '--why', WHY, '--yes'], { env: { XDG_RUNTIME_DIR: undefined } });
  await through(at);
  assert.equal(await at.ended, 0, at.said.err);
  assert.match(at.said.err, /in memory alone/);
  assert.doesNotMatch(at.said.err, /vitrine (checkin|break --resume)/);
});
