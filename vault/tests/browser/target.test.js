// A credential that lives in a real database: bound there by its quorum, made there, seen once, used, and changed after check-in.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { target } from './database.js';
import { faults, look } from './look.js';
import { ask, browser, foundSafe, Person, signs, steps } from './people.js';
import { founded } from './vitrine.js';

const CREDENTIAL = 'orders-primary superuser';
const ACCOUNT = 'orders_admin';
const FIRST = 'start-password';

let vitrine;
let chrome;
let database;
const who = {};
const at = {};

before(async () => {
  // The database stands still while its pages are looked at.
  [vitrine, database] = await Promise.all([founded({ env: { VITRINE_ROTATION_DEADLINE_S: '60' } }), target()]);
  await database.sql(`CREATE ROLE ${ACCOUNT} LOGIN SUPERUSER PASSWORD '${FIRST}'`);
  chrome = await browser();
  for (const name of ['helga', 'adaeze', 'jun', 'mara']) who[name] = await Person.at(vitrine, chrome);
  const { helga, adaeze, jun, mara } = who;
  await helga.join(vitrine.invitation);
  await adaeze.join(await helga.invite('Adaeze Obi', ['approver']));
  await jun.join(await helga.invite('Jun Takahashi', ['approver']));
  await mara.join(await helga.invite('Mara Lindqvist', ['requester']));
  at.safe = await foundSafe(helga, 'Production databases', [{ person: adaeze, called: 'Adaeze Obi' }, { person: jun, called: 'Jun Takahashi' }], 2);
});
after(async () => {
  await chrome?.close();
  await vitrine?.stop();
  await database?.stop();
});

const step = steps(who, () => vitrine);

/** Waits until the credential's page says so of its rotation: it changes by itself. */
const rotation = ({ page }, words) => page.locator('section[aria-labelledby=rot] .notice', { hasText: words }).waitFor({ timeout: 30_000 });

step('a credential starts with no value', async () => {
  const { helga } = who;
  const { page } = helga;
  await helga.go(`${at.safe}/credentials/new`);
  await page.fill('#name', CREDENTIAL);
  await page.check('input[name=how][value=target]');
  await page.click('#new button[type=submit]');
  await helga.says(`Where ${CREDENTIAL} is changed`);
  at.credential = new URL(page.url()).pathname.replace(/\/target$/, '');
  await helga.go(at.credential);
  await page.getByText('Nothing is sealed yet').first().waitFor();
  await look(page, 'credential-empty');
  // Nobody can ask for what is not there, and the page says so once.
  await who.mara.go(`/break?c=${at.credential.split('/').at(-1)}`);
  await who.mara.page.getByRole('heading', { name: 'Nothing is sealed yet' }).waitFor();
  assert.equal(await who.mara.page.locator('#file').count(), 0);
});

step('a custodian drafts its target, and the administrator runs the SQL', async () => {
  const { helga } = who;
  const { page } = helga;
  await helga.go(`${at.credential}/target`);
  await page.fill('#account', ACCOUNT);
  await page.fill('#address', database.address);
  await page.fill('#pin', 'abc');
  await page.getByRole('button', { name: 'Make the SQL' }).click();
  assert.match(await helga.refusal(), /fingerprint|64|pin/i);
  assert.ok(await page.locator('#sql').isHidden());
  await look(page, 'target-refused');
  await page.fill('#pin', database.pin);
  await page.getByRole('button', { name: 'Make the SQL' }).click();
  await page.locator('#sql').waitFor({ state: 'visible' });
  assert.ok(await page.locator('#refusal').isHidden());
  const sql = await page.locator('[data-fill=sql]').innerText();
  assert.match(sql, /SCRAM-SHA-256\$/);
  await look(page, 'target-sql');
  await database.sql(sql);
  // What is signed is what the SQL was made for: another address is another draft.
  await page.fill('#address', `${database.address}s`);
  assert.ok(await page.locator('#ask').isHidden());
  await page.fill('#address', database.address);
  await page.getByRole('button', { name: 'Make the SQL' }).click();
  await page.locator('#sql').waitFor({ state: 'visible' });
  await database.sql(await page.locator('[data-fill=sql]').innerText());
  // It is there again after a reload, on the credential's page too; and is the same.
  const again = async () => {
    const draft = page.locator('details[data-sql]', { hasText: `The SQL for ${ACCOUNT} at ${database.address}, a draft` }).first();
    await draft.locator('summary').click();
    await draft.getByText('SCRAM-SHA-256$').waitFor();
    return draft.locator('[data-copy-text]').innerText();
  };
  const shown = await page.locator('[data-fill=sql]').innerText();
  await helga.go(at.credential);
  assert.equal(await again(), shown);
  await look(page, 'credential-sql');
  await helga.go(`${at.credential}/target`);
  assert.equal(await again(), shown);
  await page.fill('#account', ACCOUNT);
  await page.fill('#address', database.address);
  await page.fill('#pin', database.pin);
  await page.getByRole('button', { name: 'Make the SQL' }).click();
  await page.locator('#sql').waitFor({ state: 'visible' });
  await database.sql(await page.locator('[data-fill=sql]').innerText());
  await page.fill('#why', 'Its password is kept here from now on.');
  await page.click('#ask button[type=submit]');
  await page.waitForURL(/\/requests\//);
  at.binding = new URL(page.url()).pathname;
  await helga.says('Waiting for two more signatures');
  await look(page, 'request-target');
});

step('its quorum signs where it lives', async () => {
  const { adaeze, jun, helga } = who;
  const { page } = adaeze;
  await adaeze.go('/');
  await look(page, 'home-target');
  await page.getByRole('link', { name: 'Read it and decide' }).click();
  await page.getByRole('button', { name: 'Approve with key' }).and(page.locator(':enabled')).waitFor();
  const facts = await page.locator('#verified').innerText();
  for (const word of [ACCOUNT, database.address, database.pin]) assert.ok(facts.includes(word), `${word} is read before it is signed`);
  await look(page, 'approve-target');
  await page.getByRole('button', { name: 'Approve with key' }).click();
  await page.getByText('You signed, 1 of 2').waitFor();
  await signs(jun, at.binding);
  await helga.says('Done');
  await look(helga.page, 'request-target-done');
  await helga.go(`${at.credential}/target`);
  const now = helga.page.locator('aside section', { has: helga.page.getByRole('heading', { name: 'Now' }) });
  for (const word of [ACCOUNT, database.address, database.pin]) await now.getByText(word).first().waitFor();
  await look(helga.page, 'target-bound');
});

step('its first rotation makes a password that nobody saw', async () => {
  const { helga } = who;
  assert.ok(await database.logsIn(ACCOUNT, FIRST));
  await helga.go(at.credential);
  await helga.page.getByRole('button', { name: 'Make the first one now' }).click();
  await rotation(helga, /Version 1 is current/);
  assert.equal(await database.logsIn(ACCOUNT, FIRST), false, 'the first password is dead');
  await look(helga.page, 'credential-bound');
});

step('it is opened, and opens the database', async () => {
  const { mara, adaeze, jun } = who;
  const { page } = mara;
  at.request = await ask(mara, at.credential, 'Primary refuses every login.');
  await signs(adaeze, at.request);
  await signs(jun, at.request);
  await mara.says('Two of two signed');
  await page.locator('#open:enabled').click();
  await page.waitForURL(/\/opened$/);
  await page.locator('#copy:enabled').waitFor();
  at.secret = await page.locator('#secret').evaluate((node) => node.textContent);
  await page.getByText(`psql -W -h 127.0.0.1 -p ${database.port} -U ${ACCOUNT} orders`).waitFor();
  assert.ok(await database.logsIn(ACCOUNT, at.secret), 'what is shown opens the database');
  await page.locator('#hide').click(); // the pictures are kept
  await look(page, 'opened-target');
});

step('after check-in it is changed there, and the old one is dead', async () => {
  const { mara, helga, adaeze } = who;
  const release = await database.hold('vitrine.rotated');
  await helga.go(at.credential);
  await mara.page.getByRole('button', { name: 'Check in and change it' }).click();
  await mara.says('Checked in');
  // Sealed, and not yet at the target.
  await rotation(helga, /The password is v1 or v2, changing/);
  await look(helga.page, 'rotation-staged');
  // At the target, and not yet proved: the fresh login waits for the database.
  const proof = await database.hold('pg_catalog.pg_db_role_setting');
  await release();
  await rotation(helga, /The new password, v2, is at the target; proving/);
  await look(helga.page, 'rotation-proving');
  await mara.go(at.request);
  await look(mara.page, 'request-changing');
  await adaeze.go(at.request);
  await adaeze.page.locator('.notice', { hasText: 'The new password, v2, is at the target; proving' }).waitFor();
  // Either may be the one that works, and each can be asked for.
  await mara.go(`/break?c=${at.credential.split('/').at(-1)}`);
  const which = mara.page.getByRole('group', { name: 'Which one?' });
  assert.deepEqual(await which.locator('label').allInnerTexts(), ['Version 2: may be in force: a rotation is not proved', 'Version 1: worked last', 'Each that may work: a request and a touch for each']);
  assert.equal(await which.locator('input:checked').getAttribute('value'), '1');
  await look(mara.page, 'break-two-versions');
  await which.locator('label', { hasText: 'Each that may work' }).click();
  await mara.page.fill('#why', 'Whichever works.');
  await mara.page.click('#file');
  await mara.page.waitForURL((url) => url.pathname === '/');
  const yours = await mara.page.locator('section[aria-labelledby=mine] .t a').evaluateAll((all) => all.map((a) => a.getAttribute('href')));
  assert.equal(yours.length, 2);
  const versions = [];
  for (const request of yours) {
    versions.push(await mara.page.evaluate((at) => fetch(`/api/v1${at}`).then((answer) => answer.json()).then((live) => live.version), request));
    await mara.go(request);
    await mara.page.getByText('Withdraw…').click();
    await mara.page.getByRole('button', { name: 'Withdraw the request' }).click();
    await mara.says('Withdrawn');
  }
  assert.deepEqual(versions.sort(), [1, 2]);
  await proof();
  await rotation(helga, /Version 2 is current; the one before is dead/);
  await look(helga.page, 'credential-rotated');
  assert.equal(await database.logsIn(ACCOUNT, at.secret), false, 'what was seen opens nothing any more');
  // The page of the closed request changes by itself, too.
  await adaeze.page.locator('.notice', { hasText: 'Version 2 is current' }).waitFor({ timeout: 30_000 });
  await adaeze.page.getByText('the old one is dead').waitFor();
  assert.equal(new URL(adaeze.page.url()).search, '');
  await look(adaeze.page, 'request-changed');
  await helga.go('/ledger?q=rotation.promoted');
  assert.equal(await helga.page.locator('tbody tr').count(), 2);
});

test('no page has a fault of accessibility', () => assert.deepEqual(faults, [], faults.join('\n\n')));
