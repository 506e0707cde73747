// Opening: the requester's browser collects re-sealed shares, checks each, names a bad one, combines, checks the key commitment,
// decrypts. The server never has the plaintext.

import { fromB64u, fromHex, fromUtf8, wire } from './bytes.js';
import { path } from './api.js';
import * as canonical from './canonical.js';
import { EnvelopeError, openWith } from './envelope.js';
import { envelopeOf } from './evidence.js';
import { parseEntry, proveUnder } from './ledger.js';
import { Refusal } from './refusal.js';
import { openDeliveredShare, openHalf } from './share.js';
import { challenge, parse } from './statement.js';

const tampered = (why, cause) => new Refusal('tampered', { what: 'Refused. What was delivered is not what was sealed.', why, next: 'This is no outage. Call a custodian.', cause });
const RELEASE = ['approvals', 'credential', 'envelope', 'epoch', 'request', 'requester', 'roster', 'safe', 'version'];

/** Whether this browser holds the delivery key of a request. */
export const holdsKey = async ({ deliveries }, request) => (await deliveries.of(request)) !== undefined;

function checkOpened(entry, statement) {
  const { data } = entry;
  if (entry.event !== 'release.opened' || !canonical.members(data, RELEASE)) throw tampered('The entry is no opening.');
  for (const k of ['credential', 'envelope', 'epoch', 'request', 'roster', 'safe', 'version']) {
    if (data[k] !== statement[k]) throw tampered(`The ledger says another ${k} than this browser asked for.`);
  }
  if (data.requester !== statement.signer) throw tampered('The ledger says another requester.');
}

async function deliveredShares(pair, given, envelope, { statement, leaf }) {
  const good = [];
  const wrong = [];
  for (const s of given) {
    try {
      const approval = parse(s.statement, 'approval');
      const fits = approval.decision === 'approve' && approval.signer === s.approver && approval.ledger === statement.ledger && canonical.text(approval.subject) === canonical.text(statement) && (leaf === undefined || approval.entry === leaf);
      if (!fits) throw new Error('another approval');
      if (good.some((g) => g.x === s.x || g.approver === s.approver)) throw new Error('a second share');
      const share = await openDeliveredShare(pair, s.x, fromB64u(s.sealed), await challenge(s.statement), envelope.ctx, envelope.shareCommitments);
      good.push({ x: s.x, approver: s.approver, share });
    } catch {
      wrong.push({ approver: s.approver, name: s.name, x: s.x });
    }
  }
  return { good, wrong };
}

/**
 * The re-sealed shares of a request that waits, each checked before anything is opened: without the server's half they open nothing. Whose
 * share is bad is told to the vault.
 * @returns {Promise<{good: number, needed: number, wrong: {approver: string, name: string, x: number}[]}>}
 */
export async function checkShares({ api, deliveries }, request) {
  const kept = await deliveries.of(request);
  const statement = parse(kept.statement, 'request');
  const given = await api.get(path`/requests/${request}/shares`);
  const envelope = await envelopeOf(given.envelope, statement);
  const { good, wrong } = await deliveredShares(kept, given.shares, envelope, { statement, leaf: kept.leaf });
  good.forEach((g) => g.share.fill(0));
  for (const { approver } of wrong) await api.post(path`/requests/${request}/shares/refused`, { approver }).catch(() => {});
  return { good: good.length, needed: envelope.header.m, wrong };
}

/**
 * Opens a reached request. The same call again until the end gives the same answer.
 * @returns {Promise<{plaintext: Uint8Array, ends: number, seq: number, entry: object, wrong: {approver: string, name: string, x: number}[], warnings: Refusal[]}>}
 *   `wrong` names whose share was bad when enough others were good; `warnings` tell what of the ledger could not be checked now.
 *   The caller wipes `plaintext`.
 */
export async function open(client, request) {
  const { api, deliveries } = client;
  const kept = await deliveries.of(request);
  if (!kept) {
    throw new Refusal('other_browser', { what: 'This browser does not hold the key of this request.', why: 'It was made where the request was filed, and never leaves it.', next: 'Open it where it was asked. Lost that? Withdraw and ask again.' });
  }
  const statement = parse(kept.statement, 'request');
  const opening = await api.post(path`/requests/${request}/open`);
  await deliveries.opened(request, opening.ends);

  const entry = await parseEntry(wire(opening.entry));
  checkOpened(entry, statement);
  const warnings = [];
  try {
    await proveUnder(client, opening.checkpoint, { seq: opening.seq, entry: opening.entry, proof: opening.proof });
  } catch (refusal) {
    // The secret is out already: only an outage may pass, and is said.
    if (!(refusal instanceof Refusal) || !['unreachable', 'ledger_busy'].includes(refusal.code)) throw refusal;
    warnings.push(refusal);
  }

  const envelope = await envelopeOf(opening.envelope, statement);
  const { good, wrong } = await deliveredShares(kept, opening.shares, envelope, { statement, leaf: kept.leaf });
  const { m } = envelope.header;
  if (good.length < m) {
    const names = wrong.map((w) => w.name ?? w.approver).join(', ');
    throw Object.assign(tampered(wrong.length ? `The share of ${names} is not the one that was sealed.` : 'Fewer shares were delivered than are needed.'), { wrong });
  }
  let plaintext;
  try {
    plaintext = await openWith(envelope, good, await openHalf(kept, fromB64u(opening.h), fromHex(entry.leaf), envelope.ctx));
  } catch (cause) {
    throw tampered(cause instanceof EnvelopeError ? `${cause.message}.` : 'The delivered half does not open.', cause);
  } finally {
    good.forEach((g) => g.share.fill(0));
  }
  return { plaintext, ends: opening.ends, seq: entry.seq, entry, wrong, warnings };
}

/** The text of a plaintext, or null for bytes that are none. A string can't be wiped: make it where it is shown, keep it nowhere. */
export function textOf(plaintext) {
  try {
    return fromUtf8(plaintext);
  } catch {
    return null;
  }
}

/** Gives it back early; the delivery key is forgotten. */
export async function checkIn({ api, deliveries }, request) {
  const live = await api.post(path`/requests/${request}/check-in`);
  await deliveries.wipe(request);
  return live;
}

/** Forgets keys whose time has passed. Called by every page that opens. */
export const sweep = ({ deliveries, now }) => deliveries.sweep(now());
