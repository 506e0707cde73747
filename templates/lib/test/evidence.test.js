import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkEvidence } from '../evidence.js';
import { newId, b64u, random } from '../bytes.js';
import * as canonical from '../canonical.js';
import { evidence, freshPins, L, membersOf, NOW, scene, sealEnvelope, treeRoot, World } from './world.js';

const check = (s, ev, pins = freshPins(), now = NOW) => checkEvidence({ evidence: ev, pins, now, requestId: s.request.request });
const refused = (promise, code) => assert.rejects(promise, (e) => (assert.equal(e.name, 'Refusal', e.stack), assert.equal(e.code, code, `${e.code}: ${e.why}`), true));
const s = await scene();

test('everything shown comes from verified bytes', async () => {
  const pins = freshPins();
  const facts = await check(s, s.evidence(), pins);
  assert.equal(facts.requester.name, 'Mara Lindqvist');
  assert.equal(facts.requester.known, false);
  assert.deepEqual(facts.requester.admitted, { how: 'invited', user: s.cleo.user, name: 'Cleo Custodian' });
  assert.equal(facts.credential.name, 'orders-primary superuser');
  assert.equal(facts.target.address, 'db.example:5432/postgres');
  assert.equal(facts.safe.name, 'Network core');
  assert.equal(facts.memory, 'none');
  assert.match(facts.code, /^[0-9A-Z]{4}-[0-9A-Z]{4}$/);
  assert.equal((await pins.ledger()).checkpoint.size, s.w.entries.length);
});

test('check 1: another ledger than the pinned one', async () => {
  const pins = freshPins();
  await pins.meet('0'.repeat(64));
  await refused(check(s, s.evidence(), pins), 'ledger_differs');
});

test('check 2: checkpoint signature, origin, consistency with memory', async () => {
  const ev = s.evidence();
  ev.checkpoint = s.w.note(s.w.entries.length, [new World(s.w.name).signers[0]]);
  await refused(check(s, ev), 'checkpoint');

  const seen = freshPins();
  await check(s, s.evidence(), seen);
  const { checkpoint, ledger } = await seen.ledger();
  const other = freshPins();
  await other.meet(ledger);
  await other.advance(ledger, { size: checkpoint.size - 2, root: '1'.repeat(64) });
  await refused(check(s, s.evidence(checkpoint.size - 2), other), 'ledger_rewritten');
  const ahead = freshPins();
  await ahead.meet(ledger);
  await ahead.advance(ledger, { size: checkpoint.size + 5, root: '1'.repeat(64) });
  await refused(check(s, s.evidence(), ahead), 'ledger_behind');
  for (const from of [1, 2, 5, checkpoint.size - 1, checkpoint.size]) {
    const pins = freshPins();
    await pins.meet(ledger);
    await pins.advance(ledger, { size: from, root: treeRoot(s.w.leaves.slice(0, from)).toString('hex') });
    await check(s, s.evidence(from), pins);
  }
});

test('check 3: the filing is included, and is the request of this page', async () => {
  const ev = s.evidence();
  const filed = ev.entries.find((e) => e.seq === ev.roles.request);
  filed.entry = filed.entry.replace('INC-4127', 'INC-4128');
  await refused(check(s, ev), 'entry_not_included');
  await refused(checkEvidence({ evidence: s.evidence(), pins: freshPins(), now: NOW, requestId: newId() }), 'another_request');
});

test('check 4: the key pinned for the requester', async () => {
  const pins = freshPins();
  await pins.meetPerson(s.w.ledger, { user: s.mara.user, name: 'Mara Lindqvist', authenticator: s.mara.authenticator, publicKey: 'other' });
  await refused(check(s, s.evidence(), pins), 'key_differs');
  const known = freshPins();
  const facts = await check(s, s.evidence(), known);
  await known.meetPerson(s.w.ledger, facts.requester);
  assert.equal((await check(s, s.evidence(), known)).requester.known, true);
});

test('check 4: enrolment or invitation not shown', async () => {
  const ev = s.evidence();
  ev.roles.enrolled = ev.roles.enrolled.filter((q) => q !== s.mara.enrolled);
  await refused(check(s, ev), 'key_missing');
  const ev2 = s.evidence();
  ev2.roles.invited = ev2.roles.invited.filter((q) => q !== s.mara.invited);
  await refused(check(s, ev2), 'invitation_missing');
  const ev3 = s.evidence();
  ev3.roles.enrolled = ev3.roles.enrolled.filter((q) => q !== s.cleo.enrolled);
  await refused(check(s, ev3), 'key_missing');
});

test('check 5: the envelope and each member of its header', async () => {
  const changes = { credential: newId(), epoch: 2, ledger: '1'.repeat(64), m: 3, n: 2, roster: '2'.repeat(64), safe: newId(), version: 13, sealed_as: { kind: 'password', name: 'other' } };
  const ev = s.evidence();
  ev.envelope = sealEnvelope(s.header, Buffer.from('other')).text;
  await refused(check(s, ev), 'envelope_differs');
  const one = JSON.parse(s.sealed.text);
  one.nonce = b64u(random(12));
  ev.envelope = canonical.text(one);
  await refused(check(s, ev), 'envelope_differs');
  // A request that names an envelope whose header says something else: p3_context_of_another_credential.
  for (const [member, value] of Object.entries(changes)) {
    const sealed = sealEnvelope({ ...s.header, [member]: value }, Buffer.from('x'));
    const filed = await s.w.signed('request.filed', 'request', membersOf(s.request, { request: newId(), envelope: sealed.hash }), s.mara.authenticator);
    const bad = evidence({ ...s, sealed }, { filed });
    await refused(checkEvidence({ evidence: bad, pins: freshPins(), now: NOW }), 'header_differs');
  }
});

test('check 5: version.sealed says otherwise', async () => {
  const data = { ...JSON.parse(s.w.entries[s.versionSealed]).data };
  const other = s.w.append('version.sealed', { ...data, version: 15 });
  await refused(check(s, evidence(s, { roles: { sealed: other } })), 'sealed_differs');
  await refused(check(s, evidence(s, { roles: { sealed: undefined } })), 'entry_missing');
});

test('check 6: another reason or salt', async () => {
  const ev = s.evidence();
  ev.reason.text += '.';
  await refused(check(s, ev), 'reason');
  const ev2 = s.evidence();
  ev2.reason.salt = b64u(random(32));
  await refused(check(s, ev2), 'reason');
});

test('check 6: a reason with characters that make it read otherwise', async () => {
  for (const text of ['Restart \u202etsoh', 'a\u2066b\u2069', 'x\u001b[2J', '\ufeffx', 'e\u0301', 'a\rb']) {
    const salt = random(32);
    const reason_commitment = Buffer.from(L('reason', salt, text)).toString('hex');
    const filed = await s.w.signed('request.filed', 'request', membersOf(s.request, { request: newId(), reason_commitment }), s.mara.authenticator);
    const bad = { ...evidence(s, { filed }), reason: { text, salt: b64u(salt) } };
    await refused(checkEvidence({ evidence: bad, pins: freshPins(), now: NOW }), 'reason_text');
  }
});

test('check 6: a reason of several lines is shown', async () => {
  const text = 'The replica is stuck.\n\tI will restart it.';
  const salt = random(32);
  const reason_commitment = Buffer.from(L('reason', salt, text)).toString('hex');
  const filed = await s.w.signed('request.filed', 'request', membersOf(s.request, { request: newId(), reason_commitment }), s.mara.authenticator);
  const facts = await checkEvidence({ evidence: { ...evidence(s, { filed }), reason: { text, salt: b64u(salt) } }, pins: freshPins(), now: NOW });
  assert.equal(facts.reason, text);
});

test('check 7: expired by its own clock', () => refused(check(s, s.evidence(), freshPins(), s.request.expires), 'expired'));

test('check 8: p3_swapped_names, target and roster from signed bytes', async () => {
  const swapped = await s.w.signed('request.filed', 'request', membersOf(s.request, { request: newId(), requester_name: 'Ada' }), s.mara.authenticator);
  await refused(checkEvidence({ evidence: evidence(s, { filed: swapped }), pins: freshPins(), now: NOW }), 'name_differs');
  const data = JSON.parse(s.w.entries[s.targetSet]).data;
  const elsewhere = s.w.append('target.set', { ...data, address: 'evil.example:5432/postgres' });
  await refused(check(s, evidence(s, { roles: { target: elsewhere } })), 'target_differs');
  const puppet = s.w.append('roster.set', { acceptances: [], approvals: [], new: { ...s.roster, name: 'Harmless' }, request: newId(), safe: s.safe });
  await refused(check(s, evidence(s, { roles: { roster: puppet } })), 'roster_differs');
});

test('decisions are counted only when their signatures verify', async () => {
  const [ada, ben] = s.approvers;
  const a = await s.w.signed('request.approved', 'approval', { decision: 'approve', entry: s.w.leaf(s.filed.seq), subject: s.request }, ben.authenticator);
  const facts = await check(s, s.evidence(0, ada, [a.seq]));
  assert.deepEqual(facts.approved.map((x) => x.name), ['Ben']);
  const other = await s.w.signed('request.approved', 'approval', { decision: 'approve', entry: s.w.leaf(s.filed.seq), subject: { ...s.request, duration_s: 1 } }, ben.authenticator);
  await refused(check(s, s.evidence(0, ada, [other.seq])), 'decision_differs');
});

test('the key of the filing has been revoked', async () => {
  const t = await scene();
  const r = await t.w.signed('authenticator.revoked', 'revoke', { authenticator: t.mara.authenticator, user: t.mara.user, why: 'lost' }, t.mara.authenticator);
  await refused(check(t, evidence(t, { roles: { revoked: [r.seq] } })), 'key_revoked');
});

test('a further key is said, with the key that admitted it; a stranger cannot admit one (p1_custodian_adds_key_to_approver)', async () => {
  const t = await scene();
  const second = await t.w.enrol(t.mara.user, { admittedBy: t.mara.authenticator });
  const filed = await t.w.signed('request.filed', 'request', membersOf(t.request, { request: newId() }), second.authenticator);
  const facts = await checkEvidence({ evidence: evidence(t, { filed }), pins: freshPins(), now: NOW });
  assert.equal(facts.requester.admitted.how, 'own_key');
  const planted = await t.w.enrol(t.mara.user, { admittedBy: t.cleo.authenticator });
  const forged = await t.w.signed('request.filed', 'request', membersOf(t.request, { request: newId() }), planted.authenticator);
  await refused(checkEvidence({ evidence: evidence(t, { filed: forged }), pins: freshPins(), now: NOW }), 'enrolment');
});

test('a roster that is asked for: founding, names and keys checked against enrolments', async () => {
  const t = await scene();
  const filed = await t.w.signed('request.filed', 'request', membersOf(t.rosterRequest.value, { request: newId(), reason_commitment: t.request.reason_commitment }), t.cleo.authenticator);
  const roles = { roster: undefined, sealed: undefined, target: undefined, target_request: undefined };
  const facts = await checkEvidence({ evidence: evidence(t, { filed, roles }), pins: freshPins(), now: NOW });
  assert.deepEqual(facts.named.map((n) => n.name), ['Ada', 'Ben', 'Chi']);
  assert.equal(facts.safe, null);
  const lie = structuredClone(t.roster);
  [lie.approvers[0].name, lie.approvers[1].name] = [lie.approvers[1].name, lie.approvers[0].name];
  const swapped = await t.w.signed('request.filed', 'request', membersOf(t.rosterRequest.value, { new: lie, request: newId(), reason_commitment: t.request.reason_commitment }), t.cleo.authenticator);
  await refused(checkEvidence({ evidence: evidence(t, { filed: swapped, roles }), pins: freshPins(), now: NOW }), 'name_differs');
});
