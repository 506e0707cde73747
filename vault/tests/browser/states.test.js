// What a house looks like when it does not go straight: changes of roster, requests that end, keys that are lost, pages that lie open.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { faults, look } from './look.js';
import { ask, browser, foundSafe, generated, Person, signs, steps } from './people.js';
import { founded } from './vitrine.js';

const SAFE = 'Production databases';
const CREDENTIAL = 'orders-primary superuser';
const SQL = 'import json,sqlite3,sys; c=sqlite3.connect(sys.argv[1]); r=c.execute(sys.argv[2]).fetchall(); c.commit(); print(json.dumps(r))';

let vitrine;
let chrome;
const who = {};
const at = {};

/** Asks the database file, or changes it while nothing serves it. */
const sql = async (text) => JSON.parse((await promisify(execFile)('python3', ['-c', SQL, `${vitrine.data}/vitrine.db`, text])).stdout);
const id = (credential) => credential.split('/').at(-1);

before(async () => {
  vitrine = await founded();
  chrome = await browser();
  for (const name of ['helga', 'adaeze', 'jun', 'priya', 'tomasz', 'mara']) who[name] = await Person.at(vitrine, chrome);
  const { helga, adaeze, jun, priya, tomasz, mara } = who;
  await helga.join(vitrine.invitation);
  for (const [person, name, roles] of [[adaeze, 'Adaeze Obi', ['approver']], [jun, 'Jun Takahashi', ['approver']], [priya, 'Priya Nair', ['approver']], [tomasz, 'Tomasz Wren', ['approver']], [mara, 'Mara Lindqvist', ['requester']]]) {
    await person.join(await helga.invite(name, roles));
  }
  const named = [{ person: adaeze, called: 'Adaeze Obi' }, { person: jun, called: 'Jun Takahashi' }, { person: priya, called: 'Priya Nair' }];
  at.safe = await foundSafe(helga, SAFE, named, 2);
  at.credential = await generated(helga, at.safe, CREDENTIAL);
  // One that has nothing sealed yet, beside it.
  await helga.go(`${at.safe}/credentials/new`);
  await helga.page.fill('#name', 'orders-replica superuser');
  await helga.page.check('input[name=how][value=target]');
  await helga.page.click('#new button[type=submit]');
  await helga.says('Where orders-replica superuser is changed');
});
after(async () => {
  await chrome?.close();
  await vitrine?.stop();
});

const step = steps(who, () => vitrine);

step('a key says that it holds shares only where a roster names it', async () => {
  const { adaeze, mara } = who;
  const chip = (person, word) => person.page.locator('.chip', { hasText: word });
  for (const page of ['/', '/you']) {
    await adaeze.go(page);
    await chip(adaeze, 'Holds shares').waitFor();
    await mara.go(page);
    await chip(mara, 'Can hold shares').waitFor();
    assert.equal(await chip(mara, 'Holds shares').count(), 0);
  }
});

step('who may not ask is told so once', async () => {
  const { helga } = who;
  await helga.go(`/break?c=${id(at.credential)}`);
  assert.equal(await helga.page.getByText('You cannot ask').count(), 1);
  await look(helga.page, 'break-barred');
  await helga.go('/break');
  assert.equal(await helga.page.getByText('You cannot ask').count(), 1);
});

step('finding on the keyboard takes what was typed last, and keeps its place', async () => {
  const { mara } = who;
  const { page } = mara;
  await mara.go('/break');
  const focused = () => page.evaluate(() => document.activeElement.closest('li')?.querySelector('.t').textContent ?? document.activeElement.id);
  // Faster than the search waits: the arrow takes it along.
  await page.locator('#q').pressSequentially('primary');
  await page.keyboard.press('ArrowDown');
  await page.waitForFunction(() => document.activeElement.name === 'c');
  assert.equal(await focused(), CREDENTIAL);
  assert.equal(await page.locator('#found li').count(), 1, 'with one row left, the form has one button of that name');
  // A search that comes while somebody stands on a row leaves them there.
  const answered = page.waitForResponse(/\/api\/v1\/credentials\?q=/);
  await page.evaluate(() => {
    const q = document.getElementById('q');
    q.value = 'orders';
    q.dispatchEvent(new Event('input', { bubbles: true }));
  });
  await answered;
  await page.locator('#found li').nth(1).waitFor();
  assert.equal(await focused(), CREDENTIAL);
  assert.ok(await page.locator('#found li', { hasText: CREDENTIAL }).locator('input').isChecked());
  // Whose row is gone stands where they can type.
  await page.evaluate(() => {
    const q = document.getElementById('q');
    q.value = 'replica';
    q.dispatchEvent(new Event('input', { bubbles: true }));
  });
  await page.waitForFunction(() => document.activeElement.id === 'q');
});

step('a terminal’s link offers nothing that has nothing sealed', async () => {
  const { mara } = who;
  const key = generateKeyPairSync('x25519').publicKey.export({ format: 'jwk' }).x;
  const link = (c) => `/break/link#${new URLSearchParams({ r: randomUUID(), k: key, p: createHash('sha256').update(randomBytes(32)).digest('hex'), c, why: 'Because.' })}`;
  await mara.go('about:blank');
  await mara.go(link('superuser'));
  await mara.says('Which one is');
  await look(mara.page, 'break-link-choice');
  const row = mara.page.locator('#choose li', { hasText: 'orders-replica superuser' });
  assert.ok(await row.locator('input').isDisabled());
  await row.getByText('nothing is sealed yet').waitFor();
  assert.ok(await mara.page.locator('#choose li', { hasText: CREDENTIAL }).locator('input').isEnabled());
  await mara.go('about:blank');
  await mara.go(link('orders-replica superuser'));
  const said = await mara.refusal();
  assert.match(said, /Nothing was asked/);
  assert.match(said, /Nothing is sealed yet in orders-replica superuser/);
});

step('a request appears on a page that lies open, which keeps no session by that', async () => {
  const { adaeze, mara } = who;
  await adaeze.go('/');
  await adaeze.says('Nothing waits for you');
  // Everybody was last here two minutes ago.
  await vitrine.again(() => sql('UPDATE sessions SET seen = seen - 120000000'));
  const seen = async () => (await sql("SELECT s.seen FROM sessions s JOIN users u ON u.user_id = s.user_id WHERE u.name = 'Adaeze Obi'"))[0][0];
  const then = await seen();
  await adaeze.page.waitForResponse((answer) => answer.status() === 204 && answer.headers()['vitrine-mark'] !== undefined);
  at.request = await ask(mara, at.credential, 'Primary refuses every login.');
  await adaeze.says('One request waits for your signature');
  assert.equal(new URL(adaeze.page.url()).search, '');
  assert.equal(await seen(), then, 'nobody was there');
  await adaeze.page.reload();
  await adaeze.says('One request waits for your signature');
  assert.ok(await seen() > then, 'somebody was');
  // Who looks for it meanwhile is told.
  await mara.go('/break?q=replica');
  await mara.page.fill('#q', 'primary');
  await mara.page.locator('#found li', { hasText: CREDENTIAL }).getByText('Mara Lindqvist asks for it now').waitFor();
  await mara.go(at.request);
  // And it goes again by itself.
  await mara.page.getByText('Withdraw…').click();
  await mara.page.getByRole('button', { name: 'Withdraw the request' }).click();
  await mara.says('Withdrawn');
  await look(mara.page, 'request-withdrawn');
  await adaeze.says('Nothing waits for you');
});

step('a page that lies open when its session ends goes to the sign-in', async () => {
  const { jun } = who;
  await jun.go('/');
  const other = await jun.context.newPage();
  await other.goto('/you');
  await other.getByRole('button', { name: 'Sign out' }).click();
  await other.waitForURL(/\/sign-in/);
  await other.close();
  await jun.says('Sign in with your key');
  await jun.page.click('#sign-in button');
  await jun.says('Nothing waits for you');
});

step('a request that nobody signs in time expires, and says so', async () => {
  const { mara } = who;
  // The page's clock is behind, as far as the vault lets it: what it signs ends soon.
  await mara.go(`/break?c=${id(at.credential)}`);
  await mara.page.evaluate(() => {
    const real = Date.now;
    Date.now = () => real() - (1740 - 15) * 1000;
  });
  await mara.page.fill('#why', 'Nobody is awake.');
  await mara.page.click('#file');
  await mara.page.waitForURL(/\/requests\//);
  at.expired = new URL(mara.page.url()).pathname;
  await mara.page.locator('h1', { hasText: 'Expired with 0 of 2' }).waitFor({ timeout: 40_000 });
  await mara.page.getByText('Nobody signed.').waitFor();
  await look(mara.page, 'request-expired');
  await who.adaeze.go(`${at.expired}/approve`);
  assert.equal(new URL(who.adaeze.page.url()).pathname, at.expired, 'there is nothing left to decide');
});

step('a change of roster is signed by the old one and accepted by the new', async () => {
  const { helga, adaeze, priya, tomasz } = who;
  const { page } = helga;
  await helga.go(`${at.safe}/roster`);
  await page.locator('#approvers label', { hasText: 'Priya Nair' }).click();
  await page.locator('#approvers label', { hasText: 'Tomasz Wren' }).click();
  await page.fill('#why', 'Priya leaves the team, Tomasz comes.');
  await page.click('#roster button[type=submit]');
  await page.waitForURL(/\/requests\//);
  at.change = new URL(page.url()).pathname;
  await look(page, 'request-roster');
  await adaeze.go(`${at.change}/approve`);
  await adaeze.page.locator('#act button[type=submit]:enabled').waitFor();
  const said = await adaeze.page.locator('#verified').innerText();
  assert.match(said, /Tomasz Wren\s+new, with 1 key/);
  assert.match(said, /No longer\s+Priya Nair/);
  await look(adaeze.page, 'approve-roster');
  await signs(adaeze, at.change);
  // Who is to go may sign it: it is the old roster that decides.
  await signs(priya, at.change);
  await helga.says('Signed. Waiting for acceptances');
  await look(page, 'request-roster-reached');
  await tomasz.go('/');
  await tomasz.page.getByRole('link', { name: 'Read it and accept' }).click();
  await tomasz.page.locator('#act button[type=submit]:enabled').first().waitFor();
  await look(tomasz.page, 'accept-roster');
  await tomasz.page.locator('#act button[type=submit]:enabled').first().click();
  await tomasz.page.locator('#done').waitFor({ state: 'visible' });
  await helga.says('Done: roster 2 is in force');
  await page.getByText('Adaeze Obi and Priya Nair signed. Tomasz Wren accepted.').waitFor();
  // It counts as it did when it was decided, whoever is on the roster now.
  await page.getByRole('img', { name: '2 of 2' }).first().waitFor();
  await page.locator('#people li', { hasText: 'Priya Nair' }).locator('.chip', { hasText: 'Signed' }).waitFor();
  await look(page, 'request-roster-done');
  await helga.go(at.safe);
  await look(page, 'safe-earlier-roster');
});

step('adding a key that was cut off is finished later', async () => {
  const { adaeze, jun, mara } = who;
  const { page } = adaeze;
  const [old] = adaeze.keys;
  await adaeze.go('/you/keys');
  await adaeze.touches(old, false);
  const fresh = await adaeze.plug();
  await page.route('**/api/v1/you/keys/*/shares', (route) => route.abort());
  await page.click('#enrol button[type=submit]:not(#without)');
  const admit = page.getByRole('button', { name: 'Touch the key I had' });
  await admit.waitFor();
  await look(page, 'you-keys-admit');
  await adaeze.touches(old, true);
  await adaeze.touches(fresh, false);
  await admit.click();
  assert.match(await adaeze.refusal(), /may have been done/);
  await page.unroute('**/api/v1/you/keys/*/shares');
  await adaeze.go('/you');
  const older = page.locator('.older:visible');
  await older.waitFor();
  assert.equal(await older.count(), 1, 'the key that has them is not offered');
  assert.match(await older.innerText(), /It does not open one secret that another key of yours opens/);
  await look(page, 'you-older');
  await adaeze.touches(old, false);
  await adaeze.touches(fresh, true);
  await older.getByRole('button').click();
  await page.getByRole('button', { name: 'Touch the key that opens them' }).waitFor();
  await adaeze.touches(fresh, false);
  await adaeze.touches(old, true);
  await page.getByRole('button', { name: 'Touch the key that opens them' }).click();
  await page.getByText('It opens all that you hold a share of').waitFor();
  // The new key alone approves now.
  await adaeze.touches(old, false);
  await adaeze.touches(fresh, true);
  at.request = await ask(mara, at.credential, 'With the other key.');
  await signs(adaeze, at.request);
  await adaeze.go('/you');
  assert.equal(await page.locator('.older:visible').count(), 0);
  await adaeze.touches(old, true);
  await signs(jun, at.request);
  await mara.says('Two of two signed');
});

step('an opened page whose connection ended says so', async () => {
  const { mara } = who;
  const { page } = mara;
  await page.locator('#open:enabled').click();
  await page.waitForURL(/\/opened$/);
  await page.locator('#copy:enabled').waitFor();
  assert.ok(await page.locator('#lost').isHidden());
  const other = await mara.context.newPage();
  await other.goto('/you');
  await other.getByRole('button', { name: 'Sign out' }).click();
  await other.waitForURL(/\/sign-in/);
  await other.close();
  await page.locator('#lost').waitFor({ state: 'visible' });
  await page.locator('#hide').click();
  await look(page, 'opened-lost');
  await page.getByRole('button', { name: 'Load it again' }).click();
  await mara.says('Sign in with your key');
  await page.click('#sign-in button');
  await page.locator('#copy:enabled').waitFor();
  await page.getByRole('button', { name: 'Check in' }).click();
  await mara.says('Checked in');
});

step('what nobody opened in time is asked for again', async () => {
  const { mara, adaeze, jun } = who;
  const { page } = mara;
  at.late = await ask(mara, at.credential, 'And then it worked again.');
  await adaeze.touches(adaeze.keys[0], false);
  await signs(adaeze, at.late);
  await adaeze.touches(adaeze.keys[0], true);
  await signs(jun, at.late);
  await mara.says('Two of two signed');
  await vitrine.again(() => sql(`UPDATE requests SET open_until = 1000000 WHERE request = '${id(at.late)}'`));
  await mara.go(at.late);
  await mara.says('Too late to open');
  await page.getByText('Two of two signed, and nobody opened it before 00:00:01 UTC. Ask again').waitFor();
  assert.equal(await page.locator('#open').count(), 0);
  await look(page, 'request-late');
  await mara.go('/requests');
  await page.locator('.chip', { hasText: 'Too late to open' }).waitFor();
  await mara.go(at.late);
  await page.getByRole('link', { name: 'Ask again' }).click();
  await mara.says(`Ask for ${CREDENTIAL}`);
  // Nothing is left to withdraw: it was refused within moments, and is in the ledger.
  await mara.go(at.late);
  await page.getByText('Nobody opened it in time').waitFor();
  assert.equal(await page.getByText('Withdraw…').count(), 0);
});

step('a key is suspended, restored and revoked, and the margin shows it', async () => {
  const { helga, jun, mara } = who;
  const { page } = helga;
  await helga.go('/people');
  await page.getByRole('link', { name: 'Jun Takahashi' }).click();
  await helga.says('Jun Takahashi');
  const act = async (word, why) => {
    await page.locator('summary', { hasText: `${word}…` }).first().click();
    const form = page.locator('.sure[open] form');
    await form.locator('input[name=why]').fill(why);
    if (word !== 'Restore') await look(page, `person-${word.toLowerCase()}`);
    await form.getByRole('button').click();
  };
  const chip = (word) => page.locator('.key .chip', { hasText: word }).waitFor();
  await act('Suspend', 'Mislaid.');
  await chip('Suspended');
  await look(page, 'person-suspended');
  // Who was signed in with it is not any more.
  await jun.go('/');
  await jun.says('Sign in with your key');
  await jun.page.click('#sign-in button');
  assert.match(await jun.refusal(), /no longer signs/);
  await act('Restore', 'Found again.');
  await chip('Holds shares');
  // What was sealed for the earlier roster needs Jun: nobody ends that key for good.
  await act('Revoke', 'Stolen on the train.');
  assert.match(await helga.refusal(), /orders-primary superuser v1 would be left with fewer people who can open it than it needs/);
  await helga.go('/people');
  await page.getByRole('link', { name: 'Tomasz Wren' }).click();
  await helga.says('Tomasz Wren');
  await act('Revoke', 'Stolen on the train.');
  await chip('Revoked');
  await look(page, 'person-revoked');
  await helga.go('/people');
  await look(page, 'people-no-key');
  await helga.go(at.safe);
  await page.getByText('Cannot sign').waitFor();
  await look(page, 'safe-margin');
  // Revoking one more would strand the safe for good: that is refused. A suspension can be taken back.
  await helga.go('/people');
  await page.getByRole('link', { name: 'Jun Takahashi' }).click();
  await helga.says('Jun Takahashi');
  await act('Revoke', 'Left the house.');
  const said = await helga.refusal();
  assert.match(said, /Not revoked/);
  assert.match(said, /Production databases would be left with fewer people who can open it than it needs/);
  assert.match(said, /Suspend the key, change the safe’s roster first/);
  await look(page, 'person-not-revoked');
  await page.reload();
  await act('Suspend', 'On the way out.');
  await chip('Suspended');
  // Now nobody reaches the quorum: asking says so before anybody is woken.
  await helga.go(at.safe);
  await look(page, 'safe-blocked');
  await mara.go(`/break?c=${id(at.credential)}`);
  await mara.page.getByRole('heading', { name: 'Two must sign and only one can' }).waitFor();
  assert.equal(await mara.page.locator('#file').count(), 0);
  await look(mara.page, 'break-unreachable');
  await who.adaeze.go('/');
  await look(who.adaeze.page, 'home-blocked');
});

step('what a page loads is asked for by its hash', async () => {
  const { mara } = who;
  const script = `${vitrine.origin}/assets/style.css`;
  const first = await fetch(script);
  assert.equal(first.headers.get('cache-control'), 'public, no-cache');
  const tag = first.headers.get('etag');
  assert.equal(tag, `"${createHash('sha256').update(Buffer.from(await first.arrayBuffer())).digest('hex')}"`);
  const again = await fetch(script, { headers: { 'If-None-Match': tag } });
  assert.deepEqual([again.status, (await again.arrayBuffer()).byteLength, again.headers.get('etag')], [304, 0, tag]);
  assert.equal((await fetch(script, { headers: { 'If-None-Match': '"another"' } })).status, 200);
  // The browser does ask.
  const asked = [];
  mara.page.on('response', (answer) => { if (answer.url() === script) asked.push(answer.status()); });
  await mara.go('/requests');
  assert.ok(asked.length > 0);
});

test('no page has a fault of accessibility', () => assert.deepEqual(faults, [], faults.join('\n\n')));
