import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { b64u, newId, random } from '../bytes.js';
import * as canonical from '../canonical.js';
import { build, challenge, parse, StatementError, tidy } from '../statement.js';

const ledger = 'a'.repeat(64);
const hash = 'b'.repeat(64);
const user = newId();
const release = () => ({
  ledger, signer: user, purpose: 'release', expires: 5, reason_commitment: hash, request: newId(), requester_name: 'Mara', roster: hash, safe: newId(), ticket: 'INC-1',
  credential: newId(), delivery_key: b64u(random(32)), duration_s: 900, envelope: hash, epoch: 1, open_within_s: 600, sealed_as: { kind: 'password', name: 'x', target: newId() }, version: 3,
});
const roster = () => ({
  approvers: ['Ada', 'Ben'].map((name) => ({ authenticators: [newId()], name, user: newId() })), denials: 1, drill: false, epoch: 1, grant_life_s: 900, m: 2, name: 'Safe', request_life_s: 1800,
});

const key = { authenticator: newId(), user, why: 'lost' };
const SAMPLES = {
  login: { ledger, nonce: b64u(random(32)) },
  register: { ledger, nonce: b64u(random(32)), user, invitation: hash },
  prove: { ledger, nonce: b64u(random(32)), user },
  invite: { ledger, signer: user, expires: 1, invitation: hash, name: 'Ada', roles: ['approver'], user: newId() },
  roles: { ledger, signer: user, roles: ['auditor', 'requester'], user },
  enrol: {
    ledger, signer: user, aaguid: b64u(random(16)), authenticator: newId(), credential_id: 'AAAA', invitation: hash, name: 'Ada', public_key: b64u(random(65)), registration_sha256: hash, share_key: b64u(random(32)), user,
  },
  revoke: { ledger, signer: user, ...key },
  suspend: { ledger, signer: user, ...key },
  unsuspend: { ledger, signer: user, ...key },
  request: release(),
  import: { ledger, signer: user, credential: newId(), envelope: hash, safe: newId(), version: 1 },
  setting: { ledger, signer: user, name: 'a', value: 'b' },
  clock: { ledger, signer: user, entry: hash, time: 1, why: 'was off' },
};

test('every kind builds, parses and hashes as written', async () => {
  for (const [kind, members] of Object.entries(SAMPLES)) {
    const s = await build(kind, members);
    assert.deepEqual(parse(s.text, kind), s.value);
    assert.equal(b64u(s.challenge), createHash('sha256').update(`vitrine/statement/v1\n${s.text}`).digest('base64url'));
    assert.deepEqual(await challenge(s.text), s.challenge);
    if (members.nonce) assert.equal(s.value.nonce, members.nonce);
  }
  const subject = (await build('request', release())).value;
  for (const kind of ['approval', 'acceptance']) {
    const more = kind === 'approval' ? { decision: 'deny' } : { authenticator: newId() };
    await build(kind, { ledger, signer: user, entry: hash, subject, ...more });
    await assert.rejects(build(kind, { ledger, signer: user, entry: hash, subject: { ...subject, extra: 1 }, ...more }), StatementError);
  }
});

test('every other purpose', async () => {
  const { ledger: l, signer, expires, reason_commitment, request, requester_name, safe } = release();
  const base = { ledger: l, signer, expires, reason_commitment, request, requester_name, roster: hash, safe };
  const versions = [{ credential: newId(), envelope: hash, version: 1 }];
  const more = {
    access: { delivery_key: b64u(random(32)), duration_s: 1, epoch: 1, needed: 0, role: hash, role_name: 'r', target: newId() },
    roster: { new: roster() },
    role: { access: hash, max_s: 1, name: 'r', needed: 1, previous: hash, target: newId(), windows: ['always'] },
    target: { account: 'a', address: 'h:1/d', connector: 'postgresql', credential: newId(), pin: `sha256:${hash}`, target: newId() },
    reseal: { delivery_key: b64u(random(32)), versions },
    destroy: { versions },
    restore: { checkpoint: hash },
  };
  for (const [purpose, members] of Object.entries(more)) {
    const s = await build('request', { ...base, purpose, ...members });
    assert.equal(parse(s.text, 'request').purpose, purpose);
    for (const k of Object.keys(members)) await assert.rejects(build('request', { ...base, purpose, ...members, [k]: undefined }), StatementError, `${purpose} ${k}`);
  }
  await assert.rejects(build('request', { ...base, purpose: 'gift' }), StatementError);
});

test('a member missing, too many, or of another type', async () => {
  for (const [kind, members] of Object.entries(SAMPLES)) {
    const may = ['invitation', 'share_key', 'ticket', 'nonce'];
    for (const k of Object.keys(members)) {
      if (!may.includes(k)) await assert.rejects(build(kind, { ...members, [k]: undefined }), StatementError, `${kind} ${k}`);
      await assert.rejects(build(kind, { ...members, [k]: [{}] }), StatementError, `${kind} ${k}`);
    }
    await assert.rejects(build(kind, { ...members, extra: 'x' }), StatementError);
    const s = await build(kind, members);
    assert.throws(() => parse(s.text, 'other'), StatementError);
    assert.throws(() => parse(s.text.replace('"v":1', '"v":2'), kind), StatementError);
    assert.throws(() => parse(` ${s.text}`, kind), StatementError);
  }
  await assert.rejects(build('gift', { ledger }), StatementError);
  await assert.rejects(build('login', { ...SAMPLES.login, signer: user }), StatementError);
});

test('values outside their type', async () => {
  const bad = {
    invite: { roles: ['boss'], name: '', expires: 1.5, user: newId().toUpperCase() },
    enrol: { public_key: b64u(random(64)), share_key: b64u(random(33)), credential_id: '', aaguid: 'A'.repeat(23), name: 'x'.repeat(201) },
    request: { version: 0, duration_s: 0, delivery_key: b64u(random(31)), sealed_as: { kind: 'book', name: 'x' }, ticket: '', safe: 'x', envelope: hash.toUpperCase(), requester_name: 'Ma\u202era' },
    clock: { time: 2 ** 53 },
  };
  for (const [kind, members] of Object.entries(bad)) for (const [k, v] of Object.entries(members)) await assert.rejects(build(kind, { ...SAMPLES[kind], [k]: v }), StatementError, `${kind} ${k}`);
  await assert.rejects(build('roles', { ...SAMPLES.roles, roles: ['auditor', 'auditor'] }), StatementError);
  assert.equal((await build('invite', { ...SAMPLES.invite, name: '\u{1f511}'.repeat(200) })).kind, 'invite');
});

test('bounds of a roster', async () => {
  const { credential, delivery_key, duration_s, envelope, epoch, open_within_s, sealed_as, version, ...base } = release();
  const file = (change) => build('request', { ...base, purpose: 'roster', new: change(roster()) });
  await file((r) => r);
  await file((r) => ({ ...r, m: 1, drill: true }));
  for (const change of [
    (r) => ({ ...r, m: 1 }), (r) => ({ ...r, m: 3 }), (r) => ({ ...r, approvers: [r.approvers[0], r.approvers[0]] }), (r) => ({ ...r, approvers: r.approvers.map((a) => ({ ...a, authenticators: [] })) }),
    (r) => ({ ...r, approvers: r.approvers.map((a) => ({ ...a, authenticators: [key.authenticator, key.authenticator] })) }), (r) => ({ ...r, epoch: 0 }), (r) => ({ ...r, denials: 0 }), (r) => ({ ...r, more: 1 }), (r) => ({ ...r, drill: 'no' }),
  ]) await assert.rejects(file(change), StatementError, change.toString());
});

test('entry 1 alone has no signer', async () => {
  const { value } = await build('invite', SAMPLES.invite);
  delete value.signer;
  assert.throws(() => parse(canonical.text(value), 'invite'), StatementError);
  assert.equal(parse(value, 'invite', { signer: false }).name, 'Ada');
});

test('tidy text', () => assert.equal(tidy('  e\u0301  a\n\tb '), 'é a b'));
