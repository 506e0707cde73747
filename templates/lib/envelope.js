// The secret envelope (FORMATS.md 7): parse, hash, context, key commitment, open.

import { concat, equal, fromB64u, fromHex, hex } from './bytes.js';
import * as canonical from './canonical.js';
import { H, label } from './hash.js';
import { checkShare, combine, ShareError } from './share.js';
import { is } from './statement.js';

/** Thrown for an envelope that is malformed or does not open. `code` as in quorum/vectors/README.md. */
export class EnvelopeError extends Error {
  constructor(code, message) {
    super(message);
    this.name = 'EnvelopeError';
    this.code = code;
  }
}

const HEADER = {
  credential: is.id, epoch: is.positive, ledger: is.hash, m: is.positive, n: is.positive, roster: is.hash, safe: is.id,
  sealed_as: is.sealedAs, suite: (v) => v === 1, v: (v) => v === 1, version: is.positive,
};

/** `ctx` of a header object: 32 bytes. */
export const context = (header) => H('header', canonical.encode(header));

/**
 * Parses envelope bytes (or their text) strictly.
 * @returns {Promise<{header: object, ctx: Uint8Array, hash: string, keyCommitment: Uint8Array, shareCommitments: Uint8Array[], nonce: Uint8Array, body: Uint8Array}>}
 */
export async function parseEnvelope(input) {
  const bad = () => new EnvelopeError('malformed', 'the envelope is malformed');
  let value;
  try {
    value = canonical.parse(input);
  } catch {
    throw bad();
  }
  if (!canonical.members(value, ['body', 'header', 'key_commitment', 'nonce', 'share_commitments'])) throw bad();
  const { header } = value;
  if (!canonical.members(header, Object.keys(HEADER)) || !Object.entries(HEADER).every(([k, ok]) => ok(header[k]))) throw bad();
  if (header.n > 100 || header.m > header.n) throw bad();
  if (!is.hash(value.key_commitment) || !Array.isArray(value.share_commitments)) throw bad();
  if (value.share_commitments.length !== header.n || !value.share_commitments.every(is.hash)) throw bad();
  let nonce;
  let body;
  try {
    nonce = fromB64u(value.nonce);
    body = fromB64u(value.body);
  } catch {
    throw bad();
  }
  if (nonce.length !== 12 || body.length < 64 + 16 || (body.length - 16) % 64 !== 0) throw bad();
  return {
    header,
    ctx: await context(header),
    hash: hex(await H('envelope', canonical.encode(value))),
    keyCommitment: fromHex(value.key_commitment),
    shareCommitments: value.share_commitments.map(fromHex),
    nonce,
    body,
  };
}

/** The plaintext of padded bytes: 0x80, then zeros up to a multiple of 64. */
export function unpad(padded) {
  let end = padded.length - 1;
  while (end >= 0 && padded[end] === 0) end--;
  if (padded.length === 0 || padded.length % 64 !== 0 || end < 0 || padded[end] !== 0x80 || padded.length - end > 64) throw new EnvelopeError('bad_padding', 'the padding is malformed');
  return padded.slice(0, end);
}

/** Opens an envelope with both halves: checks the key commitment, then decrypts. The halves are wiped. */
export async function openEnvelope(envelope, q, h) {
  const both = concat(q, h);
  q.fill(0);
  h.fill(0);
  let k;
  let padded;
  try {
    const ikm = await crypto.subtle.importKey('raw', both, 'HKDF', false, ['deriveBits', 'deriveKey']);
    const hkdf = (thing) => ({ name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info: concat(label(thing), envelope.ctx) });
    const committed = new Uint8Array(await crypto.subtle.deriveBits(hkdf('key-commitment'), ikm, 256));
    if (!equal(committed, envelope.keyCommitment)) throw new EnvelopeError('wrong_key', 'the halves make another key than the one sealed with');
    k = await crypto.subtle.deriveKey(hkdf('secret-key'), ikm, { name: 'AES-GCM', length: 256 }, false, ['decrypt']);
    try {
      padded = new Uint8Array(await crypto.subtle.decrypt({ name: 'AES-GCM', iv: envelope.nonce, additionalData: envelope.ctx, tagLength: 128 }, k, envelope.body));
    } catch {
      throw new EnvelopeError('wrong_body', 'the stored secret is not the one that was sealed');
    }
    return unpad(padded);
  } finally {
    both.fill(0);
    padded?.fill(0);
  }
}

/**
 * From shares [{x, share}] and h to the plaintext: each share is checked in the order given, then m of them are combined.
 * A ShareError for a wrong share carries its `x`. Shares and halves are wiped.
 */
export async function openWith(envelope, shares, h) {
  const { m } = envelope.header;
  try {
    const seen = new Set();
    for (const { x, share } of shares) {
      try {
        if (seen.has(x)) throw new ShareError('repeated_share', 'two shares have one place');
        await checkShare(envelope.ctx, x, share, envelope.shareCommitments);
      } catch (error) {
        throw Object.assign(error, { x });
      }
      seen.add(x);
    }
    if (shares.length < m) throw new ShareError('too_few_shares', 'fewer shares than are needed');
    return await openEnvelope(envelope, combine(shares.slice(0, m)), h);
  } finally {
    for (const { share } of shares) share.fill(0);
  }
}
