// Shares (FORMATS.md 7): HPKE open and seal, commitments, combining over GF(2^8) with 0x11D.

import { AEAD_AES_256_GCM, CipherSuite, KDF_HKDF_SHA256, KEM_DHKEM_X25519_HKDF_SHA256 } from 'hpke';
import { concat, equal } from './bytes.js';
import * as canonical from './canonical.js';
import { H, label } from './hash.js';

const suite = new CipherSuite(KEM_DHKEM_X25519_HKDF_SHA256, KDF_HKDF_SHA256, AEAD_AES_256_GCM);
const ENC = 32;
const TAG = 16;
const SHARE = 32;

/** Thrown when a sealed message does not open, or a share is not the one committed to. `code` as in quorum/vectors/README.md. */
export class ShareError extends Error {
  constructor(code, message) {
    super(message);
    this.name = 'ShareError';
    this.code = code;
  }
}

/** Seals to a raw X25519 public key: enc || ciphertext. */
export async function hpkeSeal(publicKey, info, aad, plaintext) {
  const key = await suite.DeserializePublicKey(publicKey);
  const { encapsulatedSecret, ciphertext } = await suite.Seal(key, plaintext, { info, aad });
  return concat(encapsulatedSecret, ciphertext);
}

/** Opens enc || ciphertext with a key *pair*: a non-extractable private key alone can't tell its public half. */
export async function hpkeOpen({ privateKey, publicKey }, info, aad, message) {
  try {
    if (message.length < ENC + TAG) throw new TypeError('too short');
    return await suite.Open({ privateKey, publicKey }, message.subarray(0, ENC), message.subarray(ENC), { info, aad });
  } catch {
    throw new ShareError('not_for_this_key', 'the sealed message does not open with this key');
  }
}

/** As `hpkeOpen`, for what must be 32 bytes: a share, or h. */
async function open32(pair, info, aad, message) {
  if (message.length !== ENC + SHARE + TAG) throw new ShareError('not_for_this_key', 'the sealed message has another length');
  return hpkeOpen(pair, info, aad, message);
}

const place = (x, n = 100) => {
  if (!Number.isInteger(x) || x < 1 || x > n) throw new ShareError('no_such_place', 'no share has this place');
  return Uint8Array.of(x);
};

/** `share_commitment[x]`. */
export const commitment = (ctx, x, share) => H('share-commitment', ctx, place(x), share);

/** Throws a ShareError unless `share` is the one committed to at place x. `commitments` are 32-byte arrays in order of x. */
export async function checkShare(ctx, x, share, commitments) {
  place(x, commitments.length);
  if (share.length !== SHARE || !equal(await commitment(ctx, x, share), commitments[x - 1])) throw new ShareError('wrong_share', 'the share is not the one that was sealed');
}

/** Opens one approver's own share envelope; the share is checked. */
export async function openShare(pair, { approver, authenticator, x, sealed }, ctx, commitments) {
  place(x, commitments.length);
  const aad = canonical.encode({ approver, authenticator, x });
  const share = await open32(pair, concat(label('share-envelope'), ctx), aad, sealed);
  await checkShare(ctx, x, share, commitments);
  return share;
}

/** One's own opened share, sealed to a further key of one's own. */
export const sealToOwn = (share, { approver, authenticator, x }, shareKey, ctx) =>
  hpkeSeal(shareKey, concat(label('share-envelope'), ctx), canonical.encode({ approver, authenticator, x }), share);

/** A share sealed again, to the requester's delivery key, under the approval's challenge. */
export const resealShare = (share, x, deliveryKey, approvalChallenge, ctx) =>
  hpkeSeal(deliveryKey, concat(label('release-share'), approvalChallenge), concat(ctx, place(x)), share);

/** The requester's side of `resealShare`; the share is checked. */
export async function openDeliveredShare(pair, x, sealed, approvalChallenge, ctx, commitments) {
  const share = await open32(pair, concat(label('release-share'), approvalChallenge), concat(ctx, place(x, commitments.length)), sealed);
  await checkShare(ctx, x, share, commitments);
  return share;
}

/** The server's half, delivered under the leaf of `release.opened`. */
export const openHalf = (pair, sealed, leaf, ctx) => open32(pair, concat(label('release-h'), leaf), ctx, sealed);

/** The box that proves a share key at enrolment: the 32 bytes to send back. */
export const openBox = (pair, box, { ledger, user }) => hpkeOpen(pair, concat(label('enrol-box'), canonical.encode({ ledger, user })), new Uint8Array(), box);

function multiply(a, b) {
  let out = 0;
  for (let i = 0; i < 8; i++) {
    out ^= -(b & 1) & a;
    a = (a << 1) ^ (-(a >> 7) & 0x11d);
    b >>= 1;
  }
  return out & 0xff;
}

function inverse(a) {
  // a^254, by squaring: 254 = 2 + 4 + .. + 128.
  let square = a;
  let out = 1;
  for (let i = 0; i < 7; i++) {
    square = multiply(square, square);
    out = multiply(out, square);
  }
  return out;
}

/** The 32-byte secret at 0 of the polynomial through `shares` [{x, share}]; exactly m of them, checked before. */
export function combine(shares) {
  const places = shares.map(({ x }) => place(x)[0]);
  if (shares.length === 0) throw new ShareError('too_few_shares', 'no shares');
  if (new Set(places).size !== places.length) throw new ShareError('repeated_share', 'two shares have one place');
  const out = new Uint8Array(SHARE);
  shares.forEach(({ share }, i) => {
    if (share.length !== SHARE) throw new ShareError('wrong_share', 'a share has 32 bytes');
    let factor = 1;
    places.forEach((xj, j) => {
      if (j !== i) factor = multiply(factor, multiply(xj, inverse(xj ^ places[i])));
    });
    for (let k = 0; k < SHARE; k++) out[k] ^= multiply(share[k], factor);
  });
  return out;
}
