// What the approver's page checks before it asks for a touch (DESIGN.md 5): from its own code, this device's memory and
// signatures, never from a bare server field. What it returns comes from verified bytes only.

import { equal, fromB64u, fromHex, grouped, hex, requestCode, utf8 } from './bytes.js';
import * as canonical from './canonical.js';
import { EnvelopeError, parseEnvelope } from './envelope.js';
import { H } from './hash.js';
import { keyBook, statementOf, trust } from './ledger.js';
import { Refusal, stop } from './refusal.js';
import { is } from './statement.js';

const NO_ROSTER = '0'.repeat(64);
const ASKED_BY_REQUESTERS = ['release', 'access'];
const list = (v) => (Array.isArray(v) ? v : []);
const same = (a, b) => canonical.text(a) === canonical.text(b);

/** Compares an envelope's header with the request, member by member (check 5). `roster` as its `roster.set` holds it. */
export function headerFault(header, request, roster) {
  const wanted = {
    credential: request.credential, epoch: request.epoch, ledger: request.ledger, roster: request.roster, safe: request.safe,
    sealed_as: request.sealed_as, version: request.version, ...(roster && { m: roster.m, n: roster.approvers.length }),
  };
  return Object.keys(wanted).find((k) => !same(header[k], wanted[k])) ?? null;
}

/** Parses the envelope that a request names; refuses another one. */
export async function envelopeOf(text, request, roster) {
  let envelope;
  try {
    envelope = await parseEnvelope(text);
  } catch (cause) {
    if (!(cause instanceof EnvelopeError)) throw cause;
    throw stop('envelope_malformed', 'The sealed secret is malformed.', { cause });
  }
  if (envelope.hash !== request.envelope) throw stop('envelope_differs', 'The sealed secret is not the one that the request names.');
  const fault = headerFault(envelope.header, request, roster);
  if (fault) throw stop('header_differs', `The sealed secret says another ${fault} than the request.`);
  return envelope;
}

async function proveAll(vault, evidence) {
  const bySeq = new Map();
  for (const given of list(evidence.entries)) bySeq.set(given.seq, await vault.prove(given));
  return (seq, event) => {
    const entry = bySeq.get(seq);
    if (!entry) throw stop('entry_missing', 'An entry that this page needs is not shown.');
    if (event && ![].concat(event).includes(entry.event)) throw stop('entry_differs', `Entry ${seq} is no ${[].concat(event)[0]}.`);
    return entry;
  };
}

function rosterOf(entry, request) {
  const { data } = entry;
  if (!canonical.members(data, ['acceptances', 'approvals', 'new', 'request', 'safe']) || !is.roster(data.new)) throw stop('roster_malformed', 'The roster is malformed.');
  if (entry.leaf !== request.roster) throw stop('roster_differs', 'The roster shown is not the one that the request names.');
  if (data.safe !== request.safe) throw stop('roster_differs', 'The roster is of another safe.');
  if (request.epoch !== undefined && data.new.epoch !== request.epoch) throw stop('roster_differs', 'The roster is of another epoch.');
  return data.new;
}

function checkSealed(entry, request, envelope) {
  const { data } = entry;
  for (const k of ['credential', 'envelope', 'epoch', 'roster', 'safe', 'version']) {
    if (data[k] !== request[k]) throw stop('sealed_differs', `The ledger says another ${k} of the sealed secret than the request.`);
  }
  if (data.key_commitment !== hex(envelope.keyCommitment)) throw stop('sealed_differs', 'The ledger says another key commitment than the sealed secret.');
}

const TARGET = ['account', 'address', 'connector', 'credential', 'pin', 'target'];

async function targetOf(entryAt, roles, book, request) {
  const wanted = request.sealed_as.target;
  if (wanted === undefined) return null;
  const { data, seq } = entryAt(roles.target, 'target.set');
  if (!canonical.members(data, [...TARGET, 'approvals', 'request', 'safe'])) throw stop('target_malformed', 'The target is malformed.');
  if (data.target !== wanted || data.credential !== request.credential || data.safe !== request.safe) throw stop('target_differs', 'The target shown is not the one that the secret was sealed for.');
  const filed = entryAt(roles.target_request, 'request.filed');
  const { statement, by } = await book.verifySigned(filed);
  await book.mustBe(by, 'custodian', filed.seq, 'asked for the target');
  const agrees = statement.purpose === 'target' && statement.request === data.request && statement.safe === data.safe && TARGET.every((k) => statement[k] === data[k]);
  if (!agrees || filed.seq >= seq) throw stop('target_differs', 'The target was bound otherwise than it was asked for.');
  return { target: data.target, account: data.account, address: data.address, connector: data.connector, pin: data.pin, seq };
}

async function decisionsOn(entryAt, seqs, book, filed, request) {
  const out = [];
  for (const seq of seqs) {
    const entry = entryAt(seq, ['request.approved', 'request.denied', 'request.accepted']);
    const { statement, by } = await book.verifySigned(entry);
    if (statement.entry !== filed.leaf || !same(statement.subject, request)) throw stop('decision_differs', `Entry ${seq} decides on another request.`);
    if (statement.authenticator !== undefined && statement.authenticator !== by.authenticator) throw stop('decision_differs', `Entry ${seq} was signed with another key than it names.`);
    out.push({ event: entry.event, seq, time: entry.time, user: by.user, name: by.name, authenticator: by.authenticator });
  }
  return out;
}

/** Names and keys of a roster that is asked for, checked against their enrolments: a signed request may still name people wrongly. */
async function checkNamed(roster, book, filed) {
  const out = [];
  for (const approver of roster.approvers) {
    const keys = [];
    for (const authenticator of approver.authenticators) {
      const key = await book.key(authenticator, filed.seq);
      if (key.user !== approver.user) throw stop('roster_key', `A key named for ${approver.name} belongs to another person.`);
      if (key.name !== approver.name) throw stop('name_differs', `${key.name} is named ${approver.name} in this request.`);
      if (key.shareKey === undefined) throw stop('roster_key', `A key named for ${approver.name} cannot hold a share.`);
      keys.push(key);
    }
    out.push({ user: approver.user, name: approver.name, keys });
  }
  return out;
}

/**
 * The eight checks. `evidence` as GET /requests/{id}/evidence gives it; `now` in microseconds; `requestId` from this page's address.
 * Returns the facts to show, or throws a Refusal that names the check.
 */
export async function checkEvidence({ evidence, pins, now, requestId }) {
  const roles = evidence.roles ?? {};
  const foundingGiven = list(evidence.entries).find((e) => e.seq === 0);
  if (!foundingGiven) throw stop('founding', 'The founding entry is not shown.');

  // 1 and 2: the ledger is the one this device knows, its newest checkpoint verifies and extends what was seen.
  const vault = await trust({ note: evidence.checkpoint, consistency: evidence.consistency, founding: foundingGiven, key_changes: evidence.key_changes }, pins);

  // 3: everything shown is included under it, the filing first.
  const entryAt = await proveAll(vault, evidence);
  const filed = entryAt(roles.request, 'request.filed');
  const request = statementOf(filed, vault.ledger);
  if (request.purpose === 'roster' && !is.roster(request.new)) throw stop('roster_malformed', 'The roster asked for is outside its bounds.');
  if (requestId !== undefined && request.request !== requestId) throw stop('another_request', 'The request shown is not the one that this page was opened for.');

  // 4: the requester's signature, and the key behind it.
  const pick = (name, event) => list(roles[name]).map((seq) => entryAt(seq, event));
  const book = keyBook(vault, {
    invited: pick('invited', 'person.invited'),
    enrolled: pick('enrolled', 'authenticator.enrolled'),
    roleChanges: pick('role_changes', 'person.roles'),
    revoked: pick('revoked', ['authenticator.revoked', 'authenticator.suspended', 'authenticator.restored', 'authenticator.distrusted']),
  });
  const { by } = await book.verifySigned(filed);
  if (book.revokedAt(by.authenticator) !== undefined) throw new Refusal('key_revoked', { what: 'Nothing was signed.', why: 'The key that filed this request has been revoked.', next: `Ask ${by.name} to file it again.` });
  await book.mustBe(by, ASKED_BY_REQUESTERS.includes(request.purpose) ? 'requester' : 'custodian', filed.seq, 'asked for this');
  if (by.name !== request.requester_name) throw stop('name_differs', `The request calls ${by.name} by another name.`);
  const remembered = await pins.person(vault.ledger, by.user);
  const pinned = remembered?.keys[by.authenticator];
  if (pinned !== undefined && pinned !== by.publicKey) throw stop('key_differs', `The key of ${by.name} is not the one that this device knows.`);

  // 5: the sealed secret, its header member by member.
  let roster = null;
  if (request.roster !== NO_ROSTER) roster = rosterOf(entryAt(roles.roster, 'roster.set'), request);
  else if (request.purpose !== 'roster') throw stop('roster_differs', 'The request names no roster.');
  let envelope = null;
  let target = null;
  if (request.purpose === 'release') {
    envelope = await envelopeOf(evidence.envelope, request, roster);
    const sealed = entryAt(roles.sealed, 'version.sealed');
    if (sealed.seq >= filed.seq) throw stop('sealed_differs', 'The secret was sealed after the request was filed.');
    checkSealed(sealed, request, envelope);
    target = await targetOf(entryAt, roles, book, request);
  }

  // 6: the reason is the one committed to.
  const reason = evidence.reason?.text;
  let salt;
  try {
    salt = fromB64u(evidence.reason.salt);
  } catch (cause) {
    throw stop('reason', 'The reason is not shown.', { cause });
  }
  if (typeof reason !== 'string' || salt.length !== 32 || !equal(await H('reason', salt, utf8(reason)), fromHex(request.reason_commitment))) {
    throw stop('reason', 'The reason shown is not the one that was signed.');
  }
  const fault = canonical.linesFault(reason);
  if (fault) throw stop('reason_text', `The reason has ${fault} in it: it could read otherwise than it was written.`);

  // 7: not expired by this device's clock.
  if (now >= request.expires) throw expired();

  // 8: everything below comes from the bytes checked above.
  const decisions = await decisionsOn(entryAt, list(roles.decisions), book, filed, request);
  for (const { user, name } of [...decisions, by]) {
    const called = roster?.approvers.find((a) => a.user === user)?.name ?? name;
    if (called !== name) throw stop('name_differs', `${name} is named ${called} on the roster.`);
  }
  const named = request.purpose === 'roster' ? await checkNamed(request.new, book, filed) : null;
  return {
    ledger: vault.ledger,
    fingerprint: grouped(vault.ledger),
    memory: vault.memory,
    kept: pins.kept,
    vault: { name: vault.name, rpId: vault.rpId, origins: vault.origins, size: vault.size },
    entry: filed.leaf,
    seq: filed.seq,
    filed: filed.time,
    code: requestCode(request.request),
    request,
    statement: filed.data.statement,
    requester: {
      user: by.user, name: by.name, authenticator: by.authenticator, publicKey: by.publicKey,
      known: pinned !== undefined, personKnown: remembered !== undefined, admitted: by.admitted,
    },
    safe: roster && { safe: request.safe, name: roster.name, epoch: roster.epoch, m: roster.m, n: roster.approvers.length, drill: roster.drill, denials: roster.denials },
    roster,
    named,
    credential: request.purpose === 'release' ? { credential: request.credential, name: request.sealed_as.name, kind: request.sealed_as.kind, version: request.version } : null,
    target,
    reason,
    approved: decisions.filter((d) => d.event === 'request.approved'),
    denied: decisions.filter((d) => d.event === 'request.denied'),
    accepted: decisions.filter((d) => d.event === 'request.accepted'),
    envelope,
    book,
  };
}

/** The refusal of a request that has run out, by this device's clock. */
export const expired = () => new Refusal('expired', { what: 'This request has expired. Nothing was signed.', why: "Its time has passed by this device's clock.", next: 'It can be asked again: a signature is for one request.' });
