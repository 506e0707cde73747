// What the page says of the signed bytes is what the server says (vault/src/pages.rs reads the same file), or every page would stop.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { spell } from '../secret.js';
import { and, duration, instant, sentence } from '../words.js';

const cases = JSON.parse(readFileSync(new URL('./sentences.json', import.meta.url)));

const requestOf = (c) => ({
  release: { purpose: 'release', sealed_as: { kind: c.kind, name: c.name }, duration_s: c.duration_s },
  roster: { purpose: 'roster', new: { epoch: c.epoch, m: c.m, name: c.name, approvers: Array(c.n).fill({}) } },
  target: { purpose: 'target', account: c.account, address: c.address },
})[c.purpose];

test('a request is said in the same words on both sides', () => {
  for (const c of cases) {
    assert.deepEqual(sentence({ request: requestOf(c), requester: { name: c.who }, safe: { name: c.safe } }), c.says);
  }
});

test('words', () => {
  assert.equal(duration(900), '15 minutes');
  assert.equal(duration(60), '1 minute');
  assert.equal(and([]), '');
  assert.equal(and(['A', 'B', 'C']), 'A, B and C');
  assert.equal(instant(1_795_317_380_418_233), '22 Nov, 03:16:20 UTC');
});

test('a secret is spelled so that every character is told apart', () => {
  assert.equal(spell('t7K#l1O0'), 'lower tango, seven, upper kilo, hash, lower lima, one, upper oscar, zero');
  assert.equal(spell('€'), 'the character U+20AC');
});
