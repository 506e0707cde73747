// What every flow works with: the API, this device's memory, the delivery keys, the clock and the browser's WebAuthn.

import { openApi } from './api.js';
import { deliveriesOver } from './delivery.js';
import { openPins } from './pins.js';
import { openStore } from './store.js';
import * as webauthn from './webauthn.js';

/**
 * One a page. Parts may be given by tests.
 * @returns {Promise<{api: object, pins: object, deliveries: object, now: () => number, webauthn: {get: Function, create: Function}}>} `now` in microseconds
 */
export async function openClient({ api = openApi(), store, now = () => Date.now() * 1000, keys = webauthn } = {}) {
  const at = store ?? (await openStore());
  return { api, pins: await openPins(at), deliveries: deliveriesOver(at), now, webauthn: keys };
}
