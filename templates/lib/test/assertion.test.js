import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { test } from 'node:test';
import { rawSignature, notStrict, verify } from '../assertion.js';
import { RP } from './world.js';

const sha = (b) => createHash('sha256').update(b).digest();
const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const publicKey = new Uint8Array(pair.publicKey.export({ type: 'spki', format: 'der' }).subarray(26));
const challenge = new Uint8Array(sha('statement'));
const b64 = Buffer.from(challenge).toString('base64url');

const client = (more = {}) => Buffer.from(JSON.stringify({ type: 'webauthn.get', challenge: b64, origin: RP.origins[0], crossOrigin: false, ...more }));
const auth = ({ rp = RP.rpId, flags = 5, counter = 7 } = {}) => Buffer.concat([sha(rp), Buffer.from([flags, 0, 0, 0, counter])]);
const make = (clientDataJson = client(), authenticatorData = auth()) => ({
  authenticatorData: new Uint8Array(authenticatorData), clientDataJson: new Uint8Array(clientDataJson),
  signature: new Uint8Array(sign('sha256', Buffer.concat([authenticatorData, sha(clientDataJson)]), pair.privateKey)),
});
const fails = (code, given, over = {}) => assert.rejects(verify(over.rp ?? RP, over.key ?? publicKey, over.challenge ?? challenge, given), (e) => (assert.equal(e.code, code), true));

test('a good assertion, extra members and unsigned extension data allowed', async () => {
  assert.deepEqual(await verify(RP, publicKey, challenge, make()), { counter: 7 });
  assert.deepEqual(await verify(RP, publicKey, challenge, make(client({ crossOrigin: undefined, other_keys_can_be_added_here: { a: [1, 'x"y{'] } }))), { counter: 7 });
  await verify(RP, publicKey, challenge, make(client(), Buffer.concat([auth({ flags: 0x85 }), Buffer.from([0xa0])])));
});

test('every rule of client data', async () => {
  await fails('type', make(client({ type: 'webauthn.create' })));
  await fails('challenge', make(client({ challenge: `${b64}=` })));
  await fails('challenge', make(client({ challenge: undefined })));
  await fails('challenge', make(), { challenge: new Uint8Array(32) });
  await fails('origin', make(client({ origin: 'http://localhost:7444' })));
  await fails('origin', make(client({ origin: 'http://localhost:7443/' })));
  await fails('cross_origin', make(client({ crossOrigin: true })));
  await fails('cross_origin', make(client({ crossOrigin: null })));
  await fails('top_origin', make(client({ topOrigin: 'http://a' })));
  await fails('top_origin', make(client({ topOrigin: '' })));
  await fails('client_data', make(Buffer.from(client().toString().replace('{', '{"type":"webauthn.get",'))));
  await fails('client_data', make(Buffer.from(client().toString().replace('"type"', '"\\u0074ype":"webauthn.get","type"'))));
  await fails('client_data', make(Buffer.from('[]')));
  await fails('client_data', make(Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), client()])));
  await fails('client_data', make(Buffer.concat([client(), Buffer.from('x')])));
  await fails('client_data', make(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d])));
});

test('every rule of authenticator data', async () => {
  await fails('authenticator_data', make(client(), auth().subarray(0, 36)));
  await fails('rp_id', make(client(), auth({ rp: 'evil' })));
  await fails('user_present', make(client(), auth({ flags: 4 })));
  await fails('user_verified', make(client(), auth({ flags: 1 })));
  await fails('backed_up', make(client(), auth({ flags: 0x0d })));
  await fails('backed_up', make(client(), auth({ flags: 0x15 })));
});

test('signature and key', async () => {
  const given = make();
  await fails('signature', { ...given, authenticatorData: new Uint8Array(auth({ counter: 8 })) });
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ type: 'spki', format: 'der' }).subarray(26);
  await fails('signature', given, { key: new Uint8Array(other) });
  await fails('key', given, { key: publicKey.subarray(0, 33) });
  const off = publicKey.slice();
  off[64] ^= 1;
  await fails('key', given, { key: off });
  await fails('der', { ...given, signature: new Uint8Array([...given.signature, 0]) });
});

test('strict DER', () => {
  const r = (h) => rawSignature(new Uint8Array(Buffer.from(h, 'hex')));
  assert.equal(Buffer.from(r('3006020101020102')).toString('hex'), `${'00'.repeat(31)}01${'00'.repeat(31)}02`);
  assert.equal(r('300702020080020102')[31], 0x80);
  for (const bad of ['', '30', '300602010102', '30060201010201', '3106020101020102', '3007020101020102', '300602018102010200', '3006020181020101', '30070202000102010100', '3007020200010201', '3006020001020102', '300702810101020102', '308106020101020102', '300602010102010200']) {
    assert.throws(() => r(bad), { code: 'der' }, bad);
  }
});

test('repeated members and half pairs', () => {
  assert.equal(notStrict('{"a":{"a":1},"b":["a","a"],"c":"a"}'), false);
  assert.equal(notStrict('{"a":{"b":1,"b":2}}'), true);
  assert.equal(notStrict('["\\ud800"]'), true);
  assert.equal(notStrict('{"\\udc00a":1}'), true);
  assert.equal(notStrict('["\\ud83d\\ude00"]'), false);
  assert.equal(notStrict('[{"x\\"":1,"x\\u0022":2}]'), true);
});

test('client data has no greatest depth, and none hides a repeated member', async () => {
  const nested = (inside, depth) => client().toString().replace('}', `,"x":${'[{"a":'.repeat(depth)}${inside}${'}]'.repeat(depth)}}`);
  for (const depth of [16, 2500, 100_000]) {
    await verify(RP, publicKey, challenge, make(Buffer.from(nested('{"type":1,"topOrigin":1}', depth))));
    for (const bad of ['{"a":1,"a":1}', '1,"a":1', '[', ']', '{}}', '["\\udc00"]']) await fails('client_data', make(Buffer.from(nested(bad, depth))));
  }
});
