// Answers that are lost on their way, a vault that is silent, and words that are too long: what the pages say then is what is so.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { faults, look, sides } from './look.js';
import { ask, asked, browser, foundSafe, generated, Person, signs, watchTouches } from './people.js';
import { founded } from './vitrine.js';

let vitrine;
let chrome;
let helga;
let adaeze;
let jun;
let mara;
let credential;

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
  credential = await generated(helga, safe, 'orders-primary superuser');
});
after(async () => {
  await chrome?.close();
  await vitrine?.stop();
});

/** Lets what is posted there arrive, and loses the answer, so many times. Gives a function that tells how often it did. */
async function loses(person, url, times, { arrives = true } = {}) {
  let lost = 0;
  await person.page.route(url, async (route) => {
    if (route.request().method() !== 'POST' || lost === times) return route.fallback();
    lost += 1;
    if (arrives) await route.fetch();
    return route.abort('connectionreset');
  });
  return async () => {
    await person.page.unroute(url);
    return lost;
  };
}

const DECISIONS = '**/api/v1/requests/*/decisions';

/** Opens a page that decides, and presses its button; gives the panel that says what became of it. */
async function decides(person, request, act) {
  await person.go(`${request}/${act}`);
  await person.page.locator('#act button[type=submit]:enabled').click();
  return person.page.locator('#done');
}

async function shown(person, panel, words) {
  await panel.waitFor({ state: 'visible' });
  assert.match(await panel.innerText(), words);
  assert.ok(await person.page.locator('#refusal').isHidden(), 'nothing says otherwise beside it');
}

async function withdrawn(request) {
  await mara.go(request);
  await mara.page.getByText('Withdraw…').click();
  await mara.page.getByRole('button', { name: 'Withdraw the request' }).click();
  await mara.says('Withdrawn');
}

for (const [act, words] of [['approve', /You signed, 1 of 2\s+One more to sign/], ['deny', /You denied it\s+It is over, for everybody\. Mara sees your name/]]) {
  for (const arrives of [true, false]) {
    test(`one answer lost, ${arrives ? 'after' : 'before'} it arrived: ${act}`, async () => {
      const request = await ask(mara, credential, 'Primary refuses every login.');
      await asked(adaeze.page);
      const told = await loses(adaeze, DECISIONS, 1, { arrives });
      await shown(adaeze, await decides(adaeze, request, act), words);
      assert.equal(await told(), 1);
      assert.equal((await asked(adaeze.page)).length, 1, 'one touch');
      if (act === 'approve') await withdrawn(request);
    });
  }

  test(`every answer lost: ${act}`, async () => {
    const request = await ask(mara, credential, 'Primary refuses every login.');
    const told = await loses(adaeze, DECISIONS, 2);
    await shown(adaeze, await decides(adaeze, request, act), words);
    assert.equal(await told(), 2);
    if (act === 'approve') await withdrawn(request);
  });
}

test('what cannot be known is said to be unknown, and a second touch says it', async () => {
  const request = await ask(mara, credential, 'Primary refuses every login.');
  const told = await loses(adaeze, DECISIONS, 2, { arrives: false });
  await adaeze.page.route(`**/api/v1${request}`, (route) => route.abort());
  const panel = await decides(adaeze, request, 'approve');
  assert.match(await adaeze.refusal(), /Not known whether your signature arrived.*Reload this page: it says so\. A second touch does no harm/s);
  assert.ok(await panel.isHidden());
  await look(adaeze.page, 'approve-unknown');
  await told();
  await adaeze.page.unroute(`**/api/v1${request}`);
  await adaeze.page.locator('#act button[type=submit]:enabled').click();
  await shown(adaeze, panel, /You signed, 1 of 2/);
  await withdrawn(request);
});

test('after a touch nobody is asked for one', async () => {
  const request = await ask(mara, credential, 'Primary refuses every login.');
  let go;
  const held = new Promise((done) => { go = done; });
  await adaeze.page.route(DECISIONS, async (route) => {
    await held;
    await route.continue();
  });
  await adaeze.go(`${request}/approve`);
  await adaeze.page.locator('#act button[type=submit]:enabled').click();
  await adaeze.page.locator('#progress', { hasText: 'Signed. Sending it…' }).waitFor();
  go();
  await shown(adaeze, adaeze.page.locator('#done'), /You signed, 1 of 2/);
  await adaeze.page.unroute(DECISIONS);
  await withdrawn(request);
});

test('the last acceptance of a roster, its answer lost', async () => {
  await helga.go('/safes/new');
  const { page } = helga;
  await page.check('#drill');
  await page.fill('#name', 'Staging');
  await page.fill('#m', '1');
  await page.locator('#approvers label', { hasText: 'Adaeze Obi' }).click();
  await page.fill('#why', 'To rehearse with.');
  await page.click('#roster button[type=submit]');
  await page.waitForURL(/\/requests\//);
  const told = await loses(adaeze, '**/api/v1/requests/*/acceptances', 1);
  await shown(adaeze, await decides(adaeze, new URL(page.url()).pathname, 'accept'), /You accepted/);
  assert.equal(await told(), 1);
});

test('an opening whose answer was lost is shown, and never said not to be', async () => {
  const request = await ask(mara, credential, 'Primary refuses every login.');
  for (const person of [adaeze, jun]) await signs(person, request);
  await mara.says('Two of two signed');
  const told = await loses(mara, `**/api/v1${request}/open`, 1, { arrives: false });
  await mara.page.locator('#open:enabled').click();
  assert.match(await mara.refusal(), /Not known whether it opened.*Trying again shows it, or opens it: it is one opening either way/s);
  assert.doesNotMatch(await mara.page.locator('main').innerText(), /Nothing was opened/);
  await look(mara.page, 'open-unknown');
  await told();
  await loses(mara, `**/api/v1${request}/open`, 1);
  await mara.page.locator('#open:enabled').click();
  await mara.page.waitForURL(/\/opened$/);
  await mara.page.locator('#copy:enabled').waitFor();
  await mara.page.unroute(`**/api/v1${request}/open`);
});

test('a vault that is gone is missed on every page that follows a request, and found again', async () => {
  const { pathname } = new URL(mara.page.url());
  assert.match(pathname, /\/opened$/, 'the secret of the test before is still open');
  const other = await generated(helga, (await helga.go('/safes'), await helga.page.getByRole('link', { name: 'Production databases' }).getAttribute('href')), 'orders-replica superuser');
  const petra = await Person.at(vitrine, chrome);
  await petra.join(await helga.invite('Petra Novak', ['requester']));
  const request = await ask(petra, other, 'Replica lags.');
  await adaeze.go(`${request}/approve`);
  await adaeze.page.locator('#act button[type=submit]:enabled').waitFor();
  const pages = [mara, petra, adaeze].map((p) => p.page.locator('#live'));
  for (const line of pages) assert.equal(await line.textContent(), '');
  await vitrine.again(async () => {
    for (const line of pages) await line.getByText('Not live: the vault does not answer. It is asked again.').waitFor();
    await mara.page.locator('#hide').click();
    for (const [i, name] of ['opened-not-live', 'request-not-live', 'approve-not-live'].entries()) await look(pages[i].page(), name);
    await mara.page.locator('#hide').click();
  });
  for (const line of pages) await line.and(line.page().locator(':empty')).waitFor({ state: 'attached' });
  await petra.context.close();
});

test('a page that hears nothing else hears a ping', async () => {
  const { pathname } = new URL(mara.page.url());
  const heard = await mara.page.evaluate((url) => new Promise((done, fail) => {
    const source = new EventSource(url);
    source.addEventListener('ping', () => { source.close(); done(true); });
    setTimeout(() => fail(new Error('no ping in 14 s')), 14_000);
  }), `/api/v1${pathname.replace(/\/opened$/, '')}/events`);
  assert.ok(heard);
});

test('a character that nobody sees is said to be one', async () => {
  const { page } = helga;
  await helga.go('/people');
  await page.fill('#invite #name', 'Petra\u202e Novak');
  await page.locator('#invite input[name=role]').first().check();
  await page.click('#invite button[type=submit]');
  assert.match(await helga.refusal(), /The text has a character in it that nobody sees\s+Type it again in place of pasting it\./);
  assert.deepEqual(helga.errors, []);
});

test('an approver reads times in UTC and in the own zone', async () => {
  const request = await ask(mara, credential, 'Primary refuses every login.').catch(async () => {
    // It is still open from before.
    await mara.page.getByRole('button', { name: 'Check in' }).click();
    return ask(mara, credential, 'Primary refuses every login.');
  });
  const away = await chrome.newContext({ baseURL: vitrine.origin, storageState: await adaeze.context.storageState(), timezoneId: 'Asia/Tokyo', locale: 'en-GB' });
  const page = await away.newPage();
  await page.goto(`${request}/approve`);
  const expires = page.locator('#verified div', { hasText: 'Expires' }).locator('time');
  await expires.waitFor();
  const [, h, m, there] = /(\d\d):(\d\d):\d\d UTC, (\d\d:\d\d) yours$/.exec(await expires.innerText());
  assert.equal(there, `${String((Number(h) + 9) % 24).padStart(2, '0')}:${m}`);
  await withdrawn(request);
  await page.goto(request);
  assert.match(await page.locator('#lede').innerText(), /^At \d\d:\d\d UTC, \d\d:\d\d yours\. Nothing was opened\.$/);
  await page.goto('/requests');
  assert.doesNotMatch(await page.locator('table').innerText(), /yours/, 'a table has no room');
  await away.close();
});

test('nothing changes by itself what has no target, and the approver is told', async () => {
  const request = await ask(mara, credential, 'Primary refuses every login.');
  await adaeze.go(`${request}/approve`);
  const means = await adaeze.page.locator('.means').innerText();
  assert.match(means, /Nothing changes it by itself afterwards: a custodian must\./);
  assert.doesNotMatch(means, /proved dead/);
  await withdrawn(request);
});

test('long words are read to their end', async () => {
  const NAME = `orders-${'x'.repeat(110)}-primary`;
  const URL_LONG = `https://status.example.org/incidents/${'4127'.repeat(30)}#latest`;
  const TICKET = `INC-${'4127'.repeat(14)}`;
  const WHY = `Primary refuses every login. ${URL_LONG}\nCall me.`;
  await helga.go('/safes');
  const safe = await helga.page.getByRole('link', { name: 'Production databases' }).getAttribute('href');
  const long = await generated(helga, safe, NAME);
  const { page } = mara;
  await mara.go(`/break?c=${long.split('/').at(-1)}`);
  await page.fill('#why', WHY);
  await page.fill('#tk', TICKET);
  await look(page, 'long-break');
  await page.click('#file');
  await page.waitForURL(/\/requests\//);
  const request = new URL(page.url()).pathname;
  await look(page, 'long-request');
  await adaeze.go(`${request}/approve`);
  await adaeze.page.locator('#act button[type=submit]:enabled').waitFor();
  await adaeze.page.locator('summary', { hasText: 'byte for byte' }).click();
  await look(adaeze.page, 'long-approve');
  // All of the statement is inside a screen of 390 px.
  await adaeze.page.setViewportSize({ width: 390, height: 844 });
  for (const words of [NAME, URL_LONG, TICKET]) {
    const places = await adaeze.page.evaluate((text) => [...document.querySelectorAll('#headline, .quote, #verified dd, #bytes')].filter((at) => at.textContent.includes(text)).map((at) => {
      const range = document.createRange();
      range.selectNodeContents(at);
      const { left, right } = range.getBoundingClientRect();
      return left >= 0 && right <= innerWidth;
    }), words);
    assert.ok(places.length > 0 && places.every(Boolean), `${words}: ${places}`);
  }
  await adaeze.page.setViewportSize({ width: 1280, height: 900 });
  await adaeze.go(`${request}/deny`);
  await look(adaeze.page, 'long-deny');
  await mara.go('/requests');
  await look(page, 'long-requests');
  await helga.go(safe);
  await look(helga.page, 'long-safe');
  await adaeze.go('/');
  await look(adaeze.page, 'long-home');
  for (const [person, path] of [[mara, '/'], [mara, '/break?q=orders'], [helga, long], [helga, '/ledger']]) {
    await person.go(path);
    for (const width of [390, 1280]) {
      await person.page.setViewportSize({ width, height: 900 });
      await sides(person.page, path);
    }
  }
  for (const person of [adaeze, jun]) await signs(person, request);
  await mara.go(request);
  await page.locator('#open:enabled').click();
  await page.waitForURL(/\/opened$/);
  await page.locator('#hide:enabled').click();
  await look(page, 'long-opened');
  assert.deepEqual(faults, []);
});
