import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { b64u, fromB64u, newId } from '../bytes.js';
import { openEnvelope, parseEnvelope, unpad } from '../envelope.js';
import { shareKey, x25519 } from '../prf.js';
import { checkShare, combine, hpkeOpen, hpkeSeal, openBox, openDeliveredShare, openHalf, openShare, resealShare } from '../share.js';
import * as canonical from '../canonical.js';
import { L, sealEnvelope, shamirSplit } from './world.js';

const header = (more = {}) => ({
  credential: newId(), epoch: 1, ledger: 'a'.repeat(64), m: 3, n: 7, roster: 'b'.repeat(64), safe: newId(), sealed_as: { kind: 'note', name: 'x' }, suite: 1, v: 1, version: 1, ...more,
});

test('combining: any m of n at places beyond 1, 2, 3; m-1 or a mixture give nothing', () => {
  const q = randomBytes(32);
  const shares = shamirSplit(q, 3, [1, 2, 4, 5, 17, 64, 100]);
  for (const pick of [[0, 1, 2], [1, 3, 4], [6, 4, 2], [3, 5, 6]]) assert.deepEqual(Buffer.from(combine(pick.map((i) => shares[i]))), q);
  assert.notDeepEqual(Buffer.from(combine(shares.slice(2, 4))), q);
  const swapped = [{ ...shares[2], x: 5 }, { ...shares[3], x: 4 }, shares[4]];
  assert.notDeepEqual(Buffer.from(combine(swapped)), q);
  assert.throws(() => combine([shares[0], shares[0], shares[1]]), { code: 'repeated_share' });
  assert.throws(() => combine([{ ...shares[0], x: 0 }]), { code: 'no_such_place' });
  assert.throws(() => combine([]), { code: 'too_few_shares' });
});

test('sealing and opening, with the public key of a non-extractable pair', async () => {
  const of = { credentialId: 'AAAA', ledger: 'a'.repeat(64), user: newId() };
  const out = randomBytes(32);
  const pair = await shareKey(new Uint8Array(out), of);
  assert.equal(pair.privateKey.extractable, false);
  assert.deepEqual((await shareKey(new Uint8Array(out), of)).publicBytes, pair.publicBytes);
  for (const other of [{ ...of, credentialId: 'AAAB' }, { ...of, ledger: 'c'.repeat(64) }, { ...of, user: newId() }]) {
    assert.notDeepEqual((await shareKey(new Uint8Array(out), other)).publicBytes, pair.publicBytes);
  }
  const wiped = new Uint8Array(out);
  await shareKey(wiped, of);
  assert.ok(wiped.every((b) => b === 0));

  const info = Buffer.from('info');
  const aad = Buffer.from('aad');
  const sealed = await hpkeSeal(pair.publicBytes, info, aad, Buffer.from('hello'));
  assert.equal(Buffer.from(await hpkeOpen(pair, info, aad, sealed)).toString(), 'hello');
  const other = await x25519(randomBytes(32));
  for (const [k, i, a, s] of [[other, info, aad, sealed], [pair, aad, aad, sealed], [pair, info, info, sealed], [pair, info, aad, sealed.map((b, n) => (n === 40 ? b ^ 1 : b))], [pair, info, aad, sealed.subarray(0, 47)]]) {
    await assert.rejects(hpkeOpen(k, i, a, s), { code: 'not_for_this_key' });
  }
  for (let i = 0; i < 5; i++) {
    const { d, x } = generateKeyPairSync('x25519').privateKey.export({ format: 'jwk' });
    assert.equal(b64u((await x25519(fromB64u(d))).publicBytes), x);
  }
});

test('a share from envelope to requester: context, place, approver, authenticator and challenge are bound', async () => {
  const e = sealEnvelope(header(), Buffer.from('secret'));
  const parsed = await parseEnvelope(e.text);
  assert.equal(parsed.hash, e.hash);
  assert.deepEqual(Buffer.from(parsed.ctx), Buffer.from(e.ctx));
  const mine = await x25519(randomBytes(32));
  const delivery = await x25519(randomBytes(32));
  const who = { approver: newId(), authenticator: newId(), x: 5 };
  const info = Buffer.concat([Buffer.from('vitrine/share-envelope/v1\n'), e.ctx]);
  const sealed = await hpkeSeal(mine.publicBytes, info, canonical.encode(who), e.shares[4].share);
  const share = await openShare(mine, { ...who, sealed }, parsed.ctx, parsed.shareCommitments);
  assert.deepEqual(Buffer.from(share), Buffer.from(e.shares[4].share));
  for (const change of [{ approver: newId() }, { authenticator: newId() }, { x: 4 }]) await assert.rejects(openShare(mine, { ...who, sealed, ...change }, parsed.ctx, parsed.shareCommitments), { code: 'not_for_this_key' });
  await assert.rejects(openShare(mine, { ...who, sealed }, L('header', 'other'), parsed.shareCommitments), { code: 'not_for_this_key' });

  const challenge = randomBytes(32);
  const resealed = await resealShare(share, 5, delivery.publicBytes, challenge, parsed.ctx);
  assert.deepEqual(Buffer.from(await openDeliveredShare(delivery, 5, resealed, challenge, parsed.ctx, parsed.shareCommitments)), Buffer.from(share));
  await assert.rejects(openDeliveredShare(delivery, 5, resealed, randomBytes(32), parsed.ctx, parsed.shareCommitments), { code: 'not_for_this_key' });
  await assert.rejects(openDeliveredShare(delivery, 6, resealed, challenge, parsed.ctx, parsed.shareCommitments), { code: 'not_for_this_key' });
  const wrong = await resealShare(e.shares[3].share, 5, delivery.publicBytes, challenge, parsed.ctx);
  await assert.rejects(openDeliveredShare(delivery, 5, wrong, challenge, parsed.ctx, parsed.shareCommitments), { code: 'wrong_share' });
  for (const x of [0, 8, 101, 1.5]) await assert.rejects(checkShare(parsed.ctx, x, share, parsed.shareCommitments));
});

test('opening an envelope: halves, context, body, padding', async () => {
  for (const size of [0, 1, 63, 64, 65, 128, 500]) {
    const secret = randomBytes(size);
    const e = sealEnvelope(header(), secret);
    const q = combine(e.shares.slice(3, 6));
    assert.deepEqual(Buffer.from(await openEnvelope(await parseEnvelope(e.text), q, new Uint8Array(e.h))), secret);
    assert.ok(q.every((b) => b === 0));
  }
  const e = sealEnvelope(header(), Buffer.from('x'));
  const q = () => new Uint8Array(e.q);
  await assert.rejects(openEnvelope(await parseEnvelope(e.text), q(), randomBytes(32)), { code: 'wrong_key' });
  const value = JSON.parse(e.text);
  for (const k of ['credential', 'safe']) {
    const other = await parseEnvelope(canonical.text({ ...value, header: { ...value.header, [k]: newId() } }));
    await assert.rejects(openEnvelope(other, q(), new Uint8Array(e.h)), { code: 'wrong_key' });
  }
  const body = Buffer.from(value.body, 'base64url');
  body[3] ^= 1;
  await assert.rejects(openEnvelope(await parseEnvelope(canonical.text({ ...value, body: body.toString('base64url') })), q(), new Uint8Array(e.h)), { code: 'wrong_body' });
  for (const bad of [new Uint8Array(64), new Uint8Array(0), new Uint8Array(63).fill(0x80), new Uint8Array(64).fill(1)]) assert.throws(() => unpad(bad), { code: 'bad_padding' });
  assert.throws(() => unpad(new Uint8Array(128).fill(0x80, 3, 4)), { code: 'bad_padding' });
});

test('a malformed envelope', async () => {
  const value = JSON.parse(sealEnvelope(header(), Buffer.from('x')).text);
  const with_ = (more) => canonical.text({ ...value, ...more });
  const bad = [
    'x', '{}', with_({ extra: 1 }), with_({ nonce: 'AAAA' }), with_({ key_commitment: 'aa' }), with_({ share_commitments: value.share_commitments.slice(1) }), with_({ share_commitments: ['x'] }), with_({ body: 'AAAA' }),
    ...Object.keys(value.header).map((k) => with_({ header: Object.fromEntries(Object.entries(value.header).filter(([n]) => n !== k)) })),
    with_({ header: { ...value.header, suite: 2 } }), with_({ header: { ...value.header, v: 2 } }), with_({ header: { ...value.header, n: 101 } }), with_({ header: { ...value.header, m: 8 } }), with_({ header: { ...value.header, more: 1 } }),
    JSON.stringify(value, null, 1),
  ];
  for (const b of bad) await assert.rejects(parseEnvelope(b), { code: 'malformed' }, b.slice(0, 60));
});

test('the half and the box', async () => {
  const pair = await x25519(randomBytes(32));
  const [leaf, ctx, h] = [randomBytes(32), randomBytes(32), randomBytes(32)];
  const sealed = await hpkeSeal(pair.publicBytes, Buffer.concat([Buffer.from('vitrine/release-h/v1\n'), leaf]), ctx, h);
  assert.deepEqual(Buffer.from(await openHalf(pair, sealed, leaf, ctx)), h);
  await assert.rejects(openHalf(pair, sealed, randomBytes(32), ctx), { code: 'not_for_this_key' });
  await assert.rejects(openHalf(pair, sealed, leaf, randomBytes(32)), { code: 'not_for_this_key' });
  const of = { ledger: 'a'.repeat(64), user: newId() };
  const box = await hpkeSeal(pair.publicBytes, Buffer.from(`vitrine/enrol-box/v1\n${canonical.text(of)}`), new Uint8Array(), h);
  assert.deepEqual(Buffer.from(await openBox(pair, box, of)), h);
  await assert.rejects(openBox(pair, box, { ...of, user: newId() }), { code: 'not_for_this_key' });
});
