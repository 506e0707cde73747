// People in a real Chromium: a context each, with virtual security keys (Chrome DevTools Protocol, WebAuthn domain).
// An authenticator belongs to a page's target: another page of the same context does not see it, so each person has one page.

import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { test } from 'node:test';
import { chromium } from 'playwright-core';
import { out } from './vitrine.js';

const ARGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

/** Without credProtect, which the virtual authenticator does not have; PRF by hmac-secret, at creation too (CTAP 2.2). */
const KEY = {
  protocol: 'ctap2', ctap2Version: 'ctap2_2', transport: 'usb', hasResidentKey: true, hasUserVerification: true, isUserVerified: true,
  hasHmacSecret: true, hasHmacSecretMc: true, automaticPresenceSimulation: true,
};

export const browser = () => chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', headless: true, args: ARGS });

/** One person at one browser. */
export class Person {
  constructor(vitrine, context, page, cdp) {
    Object.assign(this, { vitrine, context, page, cdp, keys: [], errors: [] });
    page.on('pageerror', (error) => this.errors.push(String(error)));
    page.on('console', (message) => {
      // A refusal's status is logged by the browser itself, and is no fault of the page.
      if (message.type() === 'error' && !/Failed to load resource/.test(message.text())) this.errors.push(message.text());
    });
  }

  static async at(vitrine, chrome) {
    const context = await chrome.newContext({ baseURL: vitrine.origin, viewport: { width: 1280, height: 900 }, timezoneId: 'UTC', locale: 'en-GB' });
    const page = await context.newPage();
    page.setDefaultTimeout(15_000);
    const cdp = await context.newCDPSession(page);
    await cdp.send('WebAuthn.enable');
    return new Person(vitrine, context, page, cdp);
  }

  /** Plugs a new key in; gives its handle. */
  async plug(options = {}) {
    const { authenticatorId } = await this.cdp.send('WebAuthn.addVirtualAuthenticator', { options: { ...KEY, ...options } });
    this.keys.push(authenticatorId);
    return authenticatorId;
  }

  /** Whether a key answers when asked: `false` is a key in the drawer. */
  touches(key, enabled) {
    return this.cdp.send('WebAuthn.setAutomaticPresenceSimulation', { authenticatorId: key, enabled });
  }

  /** Touches the one key that Vitrine knows by this id, and leaves the others alone: a browser gives up where a key that is not asked for is touched. */
  async touchesOnly(authenticator) {
    const me = await this.page.evaluate(() => fetch('/api/v1/you').then((answer) => answer.json()));
    const id = me.keys.find((k) => k.authenticator === authenticator).credential_id;
    for (const key of this.keys) {
      const { credentials } = await this.cdp.send('WebAuthn.getCredentials', { authenticatorId: key });
      await this.touches(key, credentials.some((c) => Buffer.from(c.credentialId, 'base64').toString('base64url') === id));
    }
  }

  async touchesAny() {
    for (const key of this.keys) await this.touches(key, true);
  }

  /** Whether its PIN or finger is right. */
  verifies(key, isUserVerified) {
    return this.cdp.send('WebAuthn.setUserVerified', { authenticatorId: key, isUserVerified });
  }

  /** Makes the key lie: `isBogusSignature`, `isBadUV`, `isBadUP`. */
  lies(key, lie) {
    return this.cdp.send('WebAuthn.setResponseOverrideBits', { authenticatorId: key, isBogusSignature: false, isBadUV: false, isBadUP: false, ...lie });
  }

  /** Goes there; once more where the page was just loading itself again, and so came between. */
  async go(path) {
    try {
      return await this.page.goto(path);
    } catch (error) {
      if (!/interrupted by another navigation|net::ERR_ABORTED/.test(error.message)) throw error;
      return this.page.goto(path);
    }
  }

  heading() {
    return this.page.locator('h1').innerText();
  }

  /** Waits until the page's `h1` says this. */
  says(text) {
    return this.page.locator('h1', { hasText: text }).waitFor();
  }

  /** The refusal that the page shows, once it does. */
  async refusal() {
    const box = this.page.locator('#refusal');
    await box.waitFor({ state: 'visible' });
    return box.innerText();
  }

  /** Accepts an invitation with one key, and stops at the card. */
  async join(invitation, { second = false } = {}) {
    const first = this.keys[0] ?? await this.plug();
    await this.go(`/join#${invitation}`);
    await this.says('Now your first key');
    await this.page.click('#enrol button[type=submit]:not(#without)');
    await this.says('Now your second key');
    if (second) {
      await this.touches(first, false);
      await this.plug();
      await this.page.click('#enrol button[type=submit]:not(#without)');
      const admit = this.page.getByRole('button', { name: 'Touch the key I had' });
      await admit.waitFor();
      await this.touches(first, true);
      await this.touches(this.keys[1], false);
      await admit.click();
    } else {
      await this.page.click('#later');
    }
    await this.says('Print your card');
    if (second) await this.touches(this.keys[1], true);
  }

  async signIn(to = '/') {
    await this.go(`/sign-in?to=${encodeURIComponent(to)}`);
    await this.page.click('#sign-in button');
    await this.page.waitForURL((url) => url.pathname !== '/sign-in');
  }

  /** Invites somebody; gives the token. */
  async invite(name, roles) {
    await this.go('/people');
    await this.page.fill('#invite #name', name);
    for (const box of await this.page.locator('#invite input[name=role]').all()) await box.setChecked(roles.includes(await box.getAttribute('value')));
    await this.page.click('#invite button[type=submit]');
    await this.page.locator('#invited').waitFor({ state: 'visible' });
    const link = await this.page.locator('#invited [data-fill=link]').innerText();
    return link.replace(/^.*#/, '');
  }
}

/** Whatever a page's script asks of a key from now on is noted: `asked(page)` gives the challenges, as hex. */
export async function watchTouches(page) {
  await page.addInitScript(() => {
    const hex = (bytes) => Array.from(new Uint8Array(bytes.buffer ?? bytes), (b) => b.toString(16).padStart(2, '0')).join('');
    for (const act of ['get', 'create']) {
      const real = CredentialsContainer.prototype[act];
      CredentialsContainer.prototype[act] = function noted(options) {
        const all = JSON.parse(sessionStorage.getItem('asked') ?? '[]');
        sessionStorage.setItem('asked', JSON.stringify([...all, hex(options.publicKey.challenge)]));
        return real.call(this, options);
      };
    }
  });
}

/** The challenges that keys were asked to sign in this tab, oldest first; forgotten by asking. */
export const asked = (page) => page.evaluate(() => {
  const all = JSON.parse(sessionStorage.getItem('asked') ?? '[]');
  sessionStorage.removeItem('asked');
  return all;
});

/** Changes a JSON answer on its way to the page. Gives a function that lets answers through again. */
export async function bend(page, url, change) {
  const act = async (route) => {
    const response = await route.fetch();
    const body = await response.json();
    await route.fulfill({ response, json: change(body) ?? body });
  };
  await page.route(url, act);
  return () => page.unroute(url, act);
}

/** Founds a drill safe of these approvers, `m` of whom must sign; gives its path. */
export async function foundSafe(custodian, name, approvers, m) {
  const { page } = custodian;
  await custodian.go('/safes/new');
  await page.check('#drill');
  await page.fill('#name', name);
  await page.fill('#m', String(m));
  for (const { called } of approvers) await page.locator('#approvers label', { hasText: called }).click();
  await page.fill('#why', 'To rehearse with.');
  await page.click('#roster button[type=submit]');
  await page.waitForURL(/\/requests\//);
  const request = new URL(page.url()).pathname;
  for (const { person } of approvers) {
    await person.go(`${request}/accept`);
    await person.page.locator('#act button[type=submit]:enabled').first().click();
    await person.page.locator('#done').waitFor({ state: 'visible' });
  }
  await custodian.says('Done'); // the page comes again by itself, and must not come between
  await custodian.go('/safes');
  await page.getByRole('link', { name }).click();
  await custodian.says(name);
  return new URL(page.url()).pathname;
}

/** Adds a password that Vitrine generates; gives its path. */
export async function generated(custodian, safe, name) {
  const { page } = custodian;
  await custodian.go(`${safe}/credentials/new`);
  await page.fill('#name', name);
  await page.check('input[name=how][value=generate]');
  await page.click('#new button[type=submit]');
  await page.waitForURL(/\/credentials\/[0-9a-f-]{36}$/);
  return new URL(page.url()).pathname;
}

/** Asks for a credential; gives the request's path. */
export async function ask(requester, credential, why) {
  const { page } = requester;
  await requester.go(`/break?c=${credential.split('/').at(-1)}`);
  await page.fill('#why', why);
  await page.click('#file');
  await page.waitForURL(/\/requests\//);
  return new URL(page.url()).pathname;
}

/** Signs a request with one's key. */
export async function signs(approver, request) {
  await approver.go(`${request}/approve`);
  await approver.page.locator('#act button[type=submit]:enabled').click();
  await approver.page.locator('#done').waitFor({ state: 'visible' });
}

/**
 * Steps of a story, each resting on the one before: after a failure the rest is skipped, and what the pages of `who` show is kept as pictures.
 * @param {Record<string, Person>} who @param {() => {log: () => string}} vitrine
 */
export function steps(who, vitrine) {
  let broken = false;
  return (name, act) => test(name, async (t) => {
    if (broken) return t.skip('a step before it failed');
    try {
      await act(t);
      for (const [id, person] of Object.entries(who)) assert.deepEqual(person.errors.splice(0), [], `${id}'s page logged faults`);
    } catch (error) {
      broken = true;
      await mkdir(out('target', 'screenshots'), { recursive: true });
      for (const [id, person] of Object.entries(who)) await person.page.screenshot({ path: out('target', 'screenshots', `failed-${id}.png`), fullPage: true }).catch(() => {});
      error.message += `\n--- vitrine said:\n${vitrine().log()}`;
      throw error;
    }
  });
}
