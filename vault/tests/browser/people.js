// People in a real Chromium: a context each, with virtual security keys (Chrome DevTools Protocol, WebAuthn domain).
// An authenticator belongs to a page's target: another page of the same context does not see it, so each person has one page.

import { chromium } from 'playwright-core';

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

  /** Whether its PIN or finger is right. */
  verifies(key, isUserVerified) {
    return this.cdp.send('WebAuthn.setUserVerified', { authenticatorId: key, isUserVerified });
  }

  /** Makes the key lie: `isBogusSignature`, `isBadUV`, `isBadUP`. */
  lies(key, lie) {
    return this.cdp.send('WebAuthn.setResponseOverrideBits', { authenticatorId: key, isBogusSignature: false, isBadUV: false, isBadUP: false, ...lie });
  }

  go(path) {
    return this.page.goto(path);
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
