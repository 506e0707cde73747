// One touch over one statement, for everything that is neither a decision nor a release: invitations, roles, keys, imports.

import { b64u, fromB64u, hex, newId, random } from './bytes.js';
import { path } from './api.js';
import { H } from './hash.js';
import { catchUp } from './ledger.js';
import { Refusal } from './refusal.js';
import * as statement from './statement.js';

const DAY_S = 86_400;

/** The signed-in person with live keys: `{user, name, keys}`. */
export async function you(api) {
  const me = await api.get('/you');
  const keys = me.keys.filter((k) => k.live);
  if (keys.length === 0) throw new Refusal('no_live_key', { what: 'Nothing was signed.', why: 'You have no key that signs.', next: 'Ask a custodian to restore one, or to invite you again.' });
  return { ...me, keys };
}

/**
 * Builds a statement of a kind fixed by the caller, asks for one touch, keeps a receipt.
 * @param {object} client
 * @param {string} kind @param {object} members all but `ledger`, `nonce`, `signer`
 * @param {{rpId: string, ledger: string, user: string, allow: string[], prf?: boolean, how?: object}} by
 * @returns {Promise<{signed: {statement: string, credential_id: string, assertion: object}, challenge: Uint8Array, value: object, prf: Uint8Array | null}>}
 */
export async function touch({ webauthn, pins, now }, kind, members, { rpId, ledger, user, allow, prf = false, how }) {
  const built = await statement.build(kind, { ...members, ledger, signer: user });
  const got = await webauthn.get({ challenge: built.challenge, rpId, allow, prf }, how);
  if (allow.length && !allow.includes(got.touch.credential_id)) throw new Refusal('other_key', { what: 'Nothing was sent.', why: 'Another key signed than those asked for.', next: 'Try again with one of your keys.' });
  const request = members.request ?? members.subject?.request;
  await pins.receipt({ ledger, kind, statement: built.text, challenge: hex(built.challenge), time: now(), ...(request && { request }) });
  return { signed: { statement: built.text, ...got.touch }, challenge: built.challenge, value: built.value, prf: got.prf };
}

/** Signs as the person signed in, with any live key, after checking the ledger against this device's memory. */
export async function sign(client, kind, members, how) {
  const me = await you(client.api);
  const vault = await catchUp(client);
  return touch(client, kind, members, { rpId: vault.rpId, ledger: vault.ledger, user: me.user, allow: me.keys.map((k) => k.credential_id), how });
}

/**
 * Invites a person. The token is shown once and never sent: the statement carries its hash.
 * @returns {Promise<{user: string, token: string, link: string, expires: number}>} `link` is a path with the token in its fragment
 */
export async function invite(client, { name, roles, days = 7 }, how) {
  const token = random(32);
  const user = newId();
  const expires = client.now() + days * DAY_S * 1e6;
  const invitation = hex(await H('invitation', token));
  const { signed } = await sign(client, 'invite', { expires, invitation, name: statement.tidy(name), roles: [...new Set(roles)], user }, how);
  await client.api.post('/people', { signed });
  return { user, token: b64u(token), link: `/join#${b64u(token)}`, expires };
}

/** Gives a person exactly these roles. */
export async function setRoles(client, { user, roles }, how) {
  const { signed } = await sign(client, 'roles', { roles: [...new Set(roles)], user }, how);
  return client.api.post(path`/people/${user}/roles`, { signed });
}

const keyAct = (kind, verb) => async (client, { user, authenticator, why }, how) => {
  const { signed } = await sign(client, kind, { authenticator, user, why: statement.tidy(why) }, how);
  return client.api.post(path`/keys/${authenticator}/` + verb, { signed });
};
/** Revokes a key, for good: `{user, authenticator, why}`. */
export const revokeKey = keyAct('revoke', 'revoke');
/** Suspends a key: `{user, authenticator, why}`. */
export const suspendKey = keyAct('suspend', 'suspend');
/** Restores a suspended key: `{user, authenticator, why}`. */
export const restoreKey = keyAct('unsuspend', 'unsuspend');

/** Imports a value that somebody chose into the safe that they mean: it is sealed, then the custodian signs what was sealed. */
export async function importValue(client, { credential, safe, value }, how) {
  const sealed = await client.api.post(path`/credentials/${credential}/import`, { safe, value });
  const { signed } = await sign(client, 'import', { credential, envelope: sealed.envelope, safe, version: sealed.version }, how);
  return client.api.post(path`/credentials/${credential}/import/finish`, { signed });
}

/** The token of an invitation, from a fragment, a link or what was typed; null when it is none. */
export function invitationFrom(text) {
  const token = text.trim().replace(/^.*#/s, '').replace(/^(?:i|invitation)=/, '');
  try {
    return fromB64u(token).length === 32 ? token : null;
  } catch {
    return null;
  }
}
