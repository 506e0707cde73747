// Enrolling a key (DESIGN.md 5): `create`; a `prove` touch only where `create` gave no PRF output; `enrol`, which asks for PRF
// again and opens a box sealed to the new share key. A further key is admitted by one more touch, of a key held already.

import { path } from './api.js';
import { b64u, equal, fromB64u, hex, newId } from './bytes.js';
import * as canonical from './canonical.js';
import { EnvelopeError, parseEnvelope } from './envelope.js';
import { H } from './hash.js';
import { shareKey } from './prf.js';
import { Refusal } from './refusal.js';
import { openBox, openShare, sealToOwn, ShareError } from './share.js';
import { invitationFrom } from './sign.js';
import * as statement from './statement.js';

/** The steps that `step` is called with before each touch; the page may wait for a press there. */
export const STEPS = ['create', 'prove', 'sign', 'admit'];

const noPrf = () => new Refusal('no_prf', {
  what: 'This key cannot hold a share.',
  why: 'It signed, but lacks PRF (hmac-secret), or this browser cannot reach it.',
  next: 'Take another key, or keep this one for signing in only.',
});

async function derived(prf, of) {
  return prf ? shareKey(prf, of) : null;
}

async function proveTouch({ api, webauthn }, { start, credentialId, how }) {
  const { nonce } = await api.post('/prove/start');
  const prove = await statement.build('prove', { ledger: start.ledger, nonce, user: start.user });
  const got = await webauthn.get({ challenge: prove.challenge, rpId: start.rp_id, allow: [credentialId], prf: true }, how);
  return got.prf;
}

// What both ways share: everything up to the body of `finish`.
async function ceremony(client, { start, base, invitation, step, withoutShare, how }) {
  const { api, webauthn } = client;
  const invited = invitation === undefined ? undefined : hex(await H('invitation', fromB64u(invitation)));
  const register = await statement.build('register', { invitation: invited, ledger: start.ledger, nonce: start.nonce, user: start.user });

  await step('create');
  const made = await webauthn.create({
    challenge: register.challenge, rpId: start.rp_id, rpName: start.ledger_name, user: start.user, name: start.name, exclude: start.exclude, attestation: start.attestation,
  }, how);
  const of = { credentialId: made.credentialId, ledger: start.ledger, user: start.user };

  let pair = await derived(made.prf, of);
  if (!pair && made.prfEnabled !== false) {
    await step('prove');
    pair = await derived(await proveTouch(client, { start, credentialId: made.credentialId, how }), of);
  }
  if (!pair && !withoutShare) throw noPrf();
  const box = pair && (await api.post(`${base}/box`, { share_key: b64u(pair.publicBytes) })).box;

  const enrol = await statement.build('enrol', {
    aaguid: b64u(made.aaguid), authenticator: newId(), credential_id: made.credentialId, invitation: invited, ledger: start.ledger, name: start.name,
    public_key: b64u(made.publicKey), registration_sha256: hex(await H('registration', canonical.encode(made.registration))),
    share_key: pair ? b64u(pair.publicBytes) : undefined, signer: start.user, user: start.user,
  });
  await step('sign');
  const { touch, prf } = await webauthn.get({ challenge: enrol.challenge, rpId: start.rp_id, allow: [made.credentialId], prf: pair !== null }, how);
  if (touch.credential_id !== made.credentialId) throw new Refusal('other_key', { what: 'Not enrolled.', why: 'Another key signed than the new one.', next: 'Start again, with the new key alone.' });

  let opened;
  if (pair) {
    const again = await derived(prf, of);
    if (!again || !equal(again.publicBytes, pair.publicBytes)) throw new Refusal('prf_unsteady', { what: 'Not enrolled.', why: 'The key gave two different PRF answers.', next: 'Take another key.' });
    opened = b64u(await openBox(again, fromB64u(box), { ledger: start.ledger, user: start.user }));
  }
  return { enrol, pair, body: { register: register.text, registration: made.registration, signed: { statement: enrol.text, ...touch }, ...(opened !== undefined && { box: opened }) } };
}

/** Reads an invitation: who is invited, to what. The token is sent in the body alone. */
export async function invitation({ api, pins }, text) {
  const token = invitationFrom(text);
  if (!token) throw new Refusal('invitation_malformed', { what: 'This is not an invitation.', why: 'An invitation has 43 letters, digits, - and _.', next: 'Copy the whole link again.' });
  const start = await api.post('/join/start', { invitation: token });
  await pins.meet(start.ledger);
  return { token, start };
}

/**
 * Accepts an invitation with a first key.
 * @param {object} client @param {{token: string, start: object}} invited from `invitation`; `start` serves one attempt
 * @param {{step?: (name: string) => unknown, withoutShare?: boolean}} [options] `withoutShare`: go on with a key that can hold no share
 * @returns {Promise<{user: string, authenticator: string, software: boolean, model?: string, ledger: string}>}
 */
export async function join(client, { token, start }, { step = () => {}, withoutShare = false, ...how } = {}) {
  const { body } = await ceremony(client, { start, base: '/join', invitation: token, step, withoutShare, how });
  return { ...(await client.api.post('/join/finish', { invitation: token, ...body })), ledger: start.ledger };
}

// What one request may carry of re-sealed shares.
const AT_ONCE = 100;

// Opens one's shares with the key that admitted, and seals them to the new one, which this page derived itself. What does not open stays as
// it is: the old key still has it.
async function resealOwn({ api }, { start, authenticator, pair, touch, prf }) {
  const old = await derived(prf, { credentialId: touch.credential_id, ledger: start.ledger, user: start.user });
  const { shares } = await api.get('/you/shares');
  const mine = old ? shares.filter((s) => s.credential_id === touch.credential_id) : [];
  const sealed = [];
  for (const { credential, version, x, sealed: message, authenticator: held, envelope: text } of mine) {
    let part;
    try {
      const { ctx, shareCommitments } = await parseEnvelope(text);
      part = await openShare(old, { approver: start.user, authenticator: held, x, sealed: fromB64u(message) }, ctx, shareCommitments);
      sealed.push({ credential, version, sealed: b64u(await sealToOwn(part, { approver: start.user, authenticator, x }, pair.publicBytes, ctx)) });
    } catch (error) {
      if (!(error instanceof ShareError || error instanceof EnvelopeError)) throw error;
    } finally {
      part?.fill(0);
    }
  }
  for (let at = 0; at < sealed.length; at += AT_ONCE) await api.post(path`/you/keys/${authenticator}/shares`, { shares: sealed.slice(at, at + AT_ONCE) });
  return { held: new Set(shares.map((s) => `${s.credential} ${s.version}`)).size, sealed: sealed.length };
}

/**
 * What each of one's keys does not open that another of them does: `{authenticator: number of versions}`. `shares` as `/you/shares` gives them.
 * @param {{authenticator: string, credential: string, version: number}[]} shares
 */
export function lacking(shares, authenticators) {
  const of = (s) => `${s.credential} ${s.version}`;
  const all = new Set(shares.map(of));
  return new Map(authenticators.map((a) => [a, all.size - new Set(shares.filter((s) => s.authenticator === a).map(of)).size]));
}

/**
 * Seals to one key of one's own the shares that another opens, both in hand: what adding a key does last, where that was cut off.
 * @param {object} client @param {{ledger: string, rpId: string, user: string, authenticator: string, pair: {publicBytes: Uint8Array}}} to `pair`: derived by a touch of
 *   that key, and compared with its enrolment
 */
export async function sealOlder(client, { ledger, rpId, user, authenticator, pair }, how) {
  const { shares } = await client.api.get('/you/shares');
  const allow = [...new Set(shares.filter((s) => s.authenticator !== authenticator).map((s) => s.credential_id))];
  if (allow.length === 0) throw new Refusal('nothing_older', { what: 'Nothing was sealed.', why: 'No other key of yours opens a share.', next: 'There is nothing to do.' });
  const { nonce } = await client.api.post('/prove/start');
  const prove = await statement.build('prove', { ledger, nonce, user });
  const { touch, prf } = await client.webauthn.get({ challenge: prove.challenge, rpId, allow, prf: true }, how);
  if (!prf) throw new Refusal('no_prf_browser', { what: 'This browser cannot reach the share in your key.', why: 'The key is fine.', next: 'Try another browser, or another device.' });
  return resealOwn(client, { start: { ledger, user }, authenticator, pair, touch, prf });
}

/**
 * Adds a further key of one's own, both keys in hand: the same enrol statement is signed by another live key, and by that touch's PRF
 * the shares that it holds are sealed to the new one as well.
 * @returns {Promise<{user: string, authenticator: string, software: boolean, model?: string, ledger: string, shares: {held: number, sealed: number}}>}
 */
export async function addKey(client, { step = () => {}, withoutShare = false, ...how } = {}) {
  const { api, pins, webauthn } = client;
  const me = await api.get('/you');
  const start = await api.post('/you/keys/start');
  await pins.meet(start.ledger);
  const { enrol, pair, body } = await ceremony(client, { start, base: '/you/keys', step, withoutShare, how });
  await step('admit');
  const held = me.keys.filter((k) => k.live).map((k) => k.credential_id);
  const { touch, prf } = await webauthn.get({ challenge: enrol.challenge, rpId: start.rp_id, allow: held, prf: pair !== null }, how);
  const added = await api.post('/you/keys/finish', { ...body, admission: touch });
  const shares = pair ? await resealOwn(client, { start, authenticator: added.authenticator, pair, touch, prf }) : { held: 0, sealed: 0 };
  return { ...added, ledger: start.ledger, shares };
}
