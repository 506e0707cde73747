import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkEvidence } from '../evidence.js';
import { newId, b64u, random, utf8 } from '../bytes.js';
import * as canonical from '../canonical.js';
import { keyBook, parseEntry } from '../ledger.js';
import { evidence, freshPins, L, membersOf, NOW, RP, scene, sealEnvelope, treeRoot, World } from './world.js';

const check = (s, ev, pins = freshPins(), now = NOW) => checkEvidence({ evidence: ev, pins, now, requestId: s.request.request });
const refused = (promise, code) => assert.rejects(promise, (e) => (assert.equal(e.name, 'Refusal', e.stack), assert.equal(e.code, code, `${e.code}: ${e.why}`), true));
const s = await scene();
const entryOf = (w, seq) => parseEntry(utf8(w.entries[seq]));

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

test('a further key admitted by a revoked one', async () => {
  const t = await scene();
  const act = { authenticator: t.mara.authenticator, user: t.mara.user, why: 'lost' };
  const revoked = await t.w.signed('authenticator.revoked', 'revoke', act, t.cleo.authenticator);
  const second = await t.w.enrol(t.mara.user, { admittedBy: t.mara.authenticator });
  const filed = await t.w.signed('request.filed', 'request', membersOf(t.request, { request: newId() }), second.authenticator);
  await refused(checkEvidence({ evidence: evidence(t, { filed, roles: { revoked: [revoked.seq] } }), pins: freshPins(), now: NOW }), 'key_revoked');
});

/** Asks for the scene's secret once more, as that person. */
async function asks(t, person, more = {}) {
  const filed = await t.w.signed('request.filed', 'request', membersOf(t.request, { request: newId(), requester_name: person.name }), person.authenticator);
  return checkEvidence({ evidence: evidence(t, { filed, ...more }), pins: freshPins(), now: NOW });
}
const gives = (t, by, to, roles) => t.w.signed('person.roles', 'roles', { roles, user: to.user }, by.authenticator);

test('who invited was a custodian then, down to the first person', async () => {
  const t = await scene();
  const [ada, ben, chi] = t.approvers;
  const puppet = await t.w.person('Puppet', ada.authenticator, ['requester']);
  await refused(asks(t, puppet), 'role');
  // Two steps up: Ada made a custodian of her own, who invites.
  const friend = await t.w.person('Friend', ada.authenticator, ['custodian']);
  await refused(asks(t, await t.w.person('Puppet Two', friend.authenticator, ['requester'])), 'role');

  const second = await t.w.person('Second Custodian', t.cleo.authenticator, ['custodian']);
  const early = await t.w.person('Early', second.authenticator, ['requester']);
  await gives(t, t.cleo, second, ['auditor']);
  const late = await t.w.person('Late', second.authenticator, ['requester']);
  assert.equal((await asks(t, early)).requester.admitted.name, 'Second Custodian');
  await refused(asks(t, late), 'role');

  await gives(t, t.cleo, ben, ['custodian', 'approver']);
  const after = await t.w.person('After', ben.authenticator, ['requester']);
  assert.equal((await asks(t, after)).requester.admitted.name, 'Ben');
  // What is not shown did not happen: neither a change left out, nor all of them.
  const shown = evidence(t).roles.role_changes;
  await refused(asks(t, after, { roles: { role_changes: shown.slice(0, -1) } }), 'role');
  await refused(asks(t, after, { roles: { role_changes: undefined } }), 'role');

  // Roles that somebody gave who could not, himself included.
  await gives(t, ada, chi, ['custodian']);
  await refused(asks(t, await t.w.person('Of Chi', chi.authenticator, ['requester'])), 'role');
  await gives(t, ada, ada, ['custodian']);
  await refused(asks(t, await t.w.person('Of Ada', ada.authenticator, ['requester'])), 'role');
});

test('roles that nobody signed', async () => {
  const t = await scene();
  const [ada] = t.approvers;
  const { seq } = await gives(t, t.cleo, ada, ['requester', 'approver']);
  const data = JSON.parse(t.w.entries[seq]).data;
  t.w.append('person.roles', { ...data, statement: data.statement.replace('"requester"', '"custodian"') }, t.cleo.user);
  const puppet = await t.w.person('Puppet', ada.authenticator, ['requester']);
  await refused(asks(t, puppet), 'assertion');
  await refused(asks(t, puppet, { roles: { role_changes: [t.targetSet] } }), 'entry_differs');
});

test('who asks may ask', async () => {
  const t = await scene();
  const approver = await t.w.person('Approver Only', t.cleo.authenticator, ['approver']);
  await refused(asks(t, approver), 'role');
  await refused(asks(t, t.cleo), 'role');
  await gives(t, t.cleo, approver, ['approver', 'requester']);
  assert.equal((await asks(t, approver)).requester.name, 'Approver Only');
  await gives(t, t.cleo, approver, ['approver']);
  await refused(asks(t, approver), 'role');
  // The target's request, and any other than for a secret: a custodian's.
  const target = await t.w.signed('request.filed', 'request', membersOf(t.targetRequest.value, { request: newId(), requester_name: 'Ada' }), t.approvers[0].authenticator);
  const set = t.w.append('target.set', { ...t.target, approvals: [0], request: target.value.request, safe: t.safe });
  await refused(check(t, evidence(t, { roles: { target: set, target_request: target.seq } })), 'role');
});

test('a first person who is no custodian', async () => {
  const w = new World().found();
  const first = await w.person('First', null, ['requester']);
  const book = keyBook(
    { ...RP, ledger: w.ledger },
    { invited: [await entryOf(w, first.invited)], enrolled: [await entryOf(w, first.enrolled)] },
  );
  await refused(book.key(first.authenticator), 'invitation');
});

test('a roster that calls somebody by another name than the invited one', async () => {
  const t = await scene();
  const [ada] = t.approvers;
  const lie = structuredClone(t.roster);
  [lie.approvers[0].name, lie.approvers[1].name] = [lie.approvers[1].name, lie.approvers[0].name];
  const set = t.w.append('roster.set', { acceptances: [], approvals: [], new: lie, request: newId(), safe: t.safe });
  const members = { new: { ...t.roster, epoch: 2 }, request: newId(), roster: t.w.leaf(set), reason_commitment: t.request.reason_commitment };
  const filed = await t.w.signed('request.filed', 'request', membersOf(t.rosterRequest.value, members), t.cleo.authenticator);
  const approval = await t.w.signed('request.approved', 'approval', { decision: 'approve', entry: t.w.leaf(filed.seq), subject: filed.value }, ada.authenticator);
  const roles = { roster: set, sealed: undefined, target: undefined, target_request: undefined };
  await checkEvidence({ evidence: evidence(t, { filed, roles }), pins: freshPins(), now: NOW });
  await refused(checkEvidence({ evidence: evidence(t, { filed, roles, decisions: [approval.seq] }), pins: freshPins(), now: NOW }), 'name_differs');
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
