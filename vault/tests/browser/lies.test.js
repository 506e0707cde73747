// What a key, a server or somebody between them may try, and what the page or the service answers. Of each lie that an
// approver is told the page says so, and asks for no touch.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { ask, asked, bend, browser, foundSafe, generated, Person, watchTouches } from './people.js';
import { founded } from './vitrine.js';

const CREDENTIAL = 'orders-primary superuser';
const WHY = 'Primary refuses every login.';

let vitrine;
let chrome;
let helga;
let adaeze;
let jun;
let mara;
let credential;
let request;

const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash('sha256'));
/** The challenge of a statement, made here a second time (FORMATS.md 4). */
const challenge = (statement) => sha256('vitrine/statement/v1\n', JSON.stringify(Object.fromEntries(Object.entries(statement).sort()))).digest('hex');

before(async () => {
  vitrine = await founded();
  chrome = await browser();
  const people = [];
  for (let i = 0; i < 4; i += 1) people.push(await Person.at(vitrine, chrome));
  [helga, adaeze, jun, mara] = people;
  for (const person of people) await watchTouches(person.page);
  await helga.join(vitrine.invitation);
  await adaeze.join(await helga.invite('Adaeze Obi', ['approver']));
  await jun.join(await helga.invite('Jun Takahashi', ['approver']));
  await mara.join(await helga.invite('Mara Lindqvist', ['requester']));
  const safe = await foundSafe(helga, 'Production databases', [{ person: adaeze, called: 'Adaeze Obi' }, { person: jun, called: 'Jun Takahashi' }], 2);
  credential = await generated(helga, safe, CREDENTIAL);
  request = await ask(mara, credential, WHY);
});
after(async () => {
  await chrome?.close();
  await vitrine?.stop();
});

async function signedOut(person) {
  await person.context.clearCookies();
  await person.go('/sign-in');
  await asked(person.page);
}

async function signsIn(person) {
  await person.page.click('#sign-in button');
  await person.page.waitForURL((url) => url.pathname === '/');
}

test('a key without its PIN does not sign in', async () => {
  const sam = await Person.at(vitrine, chrome);
  await sam.join(await helga.invite('Sam Adeyemi', ['requester']));
  await signedOut(sam);
  // For good: the key counts wrong PINs, and blocks itself.
  await sam.verifies(sam.keys[0], false);
  await sam.page.click('#sign-in button');
  assert.match(await sam.refusal(), /Nothing was signed/);
  await sam.context.close();
});

for (const [lie, words] of [['isBogusSignature', /signature does not hold/i], ['isBadUV', /signature does not hold/i], ['isBadUP', /signature does not hold/i]]) {
  test(`an assertion that lies is refused: ${lie}`, async () => {
    await signedOut(helga);
    await helga.lies(helga.keys[0], { [lie]: true });
    await helga.page.click('#sign-in button');
    assert.match(await helga.refusal(), words);
    await helga.lies(helga.keys[0], {});
    await signsIn(helga);
  });
}

test('p3_login_challenge_is_a_statement_hash', async () => {
  await signedOut(mara);
  const theirs = randomBytes(32);
  const nonce = randomBytes(32).toString('base64url');
  // A server that wants bytes of its own signed can send a challenge, and can choose the nonce.
  const straight = await bend(mara.page, '**/api/v1/login/start', (start) => ({ ...start, nonce, challenge: theirs.toString('base64url'), publicKey: { challenge: theirs.toString('base64url') } }));
  await mara.page.click('#sign-in button');
  // The service refuses: that nonce is not the one of this pre-session.
  assert.match(await mara.refusal(), /not the login this page was given/);
  const [signed, ...more] = await asked(mara.page);
  assert.deepEqual(more, []);
  assert.notEqual(signed, theirs.toString('hex'));
  assert.equal(signed, challenge({ kind: 'login', ledger: vitrine.ledger, nonce, v: 1 }), 'what was signed is the hash of a login statement with that nonce, and of nothing else');
  await straight();
  // A nonce that is none, and a ledger that is another, end it before any key is asked.
  for (const [member, value] of [['nonce', 'AAAA'], ['nonce', { challenge: theirs.toString('base64url') }], ['ledger', 'f'.repeat(64)]]) {
    const back = await bend(mara.page, '**/api/v1/login/start', (start) => ({ ...start, [member]: value }));
    await mara.page.click('#sign-in button');
    await mara.refusal();
    assert.deepEqual(await asked(mara.page), [], `no touch for ${member} ${JSON.stringify(value)}`);
    await back();
    await mara.go('/sign-in');
  }
  await signsIn(mara);
  mara.errors.splice(0);
});

test('a login is not used twice', async () => {
  await signedOut(mara);
  let sent;
  await mara.page.route('**/api/v1/login/finish', async (route) => {
    sent = route.request().postData();
    await route.continue();
  });
  await signsIn(mara);
  await mara.page.unroute('**/api/v1/login/finish');
  const replayed = await mara.page.evaluate(async (body) => {
    const post = (path, json) => fetch(`/api/v1${path}`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: json });
    await post('/login/start', '{}');
    const answer = await post('/login/finish', body);
    return { status: answer.status, ...(await answer.json()) };
  }, sent);
  assert.equal(replayed.status, 400);
  assert.match(replayed.detail, /not the login this page was given/);
});

test('another challenge than the statement’s is refused', async () => {
  await signedOut(mara);
  await mara.page.route('**/api/v1/login/finish', async (route) => {
    const body = route.request().postDataJSON();
    const client = JSON.parse(Buffer.from(body.assertion.client_data_json, 'base64url').toString());
    client.challenge = randomBytes(32).toString('base64url');
    body.assertion.client_data_json = Buffer.from(JSON.stringify(client)).toString('base64url');
    await route.continue({ postData: JSON.stringify(body) });
  });
  await mara.page.click('#sign-in button');
  assert.match(await mara.refusal(), /signature does not hold/i);
  await mara.page.unroute('**/api/v1/login/finish');
  await signsIn(mara);
});

test('the same key is not enrolled twice', async () => {
  await helga.go('/you/keys');
  await helga.page.click('#enrol button[type=submit]:not(#without)');
  assert.match(await helga.refusal(), /This key is enrolled already/);
});

/** Opens the approving page under a lie: it says so, its button stays off, and no key is asked. */
async function refuses(name, lie, words, { url = `**/api/v1${request}/evidence?*`, page = `${request}/approve` } = {}) {
  await asked(adaeze.page);
  const back = await bend(adaeze.page, url, lie);
  await adaeze.go(page);
  assert.match(await adaeze.refusal(), words, name);
  assert.equal(await adaeze.page.locator('#act button[type=submit]:enabled').count(), 0, `${name}: the button is off`);
  await adaeze.page.locator('#act').evaluate((form) => form.requestSubmit());
  assert.deepEqual(await asked(adaeze.page), [], `${name}: no touch`);
  await back();
}

/** Changes the text of the entry at the seq that `role` names. */
const entryOf = (role, from, to) => (evidence) => {
  const entry = evidence.entries.find((e) => e.seq === evidence.roles[role]);
  const changed = entry.entry.replaceAll(from, to);
  assert.notEqual(changed, entry.entry, 'the lie changes something');
  entry.entry = changed;
  return evidence;
};

test('p2_replaced_delivery_key', async () => {
  const mine = randomBytes(32).toString('base64url');
  await refuses('delivery key', (evidence) => {
    const { entry } = evidence.entries.find((e) => e.seq === evidence.roles.request);
    const [, old] = /\\"delivery_key\\":\\"([^\\]+)\\"/.exec(entry);
    return entryOf('request', old, mine)(evidence);
  }, /Stop\..*not in the tree/s);
});

test('p3_swapped_names', async () => {
  const cut = /Stop\.|Nothing was signed/;
  await refuses('the requester’s name in the filing', entryOf('request', 'Mara Lindqvist', 'Helga Brandt'), cut);
  await refuses('the credential’s name in the filing', entryOf('request', CREDENTIAL, 'staging-replica reader'), cut);
  await refuses('the credential’s name in the envelope', (e) => ({ ...e, envelope: e.envelope.replaceAll(CREDENTIAL, 'staging-replica reader') }), cut);
  await refuses('the safe’s name in the roster', entryOf('roster', 'Production databases', 'Playground'), cut);
  await refuses('the reason', (e) => ({ ...e, reason: { ...e.reason, text: 'Routine drill, sign it.' } }), /reason/i);
  await refuses('another request’s filing', (e) => {
    e.roles.request = e.roles.roster;
    return e;
  }, cut);
  await refuses('an inviter left out', (e) => ({ ...e, roles: { ...e.roles, invited: [] } }), cut);
});

test('words on the page that the signed bytes do not say stop it', async () => {
  for (const [from, to] of [['Mara Lindqvist', 'Helga Brandt'], [CREDENTIAL, 'staging-replica reader'], ['for 15 minutes', 'for 5 minutes'], [WHY, 'Routine drill.']]) {
    await asked(adaeze.page);
    await adaeze.page.route(`**${request}/approve`, async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, body: (await response.text()).replaceAll(from, to) });
    });
    await adaeze.go(`${request}/approve`);
    assert.match(await adaeze.refusal(), /Stop\. What this page shows is not what it was given to sign/, to);
    assert.deepEqual(await asked(adaeze.page), []);
    await adaeze.page.unroute(`**${request}/approve`);
  }
});

test('a ledger behind what the device has seen is refused', async () => {
  let old;
  const keep = await bend(adaeze.page, '**/api/v1/ledger/checkpoint?*', (answer) => { old ??= answer; });
  await adaeze.go('/ledger/0');
  await adaeze.page.locator('#verdict .chip', { hasText: 'Checked just now' }).waitFor();
  await keep();
  assert.ok(old.size > 0);
  // Something is entered, the device sees it, and then an older copy of the ledger is shown.
  await helga.invite('Priya Nair', ['approver']);
  await adaeze.go('/ledger/0');
  await adaeze.page.locator('#verdict .chip', { hasText: 'Checked just now' }).waitFor();
  const back = await bend(adaeze.page, '**/api/v1/ledger/checkpoint?*', () => old);
  await adaeze.go('/ledger/0');
  assert.match(await adaeze.refusal(), /This device has seen \d+ entries/);
  await back();
});

test('a share that a machine in the middle changed is not sent as good', async () => {
  // The share envelope of the approver is damaged: her page finds it before anything is sent.
  const back = await bend(adaeze.page, `**/api/v1${request}/evidence?*`, (e) => {
    const bytes = Buffer.from(e.shares[0].sealed, 'base64url');
    bytes[40] ^= 1;
    e.shares[0].sealed = bytes.toString('base64url');
    return e;
  });
  await adaeze.go(`${request}/approve`);
  await adaeze.page.locator('#act button[type=submit]:enabled').click();
  assert.match(await adaeze.refusal(), /Stop\. Your share does not fit this request/);
  await back();
  await mara.go(request);
  await mara.says('Waiting for two more signatures');
});

test('another browser of the same person does not open it', async () => {
  for (const person of [adaeze, jun]) {
    await person.go(`${request}/approve`);
    await person.page.locator('#act button[type=submit]:enabled').click();
    await person.page.locator('#done').waitFor({ state: 'visible' });
  }
  const elsewhere = await Person.at(vitrine, chrome);
  const key = await elsewhere.plug();
  const { credentials } = await mara.cdp.send('WebAuthn.getCredentials', { authenticatorId: mara.keys[0] });
  await elsewhere.cdp.send('WebAuthn.addCredential', { authenticatorId: key, credential: { ...credentials[0], signCount: credentials[0].signCount + 50 } });
  await elsewhere.signIn(request);
  await elsewhere.says('Two of two signed');
  assert.match(await elsewhere.refusal(), /This browser does not hold the key of this request/);
  assert.equal(await elsewhere.page.locator('#open:enabled').count(), 0);
  await elsewhere.context.close();
  // The copy's counter went ahead, so the original is behind now: it looks copied, which it is.
  await signedOut(mara);
  await mara.page.click('#sign-in button');
  assert.match(await mara.refusal(), /counter went back/);
  await helga.go('/people');
  await helga.page.getByRole('link', { name: 'Mara Lindqvist' }).click();
  await helga.page.getByText('Suspended').first().waitFor();
});

test('without its script the page finds, shows and takes back', async () => {
  const priya = await Person.at(vitrine, chrome);
  await priya.join(await helga.invite('Petra Novak', ['requester']));
  const filed = await ask(priya, credential, 'A second time.');
  const plain = await chrome.newContext({ baseURL: vitrine.origin, javaScriptEnabled: false, storageState: await priya.context.storageState() });
  const page = await plain.newPage();
  await page.goto('/break?q=ord');
  await page.locator('#found label', { hasText: CREDENTIAL }).click();
  await page.getByRole('button', { name: 'Take the marked one' }).click();
  assert.match(await page.locator('h1').innerText(), /Ask for/);
  assert.deepEqual(await page.locator('noscript h2').allInnerTexts(), ['This page cannot reach your key']);
  await page.goto(filed);
  assert.match(await page.locator('h1').innerText(), /Waiting for two more signatures/);
  await page.getByText('Withdraw…').click();
  await page.getByRole('button', { name: 'Withdraw the request' }).click();
  assert.equal(await page.locator('h1').innerText(), 'Withdrawn');
  await page.goto('/you');
  await page.getByRole('button', { name: 'Sign out' }).click();
  assert.match(page.url(), /\/sign-in$/);
  await page.goto('/');
  assert.match(page.url(), /\/sign-in$/);
  await plain.close();
  await priya.context.close();
});
