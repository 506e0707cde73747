// The ledger as this page trusts it: a founding entry, a checkpoint that extends what this device remembers, and entries proved
// under it. Signed entries are verified back to the enrolment of the key that signed, and that to who admitted it.

import { equal, fromB64u, fromHex, hex, wire } from './bytes.js';
import * as assertion from './assertion.js';
import * as canonical from './canonical.js';
import { consistent, included, parseNote, verifierKey, verifyNote } from './checkpoint.js';
import { H, leafHash } from './hash.js';
import { Refusal, stop } from './refusal.js';
import { challenge, is, parse as parseStatement } from './statement.js';

const KIND_OF = {
  'person.invited': 'invite', 'person.roles': 'roles', 'authenticator.enrolled': 'enrol', 'authenticator.revoked': 'revoke',
  'authenticator.suspended': 'suspend', 'authenticator.restored': 'unsuspend', 'request.filed': 'request', 'request.approved': 'approval',
  'request.denied': 'approval', 'request.accepted': 'acceptance', 'setting.changed': 'setting', 'clock.accepted': 'clock',
};

const UNSIGNED = [
  'ledger.founded', 'authenticator.distrusted', 'request.ended', 'roster.set', 'target.set', 'role.set', 'version.destroyed', 'reseal.opened', 'version.sealed',
  'release.opened', 'release.closed', 'release.refused', 'share.refused', 'grant.started', 'grant.ended', 'rotation.staged', 'rotation.applied', 'rotation.proved',
  'rotation.promoted', 'rotation.failed', 'clock.ticked', 'kek.rolled', 'checkpoint_keys.changed', 'software.started', 'drill.finished',
];
const EVENTS = new Set([...Object.keys(KIND_OF), ...UNSIGNED]);

/** Parses the bytes of one entry: seven members, canonical, at most 64 KiB. */
export async function parseEntry(bytes) {
  let value;
  try {
    if (bytes.length > 65536) throw new Error('too long');
    value = canonical.parse(bytes);
    if (!canonical.members(value, ['actor', 'data', 'event', 'prev', 'seq', 'time', 'v'])) throw new Error('members');
    if (value.v !== 1 || !is.integer(value.seq) || !is.time(value.time) || !EVENTS.has(value.event)) throw new Error('types');
    if (value.actor !== 'system' && !is.id(value.actor)) throw new Error('actor');
    if ((value.event === 'ledger.founded') !== (value.seq === 0)) throw new Error('place');
    if (!is.hash(value.prev) || typeof value.data !== 'object' || Array.isArray(value.data)) throw new Error('types');
  } catch (cause) {
    throw stop('entry_malformed', 'An entry of the ledger is malformed.', { cause });
  }
  return { ...value, leaf: hex(await leafHash(bytes)), bytes };
}

const hashes = (list) => {
  try {
    if (!Array.isArray(list)) throw new TypeError('no list');
    return list.map(fromHex);
  } catch (cause) {
    throw stop('proof_malformed', 'A proof is malformed.', { cause });
  }
};

/**
 * What entry 0 says, if it is a founding.
 * @param {Awaited<ReturnType<typeof parseEntry>>} entry
 */
function foundedBy({ seq, event, prev, data }) {
  if (seq !== 0 || event !== 'ledger.founded' || !/^0{64}$/.test(prev)) throw stop('founding', 'What should be the founding entry is another one.');
  const { name, rp_id: rpId, origins, checkpoint_keys: vkeys } = data;
  const listed = (v) => Array.isArray(v) && v.length > 0 && v.every(is.string) && new Set(v).size === v.length;
  const whole = canonical.members(data, ['checkpoint_keys', 'name', 'origins', 'rp_id'], ['continues']);
  if (!whole || !is.string(name) || !is.string(rpId) || !listed(origins) || !listed(vkeys)) throw stop('founding', 'The founding entry is malformed.');
  return { name, rpId, origins, vkeys };
}

/**
 * Checks founding, checkpoint and memory (checks 1 and 2), then remembers the checkpoint.
 * @param {{note: string, consistency: string[], founding: {seq: number, entry: string, proof: string[]}, key_changes?: object[]}} given
 *   `key_changes`: for each `checkpoint_keys.changed`, in order, `{entry: {seq, entry, proof}, note, consistency}`: its proof under the
 *   checkpoint `note` of the tree that ends with it, by an old key, and the proof from there to the next of them, else to `given.note`
 * @param {ReturnType<typeof import('./pins.js').pinsOver>} pins
 */
export async function trust(given, pins) {
  const founding = await parseEntry(wireBytes(given.founding.entry));
  if (given.founding.seq !== 0) throw stop('founding', 'What should be the founding entry is another one.');
  const { name, rpId, origins, vkeys } = foundedBy(founding);
  const ledger = founding.leaf;
  const pin = await pins.meet(ledger);

  let checkpoint;
  let keys;
  try {
    keys = await keysOf(vkeys, name);
    let older = null;
    for (const change of given.key_changes ?? []) [keys, older] = await changed(change, name, keys, older);
    checkpoint = await verifyNote(given.note, name, keys);
    if (older) await follows(older, checkpoint);
  } catch (cause) {
    throw stop('checkpoint', `The checkpoint does not verify: ${cause.message}.`, { cause });
  }
  const { size, root } = checkpoint;
  if (!(await included(fromHex(ledger), 0, size, hashes(given.founding.proof), root))) throw stop('founding_not_included', 'The founding entry is not in the tree of this checkpoint.');
  if (pin.checkpoint) await extendsPin(pin.checkpoint, checkpoint, given.consistency);
  await pins.advance(ledger, { size, root: hex(root) });
  const vault = { ledger, name, rpId, origins, founding, size, root, memory: pin.confirmed ? 'kept' : 'none' };

  /** Proves one `{seq, entry, proof}` under this checkpoint; gives the parsed entry. */
  async function prove({ seq, entry: text, proof }) {
    const entry = await parseEntry(wireBytes(text));
    if (entry.seq !== seq || !(await included(fromHex(entry.leaf), seq, size, hashes(proof), root))) throw notIncluded(seq);
    return entry;
  }

  /** The checkpoint of another note of this ledger, verified: `{size, root}`. */
  const read = async (note) => {
    try {
      return await verifyNote(note, name, keys);
    } catch (cause) {
      throw stop('checkpoint', `The checkpoint does not verify: ${cause.message}.`, { cause });
    }
  };
  return { ...vault, prove, read };
}

async function keysOf(vkeys, name) {
  if (!Array.isArray(vkeys) || vkeys.length < 1 || vkeys.length > 3) throw new Error('there are 1 to 3 checkpoint keys');
  const keys = await Promise.all(vkeys.map(verifierKey));
  if (keys.some((k) => k.name !== name)) throw new Error('a checkpoint key of another ledger');
  return keys;
}

const follows = async (older, { size, root }) => {
  if (!(await consistent(older.size, older.root, size, root, hashes(older.consistency)))) throw new Error('it does not extend the one that changed its keys');
};

// One `checkpoint_keys.changed`: the tree that ends with it carries a checkpoint by the old keys (FORMATS.md 5).
async function changed({ entry: { seq, entry: text, proof }, note, consistency }, name, keys, before) {
  const tree = await verifyNote(note, name, keys);
  if (before) await follows(before, tree);
  const entry = await parseEntry(wireBytes(text));
  const last = entry.event === 'checkpoint_keys.changed' && entry.seq === seq && tree.size === seq + 1;
  if (!last || !(await included(fromHex(entry.leaf), seq, tree.size, hashes(proof), tree.root))) throw new Error('a change of its keys is not proved');
  return [await keysOf(entry.data.checkpoint_keys, name), { ...tree, consistency }];
}

const notIncluded = (seq) => stop('entry_not_included', `Entry ${seq} is not in the tree of this checkpoint.`);

function wireBytes(text) {
  try {
    return wire(text);
  } catch (cause) {
    throw stop('entry_malformed', 'An entry of the ledger is malformed.', { cause });
  }
}

async function extendsPin(pinned, { size, root }, consistency) {
  if (size < pinned.size) throw stop('ledger_behind', `This device has seen ${pinned.size} entries of this ledger; it was shown ${size}.`);
  // A proof is from the pinned size; another tab may have moved the pin since, so equal sizes need no proof.
  const good = size === pinned.size ? equal(root, fromHex(pinned.root)) : await consistent(pinned.size, fromHex(pinned.root), size, root, hashes(consistency));
  if (!good) throw stop('ledger_rewritten', 'The ledger is not a continuation of the one that this device has seen.');
}

/** The signed statement of an entry, parsed; its assertion is not verified here. */
export function statementOf(entry, ledger) {
  const kind = KIND_OF[entry.event];
  try {
    const { data } = entry;
    if (!kind) throw new Error('not a signed event');
    const more = entry.event === 'authenticator.enrolled' ? ['admission', 'registration'] : [];
    if (!canonical.members(data, ['assertion', 'authenticator', 'statement'], more)) throw new Error('members');
    const statement = parseStatement(data.statement, kind);
    if (statement.ledger !== ledger) throw new Error('another ledger');
    if (statement.signer !== entry.actor || !is.id(data.authenticator)) throw new Error('another signer');
    if (kind === 'approval' && (statement.decision === 'approve') !== (entry.event === 'request.approved')) throw new Error('another decision');
    return statement;
  } catch (cause) {
    throw stop('statement_malformed', `The statement of entry ${entry.seq} is malformed: ${cause.message}.`, { cause });
  }
}

const raw = (a) => {
  if (!canonical.members(a, ['authenticator_data', 'client_data_json', 'signature'])) throw new TypeError('an assertion has three members');
  return { authenticatorData: fromB64u(a.authenticator_data), clientDataJson: fromB64u(a.client_data_json), signature: fromB64u(a.signature) };
};

/**
 * The people, roles and keys that a set of proved entries shows. Each key is verified back to who admitted it, and who invited or gave roles was a
 * custodian then, by the same rule, down to the first person. What is left out is not seen: `roleChanges` that are not shown did not happen.
 * @param {Awaited<ReturnType<typeof trust>>} vault
 * @param {{invited: object[], enrolled: object[], revoked?: object[], roleChanges?: object[]}} entries proved entries; `roleChanges` are `person.roles`
 */
export function keyBook(vault, { invited, enrolled, revoked = [], roleChanges = [] }) {
  const known = new Map();
  const given = new Map();
  const bySeq = (a, b) => a.seq - b.seq;
  const changes = [...roleChanges].sort(bySeq);
  const invitations = [...invited].sort(bySeq);

  const check = async (statementText, given, publicKey, seq) => {
    try {
      await assertion.verify(vault, fromB64u(publicKey), await challenge(statementText), raw(given));
    } catch (cause) {
      throw stop('assertion', `The signature of entry ${seq} does not verify: ${cause.message}.`, { cause });
    }
  };

  async function invitationOf(hash, user, before) {
    const entry = invitations.findLast((e) => e.seq < before && inviteOf(e).invitation === hash);
    if (!entry) throw stop('invitation_missing', 'The invitation behind a key is not shown.');
    const invite = inviteOf(entry);
    if (invite.user !== user) throw stop('invitation', 'A key was enrolled with the invitation of another person.');
    return { entry, invite };
  }

  function inviteOf(entry) {
    if (entry.event !== 'person.invited') throw stop('invitation', 'What should be an invitation is another entry.');
    if (entry.seq !== 1) return statementOf(entry, vault.ledger);
    try {
      if (entry.actor !== 'system') throw new Error('not by the system');
      const invite = parseStatement(entry.data, 'invite', { signer: false });
      if (invite.ledger !== vault.ledger) throw new Error('another ledger');
      return invite;
    } catch (cause) {
      throw stop('invitation', 'The first invitation is malformed.', { cause });
    }
  }

  async function learn(authenticator) {
    const entry = enrolled.find((e) => e.event === 'authenticator.enrolled' && e.data.authenticator === authenticator);
    if (!entry) throw stop('key_missing', 'The enrolment of a key is not shown.');
    const s = statementOf(entry, vault.ledger);
    if (s.authenticator !== authenticator || s.user !== s.signer) throw stop('enrolment', 'An enrolment names another key or person.');
    await check(entry.data.statement, entry.data.assertion, s.public_key, entry.seq);
    const { registration, admission } = entry.data;
    let invitedAs;
    if (!canonical.members(registration, ['attestation_object', 'client_data_json'])) throw stop('enrolment', 'An enrolment lacks its registration.');
    if (hex(await H('registration', canonical.encode(registration))) !== s.registration_sha256) throw stop('enrolment', 'An enrolment carries another registration than it signed.');
    let admitted;
    if (s.invitation !== undefined) {
      if (admission !== undefined) throw stop('enrolment', 'A first key carries an admission.');
      const { entry: at, invite } = await invitationOf(s.invitation, s.user, entry.seq);
      if (invite.name !== s.name) throw stop('name_differs', 'A key was enrolled under another name than the invited one.');
      if (entry.time >= invite.expires) throw stop('invitation', 'A key was enrolled with an invitation that had expired.');
      if (at.seq === 1) {
        if (!invite.roles.includes('custodian')) throw stop('invitation', 'The first person is no custodian.');
        admitted = { how: 'founding' };
      } else {
        const { by } = await verifySigned(at);
        await mustBe(by, 'custodian', at.seq, 'invited somebody');
        admitted = { how: 'invited', user: by.user, name: by.name };
      }
      invitedAs = { seq: at.seq, roles: invite.roles };
    } else {
      if (!canonical.members(admission, ['assertion', 'authenticator'])) throw stop('enrolment', 'A further key lacks its admission.');
      const by = await key(admission.authenticator, entry.seq);
      if (by.user !== s.user || by.authenticator === authenticator) throw stop('enrolment', 'A further key was admitted by a key of another person.');
      if (by.name !== s.name) throw stop('name_differs', 'A key was enrolled under another name than the invited one.');
      if (revokedAt(by.authenticator) < entry.seq) throw stop('key_revoked', 'A further key was admitted by a revoked one.');
      await check(entry.data.statement, admission.assertion, by.publicKey, entry.seq);
      admitted = { how: 'own_key', user: by.user, name: by.name, authenticator: by.authenticator };
      ({ invitedAs } = by);
    }
    return { invitedAs, authenticator, user: s.user, name: s.name, publicKey: s.public_key, credentialId: s.credential_id, shareKey: s.share_key, seq: entry.seq, admitted };
  }

  /** The verified key of an authenticator, enrolled before entry `before`. */
  async function key(authenticator, before) {
    const entry = enrolled.find((e) => e.data.authenticator === authenticator);
    // Strictly older keys only: this also ends the walk.
    if (entry && before !== undefined && entry.seq >= before) throw stop('key_too_young', 'A key signed before it was enrolled.');
    if (!known.has(authenticator)) known.set(authenticator, learn(authenticator));
    return known.get(authenticator);
  }

  /** The seq at which a key was revoked, as far as it is shown. */
  function revokedAt(authenticator) {
    const found = revoked.filter((e) => e.event === 'authenticator.revoked' && statementOf(e, vault.ledger).authenticator === authenticator);
    return found.length ? Math.min(...found.map((e) => e.seq)) : undefined;
  }

  /** Verifies a signed entry; gives its statement and the key. */
  async function verifySigned(entry) {
    const statement = statementOf(entry, vault.ledger);
    const by = await key(entry.data.authenticator, entry.seq);
    if (by.user !== statement.signer) throw stop('signer', `Entry ${entry.seq} was signed with a key of another person.`);
    const at = revokedAt(by.authenticator);
    if (at !== undefined && at < entry.seq) throw stop('key_revoked', `Entry ${entry.seq} was signed with a revoked key.`);
    await check(entry.data.statement, entry.data.assertion, by.publicKey, entry.seq);
    return { statement, by };
  }

  // One `person.roles`, verified once: its statement. Everything it rests on is older, which ends the walk.
  function giving(entry) {
    const verify = async () => {
      const { statement, by } = await verifySigned(entry);
      await mustBe(by, 'custodian', entry.seq, 'gave roles');
      return statement;
    };
    if (!given.has(entry.seq)) given.set(entry.seq, verify());
    return given.get(entry.seq);
  }

  /** The roles of a verified key's owner just before entry `seq`: as invited, or as the last `person.roles` before it says. */
  async function rolesAt({ user, invitedAs }, seq) {
    let { roles } = invitedAs;
    for (const entry of changes.filter((e) => e.seq > invitedAs.seq && e.seq < seq)) {
      if (entry.event !== 'person.roles') throw stop('role', 'What should be a change of roles is another entry.');
      if (statementOf(entry, vault.ledger).user === user) ({ roles } = await giving(entry));
    }
    return roles;
  }

  /** Refuses unless the owner of a verified key had that role just before entry `seq`, where they `did` something. */
  async function mustBe(by, role, seq, did) {
    if (!(await rolesAt(by, seq)).includes(role)) throw stop('role', `${by.name} ${did} in entry ${seq} and was no ${role} then, as far as is shown.`);
  }

  return { key, verifySigned, revokedAt, rolesAt, mustBe };
}

/** Fetches the newest checkpoint, checks it against this device's memory and remembers it. */
export async function catchUp({ api, pins }) {
  const from = await pins.size();
  return trust(await api.get(`/ledger/checkpoint?from=${from}`), pins);
}

/**
 * Proves an entry under a checkpoint of its own (`note`), and that checkpoint to be a prefix of the newest, which extends this
 * device's memory. Gives `{entry, vault}`.
 */
export async function proveUnder({ api, pins }, note, { seq, entry: text, proof }) {
  const entry = await parseEntry(wireBytes(text));
  const own = parseNoteSize(note);
  // Both proofs must end in one checkpoint; on a ledger that grows between the two answers they are asked for again.
  for (let tries = 0; tries < 5; tries++) {
    const from = await pins.size();
    const [newest, given] = await Promise.all([api.get(`/ledger/checkpoint?from=${from}`), api.get(`/ledger/checkpoint?from=${own}`)]);
    const vault = await trust(newest, pins);
    const [older, other] = [await vault.read(note), await vault.read(given.note)];
    if (entry.seq !== seq || !(await included(fromHex(entry.leaf), seq, older.size, hashes(proof), older.root))) throw notIncluded(seq);
    if (older.size === vault.size && equal(older.root, vault.root)) return { entry, vault };
    if (other.size !== vault.size) continue;
    if (!equal(other.root, vault.root) || !(await consistent(older.size, older.root, vault.size, vault.root, hashes(given.consistency)))) {
      throw stop('ledger_rewritten', 'Two checkpoints of this ledger contradict each other.');
    }
    return { entry, vault };
  }
  throw new Refusal('ledger_busy', { what: 'Not checked yet.', why: 'The ledger grows faster than this page reads it.', next: 'Try again.' });
}

function parseNoteSize(note) {
  try {
    return parseNote(note).size;
  } catch (cause) {
    throw stop('checkpoint', 'The checkpoint is malformed.', { cause });
  }
}

/** One entry as the ledger page shows it, proved: `{entry, vault}`. */
export async function provedEntry({ api, pins }, seq) {
  const given = await api.get(`/ledger/entries/${seq}`);
  return proveUnder({ api, pins }, given.note, given);
}
