// A ledger made in memory for tests: founding, people, keys, a safe, a sealed secret, a request. Hashing, tree, notes, Shamir and
// sealing are written here again with node:crypto, apart from the modules under test; statements are built by them.

import { createCipheriv, createHash, createHmac, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import * as canonical from '../canonical.js';
import { b64u, newId } from '../bytes.js';
import { shareKey } from '../prf.js';
import { hpkeSeal } from '../share.js';
import * as statement from '../statement.js';
import { FakeKey } from './fake-webauthn.js';
import { get, create } from '../webauthn.js';
import { memoryStore } from '../store.js';
import { pinsOver } from '../pins.js';

export const sha = (...parts) => parts.reduce((h, p) => h.update(p), createHash('sha256')).digest();
export const L = (thing, ...parts) => sha(`vitrine/${thing}/v1\n`, ...parts);
export const NOW = 1_800_000_000_000_000;
export const RP = { rpId: 'localhost', origins: ['http://localhost:7443'] };
const hexOf = (b) => Buffer.from(b).toString('hex');

// ---- tree (RFC 6962 section 2.1, recursively) ----
const node = (l, r) => sha(Buffer.from([1]), l, r);
const split = (n) => 2 ** Math.floor(Math.log2(n - 1));
export function treeRoot(d) {
  if (d.length === 0) return sha('');
  if (d.length === 1) return d[0];
  const k = split(d.length);
  return node(treeRoot(d.slice(0, k)), treeRoot(d.slice(k)));
}
export function inclusion(m, d) {
  if (d.length <= 1) return [];
  const k = split(d.length);
  return m < k ? [...inclusion(m, d.slice(0, k)), treeRoot(d.slice(k))] : [...inclusion(m - k, d.slice(k)), treeRoot(d.slice(0, k))];
}
export function consistency(m, d, whole = true) {
  if (m === d.length) return whole ? [] : [treeRoot(d)];
  const k = split(d.length);
  return m <= k ? [...consistency(m, d.slice(0, k), whole), treeRoot(d.slice(k))] : [...consistency(m - k, d.slice(k), false), treeRoot(d.slice(0, k))];
}

// ---- checkpoint key ----
export class CheckpointKey {
  constructor(name) {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const raw = Buffer.concat([Buffer.from([1]), Buffer.from(publicKey.export({ format: 'jwk' }).x, 'base64url')]);
    this.name = name;
    this.id = sha(`${name}\n`, raw).subarray(0, 4);
    this.vkey = `${name}+${hexOf(this.id)}+${raw.toString('base64')}`;
    this.privateKey = privateKey;
  }
  line(body) {
    return `\u2014 ${this.name} ${Buffer.concat([this.id, sign(null, Buffer.from(body), this.privateKey)]).toString('base64')}\n`;
  }
}

// ---- Shamir over 0x11D by tables ----
const EXP = [];
const LOG = [];
for (let i = 0, v = 1; i < 255; i++) {
  EXP[i] = v;
  LOG[v] = i;
  v <<= 1;
  if (v & 0x100) v ^= 0x11d;
}
const mul = (a, b) => (a && b ? EXP[(LOG[a] + LOG[b]) % 255] : 0);
export function shamirSplit(secret, m, places) {
  const rest = Array.from({ length: m - 1 }, () => randomBytes(secret.length));
  return places.map((x) => ({
    x,
    share: Uint8Array.from(secret, (s, i) => [...rest].reverse().reduce((acc, c) => mul(acc, x) ^ c[i], 0)).map((v, i) => mul(v, x) ^ secret[i]),
  }));
}

// ---- sealing ----
const expand = (prk, info) => createHmac('sha256', prk).update(info).update(Buffer.from([1])).digest();
const tag = (thing) => Buffer.from(`vitrine/${thing}/v1\n`);
export function sealEnvelope(header, plaintext) {
  const ctx = L('header', canonical.text(header));
  const q = randomBytes(32);
  const h = randomBytes(32);
  const prk = createHmac('sha256', Buffer.alloc(32)).update(q).update(h).digest();
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', expand(prk, Buffer.concat([tag('secret-key'), ctx])), nonce);
  cipher.setAAD(ctx);
  const padded = Buffer.alloc(Math.floor(plaintext.length / 64) * 64 + 64);
  Buffer.from(plaintext).copy(padded);
  padded[plaintext.length] = 0x80;
  const body = Buffer.concat([cipher.update(padded), cipher.final(), cipher.getAuthTag()]);
  const shares = shamirSplit(q, header.m, Array.from({ length: header.n }, (_, i) => i + 1));
  const keyCommitment = expand(prk, Buffer.concat([tag('key-commitment'), ctx]));
  const text = canonical.text({
    body: b64u(body), header, key_commitment: hexOf(keyCommitment), nonce: b64u(nonce),
    share_commitments: shares.map(({ x, share }) => hexOf(L('share-commitment', ctx, Buffer.from([x]), share))),
  });
  return { text, hash: hexOf(L('envelope', text)), ctx: new Uint8Array(ctx), q, h, shares, keyCommitment: hexOf(keyCommitment) };
}

/** Everybody and everything of one test. */
export class World {
  constructor(name = 'vault.example') {
    this.name = name;
    this.signers = [new CheckpointKey(name), new CheckpointKey(name)];
    this.entries = [];
    this.leaves = [];
    this.time = NOW - 3_600_000_000;
    this.people = new Map();
  }

  append(event, data, actor = 'system') {
    const seq = this.entries.length;
    this.time += 1_000_000;
    const text = canonical.text({ actor, data, event, prev: seq ? hexOf(this.leaves[seq - 1]) : '0'.repeat(64), seq, time: this.time, v: 1 });
    this.entries.push(text);
    this.leaves.push(sha(Buffer.from([0]), text));
    return seq;
  }

  leaf(seq) {
    return hexOf(this.leaves[seq]);
  }

  note(size = this.entries.length, signers = this.signers) {
    const body = `${this.name}\n${size}\n${treeRoot(this.leaves.slice(0, size)).toString('base64')}\n`;
    return `${body}\n${signers.map((s) => s.line(body)).join('')}`;
  }

  proved(seq, size = this.entries.length) {
    return { seq, entry: this.entries[seq], proof: inclusion(seq, this.leaves.slice(0, size)).map(hexOf) };
  }

  consistency(from, size = this.entries.length) {
    return from > 0 && from <= size ? consistency(from, this.leaves.slice(0, size)).map(hexOf) : [];
  }

  checkpoint(from = 0) {
    return { note: this.note(), consistency: this.consistency(from), founding: this.proved(0), keys: this.signers.map((s) => s.vkey) };
  }

  found() {
    this.append('ledger.founded', { checkpoint_keys: this.signers.map((s) => s.vkey), name: this.name, origins: RP.origins, rp_id: RP.rpId });
    this.ledger = this.leaf(0);
    return this;
  }

  /** Signs a statement with a person's key and appends the entry. */
  async signed(event, kind, members, authenticator, more = {}) {
    const holder = this.keys.get(authenticator);
    const built = await statement.build(kind, { ...members, ledger: this.ledger, signer: holder.user });
    const { touch } = await get({ challenge: built.challenge, rpId: RP.rpId, allow: [holder.credentialId] }, { container: holder.device });
    return { seq: this.append(event, { assertion: touch.assertion, authenticator, statement: built.text, ...more }, holder.user), ...built };
  }

  async assertion(authenticator, challenge) {
    const holder = this.keys.get(authenticator);
    return (await get({ challenge, rpId: RP.rpId, allow: [holder.credentialId] }, { container: holder.device })).touch.assertion;
  }

  keys = new Map();

  /** Invites (by `by`, an authenticator; nobody: entry 1) and enrols a person with a first key. */
  async person(name, by, roles = ['requester', 'approver']) {
    const user = newId();
    const token = randomBytes(32);
    const invitation = hexOf(L('invitation', token));
    const invite = { expires: this.time + 86_400_000_000, invitation, name, roles, user };
    let invited;
    if (by) invited = (await this.signed('person.invited', 'invite', invite, by)).seq;
    else invited = this.append('person.invited', { ...invite, kind: 'invite', ledger: this.ledger, nonce: b64u(randomBytes(32)), v: 1 });
    this.people.set(user, { user, name, invited, keys: [] });
    const first = await this.enrol(user, { invitation });
    return { user, name, invited, ...first };
  }

  /** Enrols a key of a person: with an invitation, or admitted by another authenticator. */
  async enrol(user, { invitation, admittedBy, device = new FakeKey(), change = (m) => m } = {}) {
    const { name, keys } = this.people.get(user);
    const made = await create({ challenge: randomBytes(32), rpId: RP.rpId, rpName: 'x', user, name }, { container: device });
    const authenticator = newId();
    const { prf } = await get({ challenge: randomBytes(32), rpId: RP.rpId, allow: [made.credentialId], prf: true }, { container: device });
    const pair = await shareKey(prf, { credentialId: made.credentialId, ledger: this.ledger, user });
    this.keys.set(authenticator, { user, name, device, credentialId: made.credentialId, pair });
    const members = change({
      aaguid: b64u(made.aaguid), authenticator, credential_id: made.credentialId, invitation, name, public_key: b64u(made.publicKey),
      registration_sha256: hexOf(L('registration', canonical.text(made.registration))), share_key: b64u(pair.publicBytes), user,
    });
    const built = await statement.build('enrol', { ...members, ledger: this.ledger, signer: user });
    const more = { registration: made.registration };
    if (admittedBy) more.admission = { assertion: await this.assertion(admittedBy, built.challenge), authenticator: admittedBy };
    const { touch } = await get({ challenge: built.challenge, rpId: RP.rpId, allow: [made.credentialId] }, { container: device });
    const enrolled = this.append('authenticator.enrolled', { assertion: touch.assertion, authenticator, statement: built.text, ...more }, user);
    keys.push(authenticator);
    return { user, authenticator, device, credentialId: made.credentialId, enrolled };
  }
}

/** A whole scene: custodian, three approvers, a requester; one safe, one target, one sealed password, one request. */
export async function scene({ m = 2, purpose = 'release', requestMore = {} } = {}) {
  const w = new World().found();
  const cleo = await w.person('Cleo Custodian', null, ['custodian']);
  const approvers = [];
  for (const name of ['Ada', 'Ben', 'Chi']) approvers.push(await w.person(name, cleo.authenticator));
  const mara = await w.person('Mara Lindqvist', cleo.authenticator, ['requester']);
  const safe = newId();
  const roster = {
    approvers: approvers.map((a) => ({ authenticators: [a.authenticator], name: a.name, user: a.user })),
    denials: 1, drill: false, epoch: 1, grant_life_s: 3600, m, name: 'Network core', request_life_s: 1800,
  };
  const reason = async () => {
    const salt = randomBytes(32);
    const text = 'Primary refuses every login.\nSSO is down.';
    return { text, salt: b64u(salt), commitment: hexOf(L('reason', salt, text)) };
  };
  const why0 = await reason();
  const far = NOW + 86_400_000_000;
  const rosterRequest = await w.signed('request.filed', 'request', {
    expires: far, purpose: 'roster', reason_commitment: why0.commitment, request: newId(), requester_name: cleo.name, roster: '0'.repeat(64), safe, new: roster,
  }, cleo.authenticator);
  const acceptances = [];
  for (const a of approvers) {
    acceptances.push((await w.signed('request.accepted', 'acceptance', { authenticator: a.authenticator, entry: w.leaf(rosterRequest.seq), subject: rosterRequest.value }, a.authenticator)).seq);
  }
  const rosterSet = w.append('roster.set', { acceptances, approvals: [], new: roster, request: rosterRequest.value.request, safe });
  const rosterLeaf = w.leaf(rosterSet);

  const credential = newId();
  const target = { account: 'postgres', address: 'db.example:5432/postgres', connector: 'postgresql', credential, pin: `sha256:${'a'.repeat(64)}`, target: newId() };
  const targetRequest = await w.signed('request.filed', 'request', {
    ...target, expires: far, purpose: 'target', reason_commitment: why0.commitment, request: newId(), requester_name: cleo.name, roster: rosterLeaf, safe,
  }, cleo.authenticator);
  const targetSet = w.append('target.set', { ...target, approvals: [0], request: targetRequest.value.request, safe });

  const header = {
    credential, epoch: 1, ledger: w.ledger, m, n: 3, roster: rosterLeaf, safe, sealed_as: { kind: 'password', name: 'orders-primary superuser', target: target.target }, suite: 1, v: 1, version: 14,
  };
  const secret = 'kx7-Rr2.mW_9';
  const sealed = sealEnvelope(header, Buffer.from(secret));
  const versionSealed = w.append('version.sealed', {
    authenticators: approvers.map((a) => a.authenticator).sort(), credential, envelope: sealed.hash, epoch: 1, key_commitment: sealed.keyCommitment, origin: 'generated', roster: rosterLeaf, safe, version: 14,
  });
  for (const a of approvers) {
    const i = approvers.indexOf(a);
    const aad = canonical.encode({ approver: a.user, authenticator: a.authenticator, x: i + 1 });
    a.sealedShare = b64u(await hpkeSeal(w.keys.get(a.authenticator).pair.publicBytes, Buffer.concat([tag('share-envelope'), sealed.ctx]), aad, sealed.shares[i].share));
  }

  const s = { w, cleo, approvers, mara, safe, roster, rosterRequest, rosterSet, rosterLeaf, target, targetRequest, targetSet, header, sealed, secret, versionSealed, credential, acceptances };
  s.cred = {
    credential, name: 'orders-primary superuser', kind: 'password', safe, safe_name: roster.name, state: 'sealed',
    versions: [{ version: 14, envelope: sealed.hash, epoch: 1, roster: rosterLeaf, header, state: 'current' }],
  };
  if (purpose) {
    const delivery = await crypto.subtle.generateKey({ name: 'X25519' }, true, ['deriveBits']);
    const why = await reason();
    const filed = await w.signed('request.filed', 'request', {
      credential, delivery_key: b64u(new Uint8Array(await crypto.subtle.exportKey('raw', delivery.publicKey))), duration_s: 900, envelope: sealed.hash, epoch: 1, expires: NOW + 1_620_000_000, open_within_s: 600,
      purpose: 'release', reason_commitment: why.commitment, request: newId(), requester_name: mara.name, roster: rosterLeaf, safe, sealed_as: header.sealed_as, ticket: 'INC-4127', version: 14, ...requestMore,
    }, mara.authenticator);
    Object.assign(s, { delivery, reason: why, filed, request: filed.value });
    s.evidence = (from = 0, me = approvers[0], decisions = []) => evidence(s, { from, me, decisions });
  }
  return s;
}

/** The evidence of the scene's request, as the API gives it. */
export function evidence(s, { from = 0, me = s.approvers[0], decisions = [], filed = s.filed, roles = {}, reason = s.reason } = {}) {
  const { w } = s;
  const people = [...w.people.values()];
  const seqsOf = (event) => w.entries.flatMap((text, seq) => (JSON.parse(text).event === event ? [seq] : []));
  const all = {
    founding: 0, request: filed.seq, roster: s.rosterSet, sealed: s.versionSealed, target: s.targetSet, target_request: s.targetRequest.seq,
    invited: people.map((p) => p.invited), enrolled: seqsOf('authenticator.enrolled'), role_changes: seqsOf('person.roles'), decisions, revoked: [], ...roles,
  };
  const seqs = [...new Set(Object.values(all).flat().filter((q) => q !== undefined))].sort((a, b) => a - b);
  const place = s.approvers.findIndex((a) => a.user === me.user);
  return structuredClone({
    checkpoint: w.note(), consistency: w.consistency(from), entries: seqs.map((seq) => w.proved(seq)), roles: all, envelope: s.sealed.text,
    reason: { text: reason.text, salt: reason.salt },
    shares: place < 0 ? [] : [{ approver: me.user, authenticator: me.authenticator, credential_id: me.credentialId, x: place + 1, sealed: me.sealedShare }],
    me: { user: me.user, name: me.name, authenticators: [{ authenticator: me.authenticator, credential_id: me.credentialId }] },
  });
}

export const freshPins = () => pinsOver(memoryStore());

/** The members of a statement, to build another from: without what `signed` adds. */
export const membersOf = ({ kind, v, nonce, ledger, signer, ...members }, changes) => ({ ...members, ...changes });
