import assert from 'node:assert/strict';
import { test } from 'node:test';
import { b64, b64u, fromB64, fromB64u, fromHex, hex, requestCode } from '../bytes.js';
import { CanonicalError, encode, linesFault, parse, stringFault, text } from '../canonical.js';

test('round trips', () => {
  for (const good of ['{}', '[]', '0', '-1', '9007199254740991', 'true', '"é"', '{"a":1,"b":[true,false,{"c_1":"x"}]}', '"\\"\\\\/"', '"\u{1f511}"', '[[[[[[[[1]]]]]]]]', '"\u2028"']) {
    assert.equal(text(parse(good)), good);
    assert.deepEqual(parse(encode(parse(good))), parse(good));
  }
  assert.equal(text({ b: 1, a: 'x', a_1: 2, a1: 3 }), '{"a":"x","a1":3,"a_1":2,"b":1}');
});

test('refuses what is not canonical', () => {
  const bad = [
    '', ' {}', '{} ', 'null', '{"a":null}', '1.0', '1e2', '1.5', '-0', '01', '9007199254740992', '-9007199254740992', '{"a":1,"a":1}', '{"b":1,"a":1}', '{"A":1}', '{"__proto__":1}', '{"é":1}', '{"":1}',
    '"\\u0061"', '"\\/"', '"\\n"', '"\u007f"', '"\u202e"', '"\u2066"', '"\ufeff"', '"e\u0301"', '"\\ud800"', '[1, 2]', '[[[[[[[[[1]]]]]]]]]', '{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{}}}}}}}}}', 'nul', '[1,]', "{'a':1}",
    '\ufeff{}',
  ];
  for (const b of bad) assert.throws(() => parse(b), CanonicalError, b);
  assert.throws(() => parse(Uint8Array.of(0x22, 0xff, 0x22)), CanonicalError);
  assert.throws(() => parse(Uint8Array.of(0xef, 0xbb, 0xbf, 0x7b, 0x7d)), CanonicalError);
  for (const v of [undefined, null, NaN, 0.5, -0, 1n, () => 1, { a: undefined }, '\ud800', 'a\udc00']) assert.throws(() => text(v), CanonicalError);
});

test('faults of text, and of text in several lines', () => {
  for (const s of ['', 'é\u{1f511}\u200f', '\u0085']) assert.deepEqual([stringFault(s), linesFault(s)], [null, null]);
  for (const s of ['a\rb', '\u0000', '\u001b[2J', '\u007f', '\ufeff']) assert.deepEqual([stringFault(s), linesFault(s)], Array(2).fill('a control character'));
  for (const s of ['\u202a', '\u202e', '\u2066', '\u2069', '\n\u202e']) assert.match(linesFault(s), /direction/);
  for (const s of ['e\u0301', '\ud800']) assert.ok(stringFault(s) && linesFault(s));
  for (const s of ['a\nb', '\tb']) assert.deepEqual([stringFault(s), linesFault(s)], ['a control character', null]);
});

test('text forms of bytes', () => {
  for (let n = 0; n < 70; n++) {
    const bytes = crypto.getRandomValues(new Uint8Array(n));
    assert.equal(b64u(bytes), Buffer.from(bytes).toString('base64url'));
    assert.deepEqual(fromB64u(b64u(bytes)), bytes);
    assert.equal(b64(bytes), Buffer.from(bytes).toString('base64'));
    assert.deepEqual(fromB64(b64(bytes)), bytes);
    assert.deepEqual(fromHex(hex(bytes)), bytes);
  }
  for (const bad of ['A', 'AB=', 'AB', 'AAB', 'A+AA', 'A/AA', 'AA A', 'AA\n', undefined, null]) assert.throws(() => fromB64u(bad), TypeError, String(bad));
  for (const bad of ['AA', 'AA=', 'AB==', 'A-AA', 'AAA===']) assert.throws(() => fromB64(bad), TypeError, bad);
  for (const bad of ['0', 'AA', 'g0', ' 00', undefined]) assert.throws(() => fromHex(bad), TypeError);
  assert.equal(requestCode('00000000-0000-7000-8000-000000000020'), '0000-0010');
  assert.equal(requestCode('00000000-0000-7000-8000-00ffffffffff'), 'ZZZZ-ZZZZ');
});
