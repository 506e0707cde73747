import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { accept, toAccept } from '../accept.js';
import { openApi } from '../api.js';
import { b64u, fromB64u, newId } from '../bytes.js';
import { openClient } from '../client.js';
import { approve, deny, review } from '../decide.js';
import { addKey, invitation, join, lacking, sealOlder } from '../enrol.js';
import { askable, commitReason, fileRelease, fileRoster, fileTarget, usual } from '../file.js';
import { login } from '../login.js';
import { checkIn, checkShares, holdsKey, open, sweep, textOf } from '../open.js';
import { hpkeSeal, resealShare } from '../share.js';
import { invite, revokeKey, setRoles } from '../sign.js';
import { challenge } from '../statement.js';
import { memoryStore } from '../store.js';
import { filingLink, terminalLink } from '../terminal.js';
import * as webauthn from '../webauthn.js';
import { FakeServer, invitationHash } from './fake-server.js';
import { FakeKey } from './fake-webauthn.js';
import { L, NOW, RP, scene } from './world.js';

/** A client whose key prompt reaches these devices, one after another until one answers. */
async function clientOf(server, person, devices = [person.device]) {
  const container = {
    create: (o) => devices.at(-1).create(o),
    get: async (o) => {
      for (const d of devices) {
        const got = await d.get(o).catch(() => null);
        if (got) return got;
      }
      throw new DOMException('none', 'NotAllowedError');
    },
  };
  const keys = { get: (what, how) => webauthn.get(what, { container, ...how }), create: (what, how) => webauthn.create(what, { container, ...how }) };
  const client = await openClient({ api: openApi({ fetch: server.fetch }), store: memoryStore(), now: () => NOW, keys });
  server.as(person);
  return client;
}
const refused = (promise, code) => assert.rejects(promise, (e) => (assert.equal(e.name, 'Refusal', e.stack), assert.equal(e.code, code, `${e.code}: ${e.why}`), true));
const ask = (s) => ({ credential: s.cred, reason: 'SSO is down.', ticket: 'INC-4127', durationS: 900 });

/** Mara files; the named approvers approve. */
async function reached({ approvers = 2, ...more } = {}) {
  const s = await scene({ purpose: null, ...more });
  const server = new FakeServer(s);
  const mara = await clientOf(server, s.mara);
  const filed = await fileRelease(mara, ask(s));
  const clients = [];
  for (const a of s.approvers.slice(0, approvers)) {
    const c = await clientOf(server, a);
    await approve(c, await review(c, filed.request));
    clients.push(c);
  }
  server.as(s.mara);
  return { s, server, mara, filed, clients };
}

test('a release: file, approve twice, open; the plaintext appears only here', async () => {
  const { s, server, mara, filed } = await reached();
  const got = await open(mara, filed.request);
  assert.equal(textOf(got.plaintext), s.secret);
  assert.deepEqual(got.wrong, []);
  assert.deepEqual(got.warnings, []);
  assert.equal(textOf((await open(mara, filed.request)).plaintext), s.secret);
  const sent = server.sent.map((x) => x.body).join('\n');
  for (const canary of [s.secret, b64u(s.sealed.q), ...s.sealed.shares.map((x) => b64u(x.share)), ...[...s.w.keys.values()].flatMap((k) => k.device.credentials.map((c) => b64u(c.secret))), 'clientExtensionResults', '"prf"']) {
    assert.ok(!sent.includes(canary));
  }
  await checkIn(mara, filed.request);
  assert.equal(await holdsKey(mara, filed.request), false);
});

test('p2: one approver fewer opens nothing; another browser holds no key', async () => {
  const { mara, filed, server, s } = await reached({ approvers: 1 });
  await refused(open(mara, filed.request), 'tampered');
  await refused(open(await clientOf(server, s.mara), filed.request), 'other_browser');
});

test('a wrong share is refused and its owner named; one more good share still opens', async () => {
  const { s, server, mara, filed } = await reached({ approvers: 3 });
  const bad = server.shares[0];
  const ch = await challenge(bad.statement);
  assert.deepEqual(await checkShares(mara, filed.request), { good: 3, needed: 2, wrong: [] });
  bad.sealed = b64u(await resealShare(randomBytes(32), bad.x, fromB64u(server.filed.value.delivery_key), ch, s.sealed.ctx));
  // Found before anything is opened, and told.
  const { good, wrong } = await checkShares(mara, filed.request);
  assert.deepEqual([good, wrong.map((w) => w.name), server.refused], [2, ['Ada'], [bad.approver]]);
  assert.equal(server.opened, undefined);
  const got = await open(mara, filed.request);
  assert.equal(textOf(got.plaintext), s.secret);
  assert.deepEqual(got.wrong.map((w) => w.name), ['Ada']);
  server.shares.pop();
  await assert.rejects(open(mara, filed.request), (e) => e.code === 'tampered' && e.why.includes('Ada') && e.wrong.length === 1);
});

test('opening: what the server may not change', async () => {
  const { s, server, mara, filed } = await reached();
  const other = await scene({ purpose: null });
  const cases = {
    envelope: (o) => ({ ...o, envelope: other.sealed.text }),
    tampered: (o) => ({ ...o, h: o.h.slice(0, -2) + (o.h.endsWith('AA') ? 'BA' : 'AA') }),
    entry: (o) => ({ ...o, entry: o.entry.replace('"version":14', '"version":13') }),
    statement: (o) => ({ ...o, shares: o.shares.map((x) => ({ ...x, statement: x.statement.replace('approve', 'deny') })) }),
    checkpoint: (o) => ({ ...o, checkpoint: other.w.note() }),
    proof: (o) => ({ ...o, proof: o.proof.slice(1) }),
    twice: (o) => ({ ...o, shares: [o.shares[0], o.shares[0]] }),
  };
  for (const [name, change] of Object.entries(cases)) {
    server.change = (path, a) => (path.endsWith('/open') ? change(a) : a);
    await assert.rejects(open(mara, filed.request), (e) => (assert.equal(e.name, 'Refusal', name + e.stack), true), name);
  }
  // The ledger can't be asked at this moment: the secret is shown, and that is said.
  server.change = (path, a) => a;
  const { get } = mara.api;
  mara.api.get = () => get('/nowhere').catch((e) => Promise.reject(Object.assign(e, { code: 'unreachable' })));
  const late = await open(mara, filed.request);
  assert.equal(textOf(late.plaintext), s.secret);
  assert.equal(late.warnings.length, 1);
});

test('p2_replaced_delivery_key: a share is re-sealed only to the key in the signed request', async () => {
  const s = await scene({ purpose: null });
  const server = new FakeServer(s);
  const mara = await clientOf(server, s.mara);
  const { request } = await fileRelease(mara, ask(s));
  const ada = await clientOf(server, s.approvers[0]);
  server.change = (path, a) => {
    if (!path.endsWith('/evidence')) return a;
    const e = a.entries.find((x) => x.seq === a.roles.request);
    e.entry = e.entry.replace(/\\"delivery_key\\":\\"[^"\\]+/, `\\"delivery_key\\":\\"${b64u(randomBytes(32))}`);
    return a;
  };
  await refused(review(ada, request), 'entry_not_included');
  assert.equal(s.approvers[0].device.challenges.length, (await scene({ purpose: null })).approvers[0].device.challenges.length);
});

test('p3: what is touched is the hash of the statement sent, and its subject is the request verbatim', async () => {
  const { s, server } = await reached();
  const sent = server.sent.find((x) => x.path.endsWith('/decisions')).given;
  const want = b64u(L('statement', sent.signed.statement));
  const client = JSON.parse(Buffer.from(sent.signed.assertion.client_data_json, 'base64url'));
  assert.equal(client.challenge, want);
  assert.deepEqual(JSON.parse(sent.signed.statement).subject, server.filed.value);
  assert.equal(s.approvers[0].device.challenges.at(-1), want);
});

test('p3_login_challenge_is_a_statement_hash (page): a challenge sent by the server is not used', async () => {
  const s = await scene({ purpose: null });
  const server = new FakeServer(s);
  const evil = b64u(L('statement', 'an approval'));
  server.change = (path, a) => (path === '/login/start' ? { ...a, challenge: evil, nonce: a.nonce } : a);
  const mara = await clientOf(server, s.mara);
  await login(mara);
  const { statement, user_handle } = server.sent.find((x) => x.path === '/login/finish').given;
  assert.equal(s.mara.device.challenges.at(-1), b64u(L('statement', statement)));
  assert.equal(JSON.parse(statement).kind, 'login');
  assert.equal(Buffer.from(user_handle, 'base64url').toString('hex'), s.mara.user.replaceAll('-', ''));
  // Not even as the nonce of another shape.
  server.change = (path, a) => (path === '/login/start' ? { ...a, nonce: 'x' } : a);
  await assert.rejects(login(mara));
  server.change = (path, a) => (path === '/login/start' ? { ...a, ledger: 'f'.repeat(64) } : a);
  await refused(login(mara), 'ledger_differs');
});

test('deny asks for no PRF and carries no share; after a decision the requester is known', async () => {
  const s = await scene({ purpose: null });
  const server = new FakeServer(s);
  const { request } = await fileRelease(await clientOf(server, s.mara), ask(s));
  const ada = await clientOf(server, s.approvers[0]);
  s.approvers[0].device.prf = 'none';
  const first = await review(ada, request);
  assert.equal(first.facts.requester.known, false);
  assert.equal(first.facts.memory, 'none');
  await deny(ada, first);
  const sent = server.sent.at(-1).given;
  assert.equal(JSON.parse(sent.signed.statement).decision, 'deny');
  assert.equal(sent.share, undefined);
  const again = await review(ada, request);
  assert.equal(again.facts.requester.known, true);
  assert.equal(again.facts.memory, 'kept');
  assert.deepEqual(again.facts.denied.map((d) => d.name), ['Ada']);
  assert.equal((await ada.pins.receipts()).length, 1);
});

test('approve: no PRF in the browser, a share that does not fit, nobody rostered, expired', async () => {
  const s = await scene({ purpose: null });
  const server = new FakeServer(s);
  const { request } = await fileRelease(await clientOf(server, s.mara), ask(s));
  const ada = await clientOf(server, s.approvers[0]);
  const reviewed = await review(ada, request);
  s.approvers[0].device.prf = 'none';
  await refused(approve(ada, reviewed), 'no_prf_browser');
  s.approvers[0].device.prf = 'both';
  const ben = s.approvers[1].sealedShare;
  await refused(approve(ada, { ...reviewed, shares: [{ ...reviewed.shares[0], sealed: ben }] }), 'share');
  await refused(approve(ada, { ...reviewed, shares: [] }), 'no_share');
  await refused(approve(ada, { ...reviewed, me: { ...reviewed.me, user: newId() } }), 'no_share');
  assert.equal(server.sent.filter((x) => x.path.endsWith('/decisions')).length, 0);
  ada.now = () => NOW + 86_400_000_000;
  const touches = s.approvers[0].device.touches;
  await refused(approve(ada, reviewed), 'expired');
  assert.equal(s.approvers[0].device.touches, touches);
});

test('p3_context_of_another_credential: a share sealed for another envelope does not open here', async () => {
  const s = await scene({ purpose: null });
  const server = new FakeServer(s);
  const { request } = await fileRelease(await clientOf(server, s.mara), ask(s));
  const ada = await clientOf(server, s.approvers[0]);
  const reviewed = await review(ada, request);
  const key = s.w.keys.get(s.approvers[0].authenticator).pair.publicBytes;
  const aad = Buffer.from(`{"approver":"${s.approvers[0].user}","authenticator":"${s.approvers[0].authenticator}","x":1}`);
  const elsewhere = b64u(await hpkeSeal(key, Buffer.concat([Buffer.from('vitrine/share-envelope/v1\n'), L('header', 'another')]), aad, s.sealed.shares[0].share));
  await refused(approve(ada, { ...reviewed, shares: [{ ...reviewed.shares[0], sealed: elsewhere }] }), 'share');
});

test('an answer that was lost: the same bytes again without a touch', async () => {
  const s = await scene({ purpose: null });
  const server = new FakeServer(s);
  const { request } = await fileRelease(await clientOf(server, s.mara), ask(s));
  const ada = await clientOf(server, s.approvers[0]);
  const reviewed = await review(ada, request);
  server.lose = 1;
  const error = await approve(ada, reviewed).catch((e) => e);
  assert.equal(error.code, 'unreachable');
  const { touches } = s.approvers[0].device;
  assert.equal((await error.again()).state, 'waiting');
  assert.equal(s.approvers[0].device.touches, touches);
  const [a, b] = server.sent.filter((x) => x.path.endsWith('/decisions'));
  assert.equal(a.body, b.body);
});

test('filing: the delivery key is kept before the request leaves, and wiped when it was refused', async () => {
  const s = await scene({ purpose: null });
  const server = new FakeServer(s);
  const mara = await clientOf(server, s.mara);
  server.lose = 1;
  await refused(fileRelease(mara, ask(s)), 'unreachable');
  const { request } = server.filed.value;
  assert.equal(await holdsKey(mara, request), true);
  assert.equal((await mara.deliveries.of(request)).privateKey.extractable, false);
  await sweep({ ...mara, now: () => NOW + 86_400_000_000 });
  assert.equal(await holdsKey(mara, request), false);
  const route = server.route.bind(server);
  server.route = (line, ...rest) => (line === 'POST /requests' ? undefined : route(line, ...rest));
  await refused(fileRelease(mara, ask(s)), 'not_found');
  const { statement } = server.sent.at(-1).given.signed;
  assert.equal(await holdsKey(mara, JSON.parse(statement).request), false);
  await refused(fileRelease(mara, { ...ask(s), reason: '  ' }), 'no_reason');
  // Before a touch is asked for: this client has no key to touch.
  const keyless = await clientOf(server, s.mara, []);
  for (const bad of ['SSO is \u202enwod', 'a\u2067b', 'x\u0007', 'a\ufeffb', 'half \ud800']) await refused(fileRelease(keyless, { ...ask(s), reason: bad }), 'reason_text');
  assert.equal((await commitReason(' Down.\r\n\tSince noon, cafe\u0301. ')).reason, 'Down.\n\tSince noon, caf\u00e9.');
  await refused(fileRelease(mara, { ...ask(s), version: 3 }), 'no_version');
});

test('the version that worked last is asked for unless somebody says which', () => {
  const of = (...states) => ({ versions: states.map((state, i) => ({ version: i + 1, state })) });
  const unproved = of('superseded', 'current', 'candidate', 'candidate');
  assert.deepEqual(askable(unproved).map((v) => v.version), [4, 3, 2]);
  assert.equal(usual(unproved).version, 2);
  assert.equal(usual(of('proved_last', 'proved_last', 'current')).version, 3);
  assert.equal(usual(of('candidate')).version, 1);
  assert.equal(usual(of('superseded')), undefined);
});

test('filing for a terminal: its key, its request id, its poll hash; no key is kept here', async () => {
  const s = await scene({ purpose: null });
  const server = new FakeServer(s);
  const mara = await clientOf(server, s.mara);
  const key = b64u(randomBytes(32));
  const fragment = `#r=${newId()}&k=${key}&p=${'c'.repeat(64)}&c=${s.credential}&why=down%20again&for=600`;
  const link = await filingLink(fragment);
  assert.equal(link.reason, 'down again');
  assert.match(link.fingerprint, /^([0-9a-f]{4} ){3}[0-9a-f]{4}$/);
  const filed = await fileRelease(mara, { credential: s.cred, reason: link.reason, durationS: link.durationS, terminal: link });
  assert.equal(filed.request, link.request);
  assert.equal(server.filed.value.delivery_key, key);
  assert.equal(server.sent.at(-1).given.poll, 'c'.repeat(64));
  assert.equal(await holdsKey(mara, filed.request), false);
  for (const bad of ['', '#r=x', fragment.replace('&k=', '&k=A'), fragment.replace('for=600', 'for=-1'), fragment.replace('p=c', 'p=C')]) await refused(filingLink(bad), 'link_malformed');
  assert.deepEqual(terminalLink(`#p=${'c'.repeat(64)}&l=tty`), { poll: 'c'.repeat(64), label: 'tty' });
  assert.throws(() => terminalLink('#p=x'), { code: 'link_malformed' });
});

for (const prf of ['both', 'get']) {
  test(`joining, PRF ${prf === 'both' ? 'at create' : 'by one more touch'}`, async () => {
    const s = await scene({ purpose: null });
    const server = new FakeServer(s);
    const device = new FakeKey({ prf });
    const nina = { user: newId(), name: 'Nina', device };
    const client = await clientOf(server, nina);
    const token = b64u(randomBytes(32));
    const steps = [];
    const invited = await invitation(client, `http://localhost:7443/join#${token}`);
    assert.equal(invited.start.name, 'Nina');
    const done = await join(client, invited, { step: (n) => steps.push(n) });
    assert.deepEqual(steps, prf === 'both' ? ['create', 'sign'] : ['create', 'prove', 'sign']);
    assert.equal(done.user, nina.user);
    const { given, body } = server.sent.at(-1);
    assert.equal(given.box, b64u(server.box));
    const enrol = JSON.parse(given.signed.statement);
    assert.equal(enrol.invitation, await invitationHash(token));
    assert.equal(enrol.registration_sha256, L('registration', JSON.stringify(given.registration)).toString('hex'));
    assert.equal(JSON.parse(given.register).kind, 'register');
    assert.equal(device.challenges[0], b64u(L('statement', given.register)));
    assert.ok(!body.includes('clientExtensionResults') && !server.sent.some((x) => x.body.includes('"prf"')));
    await refused(invitation(client, 'nonsense'), 'invitation_malformed');
  });
}

test('a key without PRF: refused, or enrolled without a share on request', async () => {
  const s = await scene({ purpose: null });
  const server = new FakeServer(s);
  const nina = { user: newId(), name: 'Nina', device: new FakeKey({ prf: 'none' }) };
  const client = await clientOf(server, nina);
  const token = b64u(randomBytes(32));
  const steps = [];
  await refused(join(client, await invitation(client, token)), 'no_prf');
  await join(client, await invitation(client, token), { withoutShare: true, step: (n) => steps.push(n) });
  assert.deepEqual(steps, ['create', 'sign']);
  const { given } = server.sent.at(-1);
  assert.equal(given.box, undefined);
  assert.equal(JSON.parse(given.signed.statement).share_key, undefined);
});

test('a further key is admitted by a key held already', async () => {
  const s = await scene({ purpose: null });
  const server = new FakeServer(s);
  const [ada] = s.approvers;
  const device = new FakeKey();
  const client = await clientOf(server, ada, [ada.device, device]);
  const steps = [];
  const added = await addKey(client, { step: (n) => steps.push(n) });
  assert.deepEqual(steps, ['create', 'sign', 'admit']);
  const { given } = server.sent.at(-2);
  assert.equal(given.admission.credential_id, ada.credentialId);
  assert.notEqual(given.signed.credential_id, ada.credentialId);
  assert.equal(JSON.parse(given.signed.statement).invitation, undefined);
  assert.deepEqual(added.shares, { held: 1, sealed: 1 });
  const challenges = [given.admission, given.signed].map((x) => JSON.parse(Buffer.from(x.assertion.client_data_json, 'base64url')).challenge);
  assert.equal(challenges[0], challenges[1]);
});

test('a further key opens the shares that the first one held, and approves with them', async () => {
  const s = await scene();
  const server = new FakeServer(s);
  const [ada] = s.approvers;
  const device = new FakeKey();
  const added = await addKey(await clientOf(server, ada, [ada.device, device]));
  assert.deepEqual(added.shares, { held: 1, sealed: 1 });
  const { path, given } = server.sent.at(-1);
  assert.match(path, /^\/you\/keys\/.+\/shares$/);
  assert.notEqual(given.shares[0].sealed, ada.sealedShare);
  const credentialId = JSON.parse(server.sent.at(-2).given.signed.statement).credential_id;
  const again = { ...ada, device, authenticator: added.authenticator, credentialId, sealedShare: given.shares[0].sealed };
  Object.assign(server, { filed: s.filed, reason: s.reason });
  s.w.keys.set(added.authenticator, { credentialId, device });
  const client = await clientOf(server, again, [device]);
  await approve(client, await review(client, s.request.request));
  assert.equal(server.shares.length, 1);
  // A share of somebody else's making is not sealed on, and nothing else fails for it.
  ada.sealedShare = b64u(randomBytes(80));
  assert.deepEqual((await addKey(await clientOf(server, ada, [ada.device, new FakeKey()]))).shares, { held: 1, sealed: 0 });
});

test('what adding a key could not finish is finished later, with both keys', async () => {
  const s = await scene();
  const server = new FakeServer(s);
  const [ada] = s.approvers;
  const device = new FakeKey();
  const added = await addKey(await clientOf(server, ada, [ada.device, device]));
  const enrol = JSON.parse(server.sent.at(-2).given.signed.statement);
  const to = { ledger: s.w.ledger, rpId: RP.rpId, user: ada.user, authenticator: added.authenticator, pair: { publicBytes: fromB64u(enrol.share_key) } };
  // The shares that were sent then are lost: they are made anew.
  assert.deepEqual(await sealOlder(await clientOf(server, ada), to), { held: 1, sealed: 1 });
  const { path, given } = server.sent.at(-1);
  assert.equal(path, `/you/keys/${added.authenticator}/shares`);
  const again = { ...ada, device, authenticator: added.authenticator, credentialId: enrol.credential_id, sealedShare: given.shares[0].sealed };
  Object.assign(server, { filed: s.filed, reason: s.reason });
  s.w.keys.set(added.authenticator, { credentialId: enrol.credential_id, device });
  const client = await clientOf(server, again, [device]);
  await approve(client, await review(client, s.request.request));
  assert.equal(server.shares.length, 1);
  // A browser that reaches no PRF sends nothing, and no key that opens nothing is asked.
  const before = server.sent.length;
  await refused(sealOlder(await clientOf(server, ada), { ...to, authenticator: ada.authenticator }), 'nothing_older');
  ada.device.prf = 'none';
  await refused(sealOlder(await clientOf(server, ada), to), 'no_prf_browser');
  assert.deepEqual(server.sent.slice(before).filter((c) => c.path.endsWith('/shares')), []);
});

test('what a key does not open, of all that its owner holds', () => {
  const share = (authenticator, credential, version) => ({ authenticator, credential, version });
  const shares = [share('a', 'c', 1), share('a', 'c', 2), share('a', 'd', 1), share('b', 'c', 2), share('b', 'e', 1)];
  assert.deepEqual([...lacking(shares, ['a', 'b', 'new'])], [['a', 1], ['b', 2], ['new', 4]]);
  assert.deepEqual([...lacking([], ['a'])], [['a', 0]]);
});

test('founding a roster: filed, reviewed, accepted by the very key named', async () => {
  const s = await scene({ purpose: null });
  const server = new FakeServer(s);
  const cleo = await clientOf(server, s.cleo);
  const filed = await fileRoster(cleo, { new: { ...s.roster, name: 'Second safe' }, reason: 'a new safe' });
  const [ada] = s.approvers;
  const client = await clientOf(server, ada);
  server.change = (path, a) => {
    if (path.endsWith('/evidence')) for (const k of ['roster', 'sealed', 'target', 'target_request']) delete a.roles[k];
    return a;
  };
  const reviewed = await review(client, filed.request);
  assert.equal(reviewed.facts.request.new.name, 'Second safe');
  const keys = toAccept(reviewed);
  assert.deepEqual(keys, [{ authenticator: ada.authenticator, credentialId: ada.credentialId }]);
  await accept(client, reviewed, keys[0]);
  const after = await review(client, filed.request);
  assert.deepEqual(toAccept(after), []);
  assert.deepEqual(after.facts.accepted.map((a) => a.name), ['Ada']);
});

test('binding a target is approved with one touch and no share', async () => {
  const s = await scene({ purpose: null });
  const server = new FakeServer(s);
  const cleo = await clientOf(server, s.cleo);
  const { request } = await fileTarget(cleo, { ...s.target, safe: s.safe, roster: s.rosterLeaf, reason: 'rotate it' });
  const ada = await clientOf(server, s.approvers[0]);
  await approve(ada, await review(ada, request));
  assert.equal(server.sent.at(-1).given.share, undefined);
});

test('custodian acts: invite, roles, keys', async () => {
  const s = await scene({ purpose: null });
  const server = new FakeServer(s);
  const cleo = await clientOf(server, s.cleo);
  const got = await invite(cleo, { name: ' Nina  Nord ', roles: ['approver', 'approver'] });
  const { body, given } = server.sent.at(-1);
  const statement = JSON.parse(given.signed.statement);
  assert.equal(statement.name, 'Nina Nord');
  assert.equal(statement.invitation, await invitationHash(got.token));
  assert.ok(!body.includes(got.token));
  assert.equal(got.link, `/join#${got.token}`);
  await setRoles(cleo, { user: got.user, roles: [] });
  await revokeKey(cleo, { user: s.mara.user, authenticator: s.mara.authenticator, why: 'lost' });
  assert.equal(server.sent.at(-1).path, `/keys/${s.mara.authenticator}/revoke`);
});

test('the key prompt: a timeout, an abort, every error a refusal; the result carries nothing more', async () => {
  const what = { challenge: new Uint8Array(32), rpId: 'localhost' };
  const hangs = { get: () => new Promise(() => {}), create: () => new Promise(() => {}) };
  await refused(webauthn.get(what, { container: hangs, timeoutMs: 20 }), 'no_touch');
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 10);
  await refused(webauthn.get(what, { container: hangs, signal: controller.signal }), 'prompt_ended');
  await refused(webauthn.get(what, { container: hangs, signal: AbortSignal.abort() }), 'prompt_ended');
  await refused(webauthn.get(what, { container: {} }), 'no_webauthn');
  for (const [name, code] of [['InvalidStateError', 'key_known'], ['NotSupportedError', 'key_unfit'], ['SecurityError', 'wrong_site'], ['NotAllowedError', 'prompt_ended']]) {
    await refused(webauthn.get(what, { container: { get: async () => Promise.reject(new DOMException('x', name)) } }), code);
  }
  const s = await scene({ purpose: null });
  const got = await webauthn.get({ ...what, prf: true }, { container: s.mara.device });
  assert.deepEqual(Object.keys(got).sort(), ['prf', 'touch', 'userHandle']);
  assert.ok(!JSON.stringify(got.touch).includes('prf'));
});

test('the API refuses to send what must not leave, and turns problems into refusals', async () => {
  const api = openApi({ fetch: async () => new Response(JSON.stringify({ type: 'no_margin', title: 'Not changed.', detail: 'Why.', next: 'Next.', status: 409, reference: 'r7' }), { status: 409 }) });
  for (const body of [{ prf: {} }, { a: [{ clientExtensionResults: {} }] }, { a: new Uint8Array(3) }]) await assert.rejects(api.post('/x', body), TypeError);
  await assert.rejects(api.post('/x', {}), { code: 'no_margin', what: 'Not changed.', why: 'Why.', next: 'Next.', status: 409, reference: 'r7' });
  await refused(openApi({ fetch: async () => new Response('<html>', { status: 502 }) }).get('/x'), 'http_502');
  await refused(openApi({ fetch: async () => Promise.reject(new TypeError('net')) }).get('/x'), 'unreachable');
  assert.equal(await openApi({ fetch: async () => new Response(null, { status: 204 }) }).get('/x'), null);
});

test('what was sent and not answered may have been done, and only that', async () => {
  const said = (fetch, act) => openApi({ fetch })[act]('/x').catch((e) => e);
  const down = async () => Promise.reject(new TypeError('net'));
  const cut = async () => new Response('{"sta');
  const between = async () => new Response('<html>', { status: 504 });
  for (const lost of [down, cut, between]) {
    for (const act of ['post', 'delete']) {
      const { code, what, next } = await said(lost, act);
      assert.deepEqual({ code, what, next }, { code: 'unreachable', what: 'No answer from the vault. It may have been done.', next: 'Reload this page and look before you do it again.' });
    }
    assert.match((await said(lost, 'get')).what, /^Not done\./);
  }
  const problem = async () => new Response('{"type":"ledger_busy","title":"Not done."}', { status: 503 });
  assert.equal((await said(problem, 'post')).code, 'ledger_busy');
  const before = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  Object.defineProperty(globalThis, 'navigator', { value: { onLine: false }, configurable: true });
  try {
    assert.match((await said(down, 'post')).what, /^Not done\./);
  } finally {
    if (before) Object.defineProperty(globalThis, 'navigator', before);
    else delete globalThis.navigator;
  }
});
