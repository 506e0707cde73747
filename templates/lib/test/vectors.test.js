// The vectors that the Rust crates read too (quorum/vectors/README.md, audit/vectors): same answers, same refusals.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { verify } from '../assertion.js';
import { b64u, fromHex, hex } from '../bytes.js';
import * as canonical from '../canonical.js';
import { context, openWith, parseEnvelope, unpad } from '../envelope.js';
import { consistent, included, verifierKey, verifyNote } from '../checkpoint.js';
import { leafHash } from '../hash.js';
import { keyBook, parseEntry, statementOf, trust } from '../ledger.js';
import { evalFirst, shareKey, x25519 } from '../prf.js';
import { combine, commitment, openBox, openDeliveredShare, openHalf, openShare } from '../share.js';
import { challenge, parse } from '../statement.js';
import { freshPins, treeRoot } from './world.js';

const folder = (crate) => new URL(`../../../${crate}/vectors/`, import.meta.url);
const read = new Set();
/** The text of a file of vectors; one that is missing is an error. */
function source(crate, name) {
  read.add(`${crate}/${name}`);
  return readFileSync(new URL(name, folder(crate)), 'utf8');
}

/** Runs every case of a file: `act` compares what an `ok` case gives, and throws an error with the refusal's code (`coded: false`: any error). */
function vectors(name, act, { coded = true } = {}) {
  const { cases } = JSON.parse(source('quorum', name));
  test(`${name}: ${cases.length} cases`, async () => {
    assert.ok(cases.length > 0);
    for (const c of cases) {
      const error = await Promise.resolve()
        .then(() => act(c))
        .then(() => null, (e) => e);
      if (c.expect === 'ok') assert.equal(error, null, `${c.name}: ${error?.stack}`);
      else if (!coded) assert.ok(error, `${c.name}: accepted`);
      else assert.equal(error?.code, c.expect, `${c.name}: ${error?.stack ?? 'accepted'}`);
      if (c.wrong !== undefined) assert.equal(error.x, c.wrong, c.name);
    }
  });
}
const is = (got, want, name) => assert.equal(hex(got), want, name);

vectors('secret-envelope.json', (c) => parseEnvelope(c.envelope));
vectors('secret-padding.json', (c) => is(unpad(fromHex(c.padded)), c.plaintext, c.name));
vectors('secret-prf.json', async (c) => {
  is(await evalFirst(), c.eval_first, c.name);
  const pair = await shareKey(fromHex(c.prf_output), { credentialId: b64u(fromHex(c.credential_id)), ledger: c.ledger, user: c.user });
  is(pair.publicBytes, c.share_key, c.name);
});
vectors('secret-enrol-box.json', async (c) => is(await openBox(await x25519(fromHex(c.private_key)), fromHex(c.box), c), c.content, c.name));
vectors('secret-share.json', async (c) => {
  const e = await parseEnvelope(c.envelope);
  const { approver, authenticator, x } = c;
  is(await openShare(await x25519(fromHex(c.private_key)), { approver, authenticator, x, sealed: fromHex(c.sealed) }, e.ctx, e.shareCommitments), c.share, c.name);
});
vectors('secret-delivery.json', async (c) => {
  const e = await parseEnvelope(c.envelope);
  const pair = await x25519(fromHex(c.private_key));
  if (c.what === 'h') is(await openHalf(pair, fromHex(c.sealed), fromHex(c.leaf), e.ctx), c.h, c.name);
  else is(await openDeliveredShare(pair, c.x, fromHex(c.sealed), fromHex(c.challenge), e.ctx, e.shareCommitments), c.share, c.name);
});
vectors('secret-open.json', async (c) => is(await openWith(await parseEnvelope(c.envelope), c.shares.map(({ x, share }) => ({ x, share: fromHex(share) })), fromHex(c.h)), c.plaintext, c.name));
vectors('secret-seal.json', async (c) => {
  const e = await parseEnvelope(c.envelope);
  assert.equal(canonical.text(e.header), c.header);
  assert.equal(e.hash, c.envelope_hash);
  is(await context(canonical.parse(c.header)), c.ctx, c.name);
  is(e.keyCommitment, c.key_commitment, c.name);
  for (const [i, share] of c.shares.entries()) is(await commitment(e.ctx, i + 1, fromHex(share)), c.share_commitments[i], c.name);
  is(combine(c.shares.slice(-e.header.m).map((share, i) => ({ x: c.shares.length - e.header.m + i + 1, share: fromHex(share) }))), c.q, c.name);
  for (const { approver, x, keys } of c.approvers) {
    for (const { authenticator, private_key, share_key, sealed } of keys) {
      const pair = await x25519(fromHex(private_key));
      is(pair.publicBytes, share_key, c.name);
      is(await openShare(pair, { approver, authenticator, x, sealed: fromHex(sealed) }, e.ctx, e.shareCommitments), c.shares[x - 1], c.name);
    }
  }
});

// Canonical JSON and statements: the page refuses the same bytes, but tells people one reason for all.
vectors('json.json', (c) => assert.equal(hex(canonical.encode(canonical.parse(fromHex(c.bytes)))), c.bytes), { coded: false });
const REQUESTS = ['release', 'access', 'roster', 'role', 'target', 'reseal', 'destroy', 'restore'];
for (const name of readdirSync(folder('quorum')).filter((f) => /^statement-.*\.json$/.test(f)).sort()) {
  const kind = name.slice('statement-'.length, -'.json'.length);
  vectors(name, async (c) => {
    parse(c.statement, REQUESTS.includes(kind) ? 'request' : kind);
    is(await challenge(c.statement), c.challenge, c.name);
  }, { coded: false });
}
vectors('assertion.json', (c) => verify({ rpId: c.rp_id, origins: c.origins }, fromHex(c.public_key), fromHex(c.challenge), {
  authenticatorData: fromHex(c.authenticator_data), clientDataJson: fromHex(c.client_data_json), signature: fromHex(c.signature),
}));

// Checkpoints and proofs. A page has a word of its own for some codes; where it has none, any refusal will do.
const CHECKPOINT = { malformed: 'note', other_name: 'origin', unsigned: 'unsigned', bad_signature: 'signature' };
// No name of a ledger has a space, so such a note is not read.
const NOT_READ = ['name with a space after it'];
test('checkpoints.json', async () => {
  const { name, keys, cases } = JSON.parse(source('audit', 'checkpoints.json'));
  const inForce = await Promise.all(keys.map(verifierKey));
  assert.ok(cases.length > 0);
  for (const c of cases) {
    if (c.error) {
      await assert.rejects(verifyNote(c.note, name, inForce), { code: NOT_READ.includes(c.case) ? 'note' : CHECKPOINT[c.error] }, c.case);
    } else {
      const { size, root } = await verifyNote(c.note, name, inForce);
      assert.deepEqual([size, hex(root)], [c.size, c.root], c.case);
    }
  }
});

test('tree.json', async () => {
  const { roots, inclusion, consistency } = JSON.parse(source('audit', 'tree.json'));
  const leaves = [];
  for (let i = 0; i < 65_836; i++) leaves.push(await leafHash(new TextEncoder().encode(String(i))));
  const made = new Map();
  const root = (size) => made.get(size) ?? made.set(size, new Uint8Array(treeRoot(leaves.slice(0, size)))).get(size);
  for (const { size, root: want } of roots) is(root(size), want, `root of ${size}`);
  for (const { seq, size, proof } of inclusion) {
    const way = proof.map(fromHex);
    assert.ok(await included(leaves[seq], seq, size, way, root(size)), `${seq} in ${size}`);
    assert.ok(!(await included(leaves[(seq + 1) % leaves.length], seq, size, way, root(size))), `another than ${seq} in ${size}`);
    assert.ok(!(await included(leaves[seq], seq, size, [...way, leaves[0]], root(size))), `${seq} in ${size}, a hash too many`);
  }
  for (const { from, to, proof } of consistency) {
    const way = proof.map(fromHex);
    assert.ok(await consistent(from, root(from), to, root(to), way), `${from} to ${to}`);
    assert.ok(!(await consistent(from, leaves[2], to, root(to), way)), `another root of ${from} to ${to}`);
  }
});

test('entries.jsonl', async () => {
  const lines = source('audit', 'entries.jsonl').trimEnd().split('\n');
  const leaves = [];
  for (const [seq, line] of lines.entries()) {
    const entry = await parseEntry(new TextEncoder().encode(line));
    assert.equal(entry.seq, seq);
    assert.equal(entry.prev, seq ? hex(leaves.at(-1)) : '0'.repeat(64), `entry ${seq}`);
    leaves.push(fromHex(entry.leaf));
  }
  is(treeRoot(leaves), source('audit', 'entries.root').trim(), 'root');
});

const EVIDENCE = {
  note: ['checkpoint'], unsigned: ['checkpoint'], signature: ['checkpoint'], origin: ['checkpoint'], keys: ['checkpoint', 'founding'], key_change: ['checkpoint'],
  founding: ['founding', 'ledger_differs'], behind: ['ledger_behind'], not_an_extension: ['ledger_rewritten', 'checkpoint'],
  not_included: ['entry_not_included', 'founding_not_included', 'checkpoint', 'entry_malformed'],
};
async function lookUp({ note, founding, founded, anchor, consistency, changes, entry: given }) {
  const pins = freshPins();
  await pins.replace(founded);
  if (anchor) await pins.advance(founded, anchor);
  const vault = await trust({ note, founding, consistency, key_changes: changes }, pins);
  const entry = await vault.prove(given);
  if (entry.data.statement === undefined) return;
  statementOf(entry, vault.ledger);
  if (entry.event !== 'authenticator.enrolled') return;
  // All of an enrolment is read before its invitation is asked for, which is not among what is given.
  const { key } = keyBook(vault, { invited: [], enrolled: [entry] });
  await assert.rejects(key(entry.data.authenticator), (e) => {
    if (e.code !== 'invitation_missing') throw e;
    return true;
  });
}
// Entries of which a page reads no `data` (it does so by hand, where it uses any), and anchors that a page never keeps: of nothing, or of the
// newest checkpoint's size with a proof, which another tab may have made needless.
const NOT_ASKED = [
  'another reason to end', 'one member more in data', 'approvals out of order', 'an approval twice', 'approvals that are no list',
  'an anchor of nothing', 'an anchor of the same size with a proof',
];
test('evidence.json', async () => {
  const { cases } = JSON.parse(source('quorum', 'evidence.json'));
  for (const c of cases) {
    const error = await lookUp(c).then(() => null, (e) => e);
    if (c.expect === 'ok') assert.equal(error, null, `${c.name}: ${error?.stack}`);
    else if (NOT_ASKED.includes(c.name)) assert.equal(error, null, `${c.name}: ${error?.stack}`);
    else if (!error) assert.fail(`${c.name}: accepted`);
    else if (EVIDENCE[c.expect]) assert.ok(EVIDENCE[c.expect].includes(error.code), `${c.name}: ${error.code} ${error.stack}`);
    else assert.equal(error.name, 'Refusal', `${c.name}: ${error.stack}`);
  }
});

// What a page does not judge: rosters and quorums are the vault's and the verifiers', custody the token's. Last, when all others were read.
const NOT_FOR_PAGES = ['quorum/decision.json', 'quorum/roster.json', 'quorum/secret-custody.json'];
test('every file of vectors is read here, or is none of a page', () => {
  const there = ['quorum', 'audit'].flatMap((crate) => readdirSync(folder(crate)).filter((f) => /\.(jsonl?|root)$/.test(f)).map((f) => `${crate}/${f}`));
  assert.deepEqual([...read, ...NOT_FOR_PAGES].sort(), there.sort());
});
