// The vectors that the Rust crate reads too (quorum/vectors/README.md): same answers, same refusals.

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { verify } from '../assertion.js';
import { b64u, fromHex, hex } from '../bytes.js';
import * as canonical from '../canonical.js';
import { context, openWith, parseEnvelope, unpad } from '../envelope.js';
import { evalFirst, shareKey, x25519 } from '../prf.js';
import { combine, commitment, openBox, openDeliveredShare, openHalf, openShare } from '../share.js';
import { challenge, parse } from '../statement.js';

const file = (name) => new URL(`../../../quorum/vectors/${name}`, import.meta.url);

/** Runs every case of a file: `act` compares what an `ok` case gives, and throws an error with the refusal's code (`coded: false`: any error). */
function vectors(name, act, { coded = true } = {}) {
  if (!existsSync(file(name))) return;
  const { cases } = JSON.parse(readFileSync(file(name)));
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
for (const name of readdirSync(file('.')).filter((f) => /^statement-.*\.json$/.test(f)).sort()) {
  const kind = name.slice('statement-'.length, -'.json'.length);
  vectors(name, async (c) => {
    parse(c.statement, REQUESTS.includes(kind) ? 'request' : kind);
    is(await challenge(c.statement), c.challenge, c.name);
  }, { coded: false });
}
vectors('assertion.json', (c) => verify({ rpId: c.rp_id, origins: c.origins }, fromHex(c.public_key), fromHex(c.challenge), {
  authenticatorData: fromHex(c.authenticator_data), clientDataJson: fromHex(c.client_data_json), signature: fromHex(c.signature),
}));
