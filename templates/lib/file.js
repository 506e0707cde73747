// Filing a request is a touch. For a release the page makes the delivery key, whose private half stays in this browser.

import { b64u, hex, newId, random, requestCode, utf8 } from './bytes.js';
import * as canonical from './canonical.js';
import { H } from './hash.js';
import { catchUp } from './ledger.js';
import { Refusal } from './refusal.js';
import * as statement from './statement.js';
import { touch, you } from './sign.js';

const NO_ROSTER = '0'.repeat(64);
const LONG_S = 14 * 86_400;

// A clock some seconds ahead of the vault's must not make `expires` too late.
const lifeUs = (seconds) => (seconds - Math.min(60, Math.floor(seconds / 10))) * 1e6;

/** A reason with a fresh salt and its commitment. One that approvers would read otherwise than it is written is refused before anybody signs. */
export async function commitReason(text) {
  const reason = text.replace(/\r\n?/g, '\n').normalize('NFC').trim();
  if (!reason) throw new Refusal('no_reason', { what: 'Not asked.', why: 'A request needs a reason.', next: 'Say why, in a sentence.' });
  const fault = canonical.linesFault(reason);
  if (fault) throw new Refusal('reason_text', { what: 'Not asked.', why: `The reason has ${fault} in it, which approvers would not see.`, next: 'Type it again in place of pasting it.' });
  const salt = random(32);
  return { reason, salt: b64u(salt), commitment: hex(await H('reason', salt, utf8(reason))) };
}

async function fileWith(client, purpose, members, { request = newId(), reason, ticket, expires, me, vault, poll, how, beforePost = () => {} }) {
  const why = await commitReason(reason);
  const got = await touch(client, 'request', {
    ...members, expires, purpose, reason_commitment: why.commitment, request, requester_name: me.name, ticket: ticket ? statement.tidy(ticket) : undefined,
  }, { rpId: vault.rpId, ledger: vault.ledger, user: me.user, allow: me.keys.map((k) => k.credential_id), how });
  await beforePost(got);
  const body = { signed: got.signed, reason: why.reason, salt: why.salt, ...(poll && { poll }) };
  return client.api.post('/requests', body);
}

/** The header of a version, as an object, checked against the row it came with. */
export function headerOf(version, { credential, ledger }) {
  const header = typeof version.header === 'string' ? canonical.parse(version.header) : version.header;
  const good = header && header.credential === credential && header.ledger === ledger && header.version === version.version && header.roster === version.roster && header.epoch === version.epoch;
  if (!good) throw new Refusal('header_differs', { what: 'Not asked.', why: 'The vault describes this version in two ways.', next: 'Call a custodian.' });
  return header;
}

/** The versions that can be asked for, newest first: those current or last proved, and candidates while a rotation is unproved. */
export const askable = (credential) => credential.versions.filter((v) => v.state !== 'superseded').sort((a, b) => b.version - a.version);

/** The one that is asked for unless somebody says which: the one that worked last. */
export function usual(credential) {
  const versions = askable(credential);
  return versions.find((v) => v.state === 'current') ?? versions.find((v) => v.state === 'proved_last') ?? versions[0];
}

/**
 * Files a break-glass request.
 * @param {object} client
 * @param {{credential: object, version?: number, reason: string, ticket?: string, durationS?: number, openWithinS?: number, terminal?: object}} ask
 *   `credential` as GET /credentials gives it; `version` else the usual one; `terminal` from terminal.js: the key is then the terminal's
 * @returns {Promise<{request: string, code: string, seq: number, leaf: string}>}
 */
export async function fileRelease(client, { credential, version, reason, ticket, durationS, openWithinS, terminal }, how) {
  const { api, deliveries } = client;
  const row = version === undefined ? usual(credential) : askable(credential).find((v) => v.version === version);
  if (!row) throw new Refusal('no_version', { what: 'Not asked.', why: 'This credential has no version to open.', next: 'Ask a custodian to rotate it first.' });
  const [me, vault, safe] = await Promise.all([you(api), catchUp(client), api.get(`/safes/${encodeURIComponent(credential.safe)}`)]);
  const header = headerOf(row, { credential: credential.credential, ledger: vault.ledger });

  const request = terminal?.request ?? newId();
  const pair = terminal ? null : await deliveries.create();
  const expires = client.now() + lifeUs(safe.request_life_s);
  const members = {
    credential: credential.credential, delivery_key: terminal?.deliveryKey ?? b64u(pair.publicBytes), duration_s: Math.min(durationS ?? 900, safe.grant_life_s),
    envelope: row.envelope, epoch: row.epoch, open_within_s: Math.min(openWithinS ?? 600, safe.request_life_s), roster: row.roster, safe: credential.safe,
    sealed_as: header.sealed_as, version: row.version,
  };
  const keep = ({ signed }) => pair && deliveries.keep(request, { pair, statement: signed.statement, expires });
  try {
    const filed = await fileWith(client, 'release', members, { request, reason, ticket, expires, me, vault, poll: terminal?.poll, how, beforePost: keep });
    if (pair) await deliveries.filed(request, filed.leaf);
    return { code: requestCode(request), ...filed };
  } catch (refusal) {
    // An answer that was lost may have been a success: then the key must stay.
    if (pair && refusal.code !== 'unreachable') await deliveries.wipe(request);
    throw refusal;
  }
}

/**
 * Files the founding (`previous` absent) or a change of a roster.
 * @param {{safe?: string, previous?: string, new: object, reason: string, ticket?: string}} ask `new` as the statement holds it; `previous`: leaf of the roster it replaces
 * @returns {Promise<{request: string, code: string, seq: number, leaf: string, safe: string}>}
 */
export async function fileRoster(client, { safe = newId(), previous = NO_ROSTER, new: roster, reason, ticket }, how) {
  const [me, vault] = await Promise.all([you(client.api), catchUp(client)]);
  const filed = await fileWith(client, 'roster', { new: roster, roster: previous, safe }, { reason, ticket, expires: client.now() + lifeUs(LONG_S), me, vault, how });
  return { ...filed, safe };
}

/** Files the binding of a credential to a target: `{safe, roster, credential, target, account, address, connector, pin, reason, ticket?}`. */
export async function fileTarget(client, { safe, roster, credential, target, account, address, connector, pin, reason, ticket }, how) {
  const [me, vault] = await Promise.all([you(client.api), catchUp(client)]);
  return fileWith(client, 'target', { account, address, connector, credential, pin, roster, safe, target }, { reason, ticket, expires: client.now() + lifeUs(LONG_S), me, vault, how });
}
