// Signing in without a user name: one touch, no PRF. The challenge is the hash of a login statement made here.

import * as statement from './statement.js';

/** One touch. @returns {Promise<{user: string, name: string, roles: string[]}>} */
export async function login({ api, pins, webauthn }, how) {
  const start = await api.post('/login/start');
  await pins.meet(start.ledger);
  const login = await statement.build('login', { ledger: start.ledger, nonce: start.nonce });
  const { touch, userHandle } = await webauthn.get({ challenge: login.challenge, rpId: start.rp_id }, how);
  return api.post('/login/finish', { statement: login.text, ...touch, user_handle: userHandle ?? undefined });
}

/** Ends this session. */
export const logout = ({ api }) => api.post('/logout');
