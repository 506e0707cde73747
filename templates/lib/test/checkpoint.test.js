import assert from 'node:assert/strict';
import { test } from 'node:test';
import { consistent, included, parseNote, verifierKey, verifyNote } from '../checkpoint.js';
import { trust } from '../ledger.js';
import { CheckpointKey, consistency, freshPins, inclusion, sha, treeRoot, World } from './world.js';

const leaves = Array.from({ length: 70 }, (_, i) => sha(Buffer.from([0, i])));
const u8 = (list) => list.map((b) => new Uint8Array(b));

test('inclusion: every leaf of every tree up to 70, and no other', async () => {
  for (let n = 1; n <= leaves.length; n += n < 20 ? 1 : 7) {
    const d = leaves.slice(0, n);
    const root = treeRoot(d);
    for (let i = 0; i < n; i++) {
      const proof = u8(inclusion(i, d));
      assert.ok(await included(d[i], i, n, proof, root));
      assert.ok(!(await included(d[i], i + 1, n, proof, root)) || n === 1);
      assert.ok(!(await included(leaves[(i + 1) % 70], i, n, proof, root)));
      assert.ok(!(await included(d[i], i, n, [...proof, new Uint8Array(32)], root)));
      if (proof.length) assert.ok(!(await included(d[i], i, n, proof.slice(1), root)));
    }
  }
  assert.ok(!(await included(leaves[0], 0, 0, [], treeRoot([]))));
  assert.ok(!(await included(leaves[0], -1, 1, [], leaves[0])));
});

test('consistency: every pair up to 40, and no other', async () => {
  for (let n = 1; n <= 40; n++) {
    const d = leaves.slice(0, n);
    for (let m = 1; m <= n; m++) {
      const proof = u8(consistency(m, d));
      const from = treeRoot(d.slice(0, m));
      assert.ok(await consistent(m, from, n, treeRoot(d), proof), `${m} ${n}`);
      assert.ok(!(await consistent(m, sha('x'), n, treeRoot(d), proof)));
      if (m < n) {
        assert.ok(!(await consistent(m, from, n, sha('x'), proof)));
        assert.ok(!(await consistent(m, from, n, treeRoot(d), proof.slice(0, -1))));
        assert.ok(!(await consistent(m, from, n, treeRoot(d), [...proof, new Uint8Array(32)])));
      }
    }
  }
  assert.ok(!(await consistent(0, treeRoot([]), 1, leaves[0], [])));
  assert.ok(!(await consistent(2, treeRoot(leaves.slice(0, 2)), 1, leaves[0], [])));
});

test('notes', async () => {
  const w = new World().found();
  const keys = await Promise.all(w.signers.map((k) => verifierKey(k.vkey)));
  const note = w.note();
  assert.equal((await verifyNote(note, w.name, keys)).size, 1);
  assert.equal((await verifyNote(w.note(1, [w.signers[1]]), w.name, keys)).size, 1);
  const again = w.signers[0].line(parseNote(note).body);
  assert.equal((await verifyNote(note + again, w.name, keys)).size, 1);
  await assert.rejects(verifyNote(note + again + w.signers[0].line('other'), w.name, keys), { code: 'signature' });
  const stranger = new CheckpointKey('witness.example');
  const body = parseNote(note).body;
  assert.equal((await verifyNote(note + stranger.line(body), w.name, keys)).size, 1);

  const is = (code, n, name = w.name, by = keys) => assert.rejects(verifyNote(n, name, by), (e) => (assert.equal(e.code, code), true));
  await is('origin', note, 'other.example');
  await is('unsigned', `${Buffer.from(body)}\n${stranger.line(body)}`);
  await is('signature', note.replace(/\n1\n/, '\n2\n'));
  const lines = note.split('\n');
  const broken = Buffer.from(lines[5].split(' ')[2], 'base64');
  broken[10] ^= 1;
  await is('signature', [...lines.slice(0, 5), `\u2014 ${w.name} ${broken.toString('base64')}`, ''].join('\n'));
  for (const bad of [note.slice(0, -1), note.replace('\n\n', '\next\n\n'), note.replace('\n1\n', '\n01\n'), note.replace('\n1\n', '\n-1\n'), note.replace('\u2014', '-'), `${Buffer.from(body)}\n`, Buffer.from(body).toString(), '', note + '\n', note.replace('\n', '\r\n')]) await is('note', bad);
  for (const bad of ['', w.signers[0].vkey.replace('+', '-'), w.signers[0].vkey.replace('vault', 'valut'), w.signers[0].vkey.slice(0, -4)]) await assert.rejects(verifierKey(bad), { code: 'keys' });
});

test('a ledger whose checkpoint keys have changed', async () => {
  const w = new World().found();
  const old = w.signers;
  w.append('clock.ticked', {});
  const next = [new CheckpointKey(w.name)];
  const seq = w.append('checkpoint_keys.changed', { checkpoint_keys: next.map((k) => k.vkey) });
  const change = { entry: w.proved(seq), note: w.note(seq + 1, old) };
  for (let i = 0; i < 3; i++) w.append('clock.ticked', {});
  w.signers = next;
  const key_changes = [{ ...change, consistency: w.consistency(seq + 1) }];
  const given = { ...w.checkpoint(), key_changes };
  assert.equal((await trust(given, freshPins())).size, 6);
  const no = (more) => assert.rejects(trust({ ...given, ...more }, freshPins()), { code: 'checkpoint' });
  await no({ key_changes: [] });
  await no({ note: w.note(6, old) });
  await no({ key_changes: [{ ...key_changes[0], note: w.note(seq + 1, next) }] });
  await no({ key_changes: [{ ...key_changes[0], note: w.note(6, old), entry: w.proved(seq) }] });
  await no({ key_changes: [{ ...key_changes[0], consistency: [] }] });
});
