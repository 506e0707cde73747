// Statements (FORMATS.md 4): what a key signs. Every challenge given to a key is made here, from a statement whose kind is
// fixed in the caller's code; a challenge sent by a server is never used.

import { b64u, fromB64u, random, utf8 } from './bytes.js';
import * as canonical from './canonical.js';
import { H } from './hash.js';

/** Thrown for a statement that has other members or types than FORMATS.md gives. */
export class StatementError extends Error {
  constructor(message, options) {
    super(message, options);
    this.name = 'StatementError';
  }
}

const ROLES = ['requester', 'approver', 'custodian', 'auditor', 'operator'];
const KINDS = ['password', 'key_pair', 'token', 'totp', 'note', 'file'];
const PIN = /^(?:sha256:[0-9a-f]{64}|unix|ssh:SHA256:[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048])$/;

const bytes = (from, to = from) => (v) => {
  try {
    const n = fromB64u(v).length;
    return n >= from && n <= to;
  } catch {
    return false;
  }
};
const list = (ok) => (v) => Array.isArray(v) && v.every(ok);
const distinct = (ok) => (v) => list(ok)(v) && new Set(v.map((item) => JSON.stringify(item))).size === v.length;
const object = (must, may = {}) => (v) =>
  canonical.members(v, Object.keys(must), Object.keys(may)) && Object.keys(v).every((k) => (must[k] ?? may[k])(v[k]));

/** The types of FORMATS.md 3, "Types": each tells whether a value is one. */
export const is = {
  id: (v) => typeof v === 'string' && /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/.test(v),
  hash: (v) => typeof v === 'string' && /^[0-9a-f]{64}$/.test(v),
  string: (v) => typeof v === 'string' && [...v].length >= 1 && [...v].length <= 200,
  integer: (v) => Number.isSafeInteger(v) && v >= 0,
  positive: (v) => Number.isSafeInteger(v) && v >= 1,
  time: (v) => Number.isSafeInteger(v) && v >= 0,
  boolean: (v) => typeof v === 'boolean',
  // A decision's subject is compared with the request, not read.
  object: (v) => typeof v === 'object' && v !== null && !Array.isArray(v),
  roles: distinct((v) => ROLES.includes(v)),
  pin: (v) => typeof v === 'string' && PIN.test(v),
  nonce: bytes(32),
  x25519: bytes(32),
  point: bytes(65),
  aaguid: bytes(16),
  credentialId: bytes(1, 1023),
  bytes: bytes(0, 65536),
  sealedAs: (v) => object({ kind: (k) => KINDS.includes(k), name: is.string }, { target: is.id })(v),
};
is.versions = distinct(object({ credential: is.id, envelope: is.hash, version: is.positive }));

const approver = object({ authenticators: distinct(is.id), name: is.string, user: is.id });
/** Whether a value has the members of a roster as `new` holds them. */
is.rosterShape = object({
  approvers: list(approver), denials: is.positive, drill: is.boolean, epoch: is.positive, grant_life_s: is.positive,
  m: is.positive, name: is.string, request_life_s: is.positive,
});
/** The same with the bounds of FORMATS.md 4: 2 <= m <= n <= 100 (m = 1 where `drill`), people distinct, each with a key. */
is.roster = (v) => {
  if (!is.rosterShape(v)) return false;
  const n = v.approvers.length;
  return v.m <= n && n <= 100 && (v.m >= 2 || v.drill) && new Set(v.approvers.map((a) => a.user)).size === n && v.approvers.every((a) => a.authenticators.length > 0);
};

const keyAct = { must: { authenticator: is.id, user: is.id, why: is.string } };
const SHAPES = {
  login: { unsigned: true, must: {} },
  register: { unsigned: true, must: { user: is.id }, may: { invitation: is.hash } },
  prove: { unsigned: true, must: { user: is.id } },
  invite: { must: { expires: is.time, invitation: is.hash, name: is.string, roles: is.roles, user: is.id } },
  roles: { must: { roles: is.roles, user: is.id } },
  enrol: {
    must: { aaguid: is.aaguid, authenticator: is.id, credential_id: is.credentialId, name: is.string, public_key: is.point, registration_sha256: is.hash, user: is.id },
    may: { invitation: is.hash, share_key: is.x25519 },
  },
  revoke: keyAct,
  suspend: keyAct,
  unsuspend: keyAct,
  approval: { must: { decision: (v) => v === 'approve' || v === 'deny', entry: is.hash, subject: is.object } },
  acceptance: { must: { authenticator: is.id, entry: is.hash, subject: is.object } },
  import: { must: { credential: is.id, envelope: is.hash, safe: is.id, version: is.positive } },
  setting: { must: { name: is.string, value: is.string } },
  clock: { must: { entry: is.hash, time: is.time, why: is.string } },
};
const REQUEST = {
  must: { expires: is.time, purpose: (v) => Object.hasOwn(PURPOSES, v), reason_commitment: is.hash, request: is.id, requester_name: is.string, roster: is.hash, safe: is.id },
  may: { ticket: is.string },
};
const PURPOSES = {
  release: {
    credential: is.id, delivery_key: is.x25519, duration_s: is.positive, envelope: is.hash, epoch: is.positive, open_within_s: is.positive,
    sealed_as: is.sealedAs, version: is.positive,
  },
  access: { delivery_key: is.x25519, duration_s: is.positive, epoch: is.positive, needed: is.integer, role: is.hash, role_name: is.string, target: is.id },
  roster: { new: is.rosterShape },
  role: { access: is.hash, max_s: is.positive, name: is.string, needed: is.integer, previous: is.hash, target: is.id, windows: distinct(is.string) },
  target: { account: is.string, address: is.string, connector: is.string, credential: is.id, pin: is.pin, target: is.id },
  reseal: { delivery_key: is.x25519, versions: is.versions },
  destroy: { versions: is.versions },
  restore: { checkpoint: is.hash },
};

function shapeOf(value) {
  if (value.kind !== 'request') return Object.hasOwn(SHAPES, value.kind) ? SHAPES[value.kind] : null;
  if (!Object.hasOwn(PURPOSES, value.purpose)) return null;
  return { must: { ...REQUEST.must, ...PURPOSES[value.purpose] }, may: REQUEST.may };
}

function fault(value, { signer = true } = {}) {
  if (typeof value !== 'object' || value === null || typeof value.kind !== 'string') return 'not a statement';
  const shape = shapeOf(value);
  if (!shape) return 'a kind or purpose that this page does not know';
  const must = { kind: () => true, ledger: is.hash, nonce: is.nonce, v: (v) => v === 1, ...shape.must };
  if (!shape.unsigned && signer) must.signer = is.id;
  const may = shape.may ?? {};
  if (!canonical.members(value, Object.keys(must), Object.keys(may))) return 'a member missing or too many';
  for (const [name, v] of Object.entries(value)) if (!(must[name] ?? may[name])(v)) return `${name} is not what it must be`;
  return null;
}

// What this page does not sign although it would parse.
function unfit({ purpose, new: roster, subject }) {
  if (purpose === 'roster' && !is.roster(roster)) return 'a roster outside its bounds';
  if (subject !== undefined && (subject.kind !== 'request' || fault(subject) !== null)) return 'a subject that is no request';
  return null;
}

/** Parses the canonical text (or bytes) of a statement of exactly this `kind`; `signer: false` is for entry 1 alone. */
export function parse(input, kind, options) {
  let value;
  try {
    value = typeof input === 'object' && !(input instanceof Uint8Array) ? canonical.parse(canonical.encode(input)) : canonical.parse(input);
  } catch (cause) {
    throw new StatementError(`not canonical: ${cause.message}`);
  }
  const why = value.kind !== kind ? `not a ${kind}` : fault(value, options);
  if (why) throw new StatementError(why);
  return value;
}

/** `H("statement", canonical bytes)`. */
export const challenge = (text) => H('statement', typeof text === 'string' ? utf8(text) : text);

/**
 * Builds a statement: `v` is added, `nonce` drawn unless given (the server draws it for login, register and prove).
 * @param {string} kind a literal in the caller's code
 * @param {object} members all others; a member that is undefined is left out
 * @returns {Promise<{kind: string, value: object, text: string, challenge: Uint8Array}>} throws a StatementError
 */
export async function build(kind, members) {
  const value = { ...members, nonce: members.nonce ?? b64u(random(32)), kind, v: 1 };
  for (const k of Object.keys(value)) if (value[k] === undefined) delete value[k];
  let text;
  try {
    text = canonical.text(value);
  } catch (cause) {
    throw new StatementError(cause.message, { cause });
  }
  const why = fault(value) ?? unfit(value);
  if (why) throw new StatementError(why);
  return { kind, value: canonical.parse(text), text, challenge: await challenge(text) };
}

/** Text as statements carry it: NFC, surrounding space gone, inner runs of space and line ends made one space. */
export const tidy = (text) => text.normalize('NFC').replace(/\s+/gu, ' ').trim();
