// Keys that are not what they should be, in a real browser: what the page says of each, and that the ledger took nothing.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { faults, look } from './look.js';
import { ask, bend, browser, foundSafe, generated, Person } from './people.js';
import { founded } from './vitrine.js';

const NO_PRF = { ctap2Version: 'ctap2_1', hasHmacSecret: false, hasHmacSecretMc: false };
const ENTRIES = 'import sqlite3,sys; print(sqlite3.connect("file:%s?mode=ro" % sys.argv[1], uri=True).execute("SELECT COUNT(*) FROM ledger_entries").fetchone()[0])';

let vitrine;
let chrome;
let helga;
let adaeze;
let jun;
let priya;
let mara;
let request;

const entries = async (at = vitrine) => Number((await promisify(execFile)('python3', ['-c', ENTRIES, `${at.data}/vitrine.db`])).stdout);

/** Plays `act`, and that nothing came of it. */
async function nothingEntered(act, at = vitrine) {
  const had = await entries(at);
  await act();
  assert.equal(await entries(at), had, 'the ledger took something');
}

const press = (person) => person.page.click('#enrol button[type=submit]:not(#without)');

/** Somebody new, invited, with this key plugged in, at the step of the first key. */
async function invited(name, key, { roles = ['approver'], at = vitrine, token } = {}) {
  const person = await Person.at(at, chrome);
  await person.plug(key);
  await person.go(`/join#${token ?? await helga.invite(name, roles)}`);
  await person.says('Now your first key');
  return person;
}

before(async () => {
  vitrine = await founded();
  chrome = await browser();
  [helga, adaeze, jun, priya, mara] = await Promise.all([1, 2, 3, 4, 5].map(() => Person.at(vitrine, chrome)));
  await helga.join(vitrine.invitation);
  for (const [person, name, roles] of [[adaeze, 'Adaeze Obi', ['approver']], [jun, 'Jun Takahashi', ['approver']], [priya, 'Priya Nair', ['approver']], [mara, 'Mara Lindqvist', ['requester']]]) {
    await person.join(await helga.invite(name, roles));
  }
  const named = [{ person: adaeze, called: 'Adaeze Obi' }, { person: jun, called: 'Jun Takahashi' }, { person: priya, called: 'Priya Nair' }];
  const safe = await foundSafe(helga, 'Production databases', named, 2);
  const credential = await generated(helga, safe, 'orders-primary superuser');
  request = await ask(mara, credential, 'Primary refuses every login.');
});
after(async () => {
  await chrome?.close();
  await vitrine?.stop();
});

for (const [name, what, key] of [
  ['Sam Adeyemi', 'cannot keep a credential', { hasResidentKey: false }],
  ['Nia Okafor', 'knows neither PIN nor finger', { hasUserVerification: false, isUserVerified: false }],
  ['Ines Duarte', 'is of the old kind, U2F', { protocol: 'u2f', ctap2Version: undefined, hasResidentKey: false, hasUserVerification: false, isUserVerified: false, hasHmacSecret: false, hasHmacSecretMc: false }],
]) {
  test(`a key that ${what} is not enrolled`, async () => {
    const sam = await invited(name, key);
    await nothingEntered(async () => {
      await press(sam);
      const said = await sam.refusal();
      assert.match(said, /Nothing was enrolled/);
      assert.match(said, /cannot keep a passkey, or knows no PIN and no finger/);
      assert.match(said, /take another key/i);
      if (!key.protocol && key.hasResidentKey === false) await look(sam.page, 'join-key-unfit');
    });
    await sam.context.close();
  });
}

test('a key that can be copied is not enrolled', async () => {
  const sam = await invited('Ravi Menon', { defaultBackupEligibility: true, defaultBackupState: true });
  await nothingEntered(async () => {
    await press(sam);
    const said = await sam.refusal();
    assert.match(said, /This key was not enrolled/);
    assert.match(said, /It can be copied to other devices/);
    assert.match(said, /Take a FIDO2 security key/);
    await look(sam.page, 'join-key-copied');
  });
  // The invitation is still good, for a key that is none of these.
  await sam.cdp.send('WebAuthn.removeVirtualAuthenticator', { authenticatorId: sam.keys.pop() });
  await sam.plug();
  await press(sam);
  await sam.says('Now your second key');
  await sam.context.close();
});

test('a key of no listed model is not enrolled where drills are off', async () => {
  const strict = await founded({ env: { VITRINE_KEYS_DRILL: 'false' } });
  try {
    const first = await invited('', {}, { at: strict, token: strict.invitation });
    await nothingEntered(async () => {
      await press(first);
      const said = await first.refusal();
      assert.match(said, /This key was not enrolled/);
      assert.match(said, /cannot prove that it is hardware of a maker on the trust list/);
      assert.match(said, /Take a listed security key/);
      await look(first.page, 'join-key-unlisted');
    }, strict);
    await first.context.close();
  } finally {
    await strict.stop();
  }
});

test('a key without PRF is offered for signing in only', async () => {
  const sam = await invited('Tomasz Wren', NO_PRF);
  await nothingEntered(async () => {
    await press(sam);
    const said = await sam.refusal();
    assert.match(said, /This key cannot hold a share/);
    assert.match(said, /lacks PRF/);
    assert.match(said, /keep this one for signing in only/);
    await sam.page.locator('#keys .chip', { hasText: 'Not added' }).waitFor();
    await look(sam.page, 'join-key-without-prf');
  });
  await sam.page.click('#without');
  await sam.says('Now your second key');
  await sam.page.locator('#keys .chip', { hasText: 'Signs only' }).waitFor();
  await look(sam.page, 'join-second-key');
  // It signs in, and a roster cannot name it.
  await sam.go('/you');
  await sam.page.locator('.chip', { hasText: 'Signs only' }).waitFor();
  await look(sam.page, 'you-signs-only');
  await helga.go('/safes/new');
  await helga.page.check('#drill');
  const row = helga.page.locator('#approvers li', { hasText: 'Tomasz Wren' });
  assert.ok(await row.locator('input').first().isDisabled(), 'who holds no share is no approver');
  await sam.context.close();
});

/** Opens the approving page, presses, and gives what the page says. */
async function pressApprove(person) {
  await person.go(`${request}/approve`);
  await person.page.locator('#act button[type=submit]:enabled').click();
  return person.refusal();
}

for (const [lie, words] of [['isBogusSignature', /the signature is not strict DER|the signature does not verify/], ['isBadUV', /did not verify its user/], ['isBadUP', /nobody touched the key/]]) {
  test(`an approval that lies is refused: ${lie}`, async () => {
    await adaeze.lies(adaeze.keys[0], { [lie]: true });
    await nothingEntered(async () => {
      const said = await pressApprove(adaeze);
      assert.match(said, /Nothing was done/);
      assert.match(said, words);
      assert.match(said, /Touch the key again/);
      if (lie === 'isBadUV') await look(adaeze.page, 'approve-lie');
    });
    await adaeze.lies(adaeze.keys[0], {});
    await mara.go(request);
    await mara.says('Waiting for two more signatures');
  });
}

test('a key that can be copied since it was enrolled signs nothing more', async () => {
  const [{ credentialId }] = (await jun.cdp.send('WebAuthn.getCredentials', { authenticatorId: jun.keys[0] })).credentials;
  const copied = (backupEligibility) => jun.cdp.send('WebAuthn.setCredentialProperties', { authenticatorId: jun.keys[0], credentialId, backupEligibility });
  await copied(true);
  await nothingEntered(async () => {
    const said = await pressApprove(jun);
    assert.match(said, /Nothing was done/);
    assert.match(said, /the key can be copied/);
    assert.match(said, /use another key and tell a custodian/);
    await look(jun.page, 'approve-key-copied');
    await jun.context.clearCookies();
    await jun.go('/sign-in');
    await jun.page.click('#sign-in button');
    assert.match(await jun.refusal(), /the key can be copied/);
  });
  await copied(false);
  await jun.signIn();
});

test('an approval that nobody touches stays asked for, then ends in words', async () => {
  await adaeze.touches(adaeze.keys[0], false);
  await nothingEntered(async () => {
    await adaeze.go(`${request}/approve`);
    await adaeze.page.locator('#act button[type=submit]:enabled').click();
    await adaeze.page.getByText('Touch your key now.').waitFor();
    await look(adaeze.page, 'approve-touch');
    // A minute is over at once: every timer of that length is.
    await adaeze.page.reload();
    await adaeze.page.evaluate(() => {
      const real = globalThis.setTimeout;
      globalThis.setTimeout = (act, ms, ...more) => real(act, ms === 60_000 ? 500 : ms, ...more);
    });
    await adaeze.page.locator('#act button[type=submit]:enabled').click();
    const said = await adaeze.refusal();
    assert.match(said, /Nothing was signed/);
    assert.match(said, /No key was touched within a minute/);
    assert.ok(await adaeze.page.locator('#act button[type=submit]').isEnabled(), 'it can be tried again');
  });
  await adaeze.touches(adaeze.keys[0], true);
});

test('a key whose person is said to be another does not sign in', async () => {
  const { credentials: [mine] } = await mara.cdp.send('WebAuthn.getCredentials', { authenticatorId: mara.keys[0] });
  const { credentials: [theirs] } = await helga.cdp.send('WebAuthn.getCredentials', { authenticatorId: helga.keys[0] });
  const thief = await Person.at(vitrine, chrome);
  const key = await thief.plug();
  await thief.cdp.send('WebAuthn.addCredential', { authenticatorId: key, credential: { ...mine, userHandle: theirs.userHandle, signCount: mine.signCount + 1 } });
  await nothingEntered(async () => {
    await thief.go('/sign-in');
    await thief.page.click('#sign-in button');
    assert.match(await thief.refusal(), /Not signed in.*not enrolled here/s);
  });
  await thief.context.close();
});

test('no page of another site frames one of ours', async () => {
  const other = createServer((_, answer) => answer.setHeader('Content-Type', 'text/html').end(`<iframe src="${vitrine.origin}/sign-in"></iframe>`));
  await new Promise((done) => { other.listen(0, '127.0.0.1', done); });
  try {
    const page = await chrome.newPage();
    const refused = page.waitForEvent('console', (m) => /frame-ancestors/.test(m.text()));
    await page.goto(`http://localhost:${other.address().port}/`);
    await refused;
    assert.equal(await page.frameLocator('iframe').getByRole('button').count(), 0);
    await page.close();
  } finally {
    other.close();
  }
});

test('p1_what_a_key_derives_never_leaves_the_page', async () => {
  const sam = await Person.at(vitrine, chrome);
  const sent = [];
  sam.page.on('request', (r) => sent.push(`${r.url()} ${r.postData() ?? ''} ${JSON.stringify(r.headers())}`));
  await sam.page.addInitScript(() => {
    const real = PublicKeyCredential.prototype.getClientExtensionResults;
    PublicKeyCredential.prototype.getClientExtensionResults = function noted() {
      const results = real.call(this);
      const first = results.prf?.results?.first;
      if (first) sessionStorage.setItem('prf', JSON.stringify([...JSON.parse(sessionStorage.getItem('prf') ?? '[]'), [...new Uint8Array(first)]]));
      return results;
    };
  });
  await sam.join(await helga.invite('Luca Ferrante', ['approver']), { second: true });
  await sam.go('/you');
  await sam.page.getByRole('button', { name: 'Check its share' }).first().click();
  await sam.page.getByText('Proved just now').first().waitFor();
  const outputs = (await sam.page.evaluate(() => JSON.parse(sessionStorage.getItem('prf')))).map((bytes) => Buffer.from(bytes));
  assert.ok(outputs.length >= 4, 'both keys answered, at creation and after');
  for (const output of outputs) {
    for (const form of ['base64url', 'base64', 'hex', 'latin1']) {
      const text = output.toString(form).replace(/=+$/, '');
      assert.ok(!sent.some((what) => what.includes(text) || what.includes(encodeURIComponent(text))), `a PRF output was sent as ${form}`);
    }
  }
  assert.ok(sent.some((what) => what.includes('attestation_object')), 'something was listened to');
  assert.ok(!sent.some((what) => /clientExtensionResults|"prf"/.test(what)));
  await sam.context.close();
});

test('a browser that cannot reach the share in a key says so, and sends nothing', async () => {
  // The key as this browser has it gives no PRF output: an export carries none.
  const elsewhere = await Person.at(vitrine, chrome);
  const key = await elsewhere.plug();
  const { credentials: [mine] } = await priya.cdp.send('WebAuthn.getCredentials', { authenticatorId: priya.keys[0] });
  await elsewhere.cdp.send('WebAuthn.addCredential', { authenticatorId: key, credential: { ...mine, signCount: mine.signCount + 1 } });
  await elsewhere.signIn(`${request}/approve`);
  // It has never decided anything here, so it has nothing to compare this ledger with but the card.
  const unpinned = elsewhere.page.locator('#unpinned');
  await unpinned.waitFor({ state: 'visible' });
  assert.equal((await unpinned.locator('[data-fill=ledger]').innerText()).replace(/\s/g, ''), vitrine.ledger);
  await look(elsewhere.page, 'approve-unpinned');
  let sent = 0;
  elsewhere.page.on('request', (r) => { sent += r.url().endsWith('/decisions') ? 1 : 0; });
  await nothingEntered(async () => {
    const said = await pressApprove(elsewhere);
    assert.match(said, /This browser cannot reach the share in your key/);
    assert.match(said, /The key is fine/);
    assert.match(said, /another browser, or on another device/);
    await look(elsewhere.page, 'approve-without-prf');
    assert.equal(sent, 0);
  });
  // Denying asks for no PRF, so it goes here too.
  await elsewhere.go(`${request}/deny`);
  await elsewhere.page.locator('#act button[type=submit]:enabled').click();
  await elsewhere.page.locator('#done').waitFor({ state: 'visible' });
  await elsewhere.context.close();
});

test('an answer in place of a key’s own is not enrolled', async () => {
  const sam = await invited('Petra Novak', {});
  await nothingEntered(async () => {
    // Somebody in between gives the page the nonce of another enrolment.
    const straight = await bend(sam.page, '**/api/v1/join/start', (start) => ({ ...start, nonce: Buffer.alloc(32, 7).toString('base64url') }));
    await press(sam);
    assert.match(await sam.refusal(), /not the one that this page was given/);
    await straight();
  });
  await press(sam);
  await sam.says('Now your second key');
  await sam.context.close();
});

test('no page has a fault of accessibility', () => assert.deepEqual(faults, [], faults.join('\n\n')));
