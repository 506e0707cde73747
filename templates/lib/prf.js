// From a key's PRF output to an approver's share key (FORMATS.md 7, "PRF"). Neither leaves the page.

import { concat } from './bytes.js';
import * as canonical from './canonical.js';
import { label, sha256 } from './hash.js';

// PKCS#8 of an X25519 private key, up to its 32 bytes (RFC 8410 section 7).
const PKCS8 = Uint8Array.of(0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e, 0x04, 0x22, 0x04, 0x20);
const BASE_POINT = new Uint8Array(32);
BASE_POINT[0] = 9;

/** What a key is asked to evaluate: `eval.first`. */
export const evalFirst = () => sha256(label('prf'));

/** The X25519 pair of 32 raw private bytes; the private half can't be exported. Wipes nothing. */
export async function x25519(raw) {
  const pkcs8 = concat(PKCS8, raw);
  try {
    const privateKey = await crypto.subtle.importKey('pkcs8', pkcs8, { name: 'X25519' }, false, ['deriveBits']);
    const base = await crypto.subtle.importKey('raw', BASE_POINT, { name: 'X25519' }, true, []);
    const publicBytes = new Uint8Array(await crypto.subtle.deriveBits({ name: 'X25519', public: base }, privateKey, 256));
    const publicKey = await crypto.subtle.importKey('raw', publicBytes, { name: 'X25519' }, true, []);
    return { privateKey, publicKey, publicBytes };
  } finally {
    pkcs8.fill(0);
  }
}

async function hmac(keyBytes, data) {
  const key = await crypto.subtle.importKey('raw', keyBytes, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  return new Uint8Array(await crypto.subtle.sign('HMAC', key, data));
}

/**
 * The share key of one authenticator of one person on one ledger. The PRF output is wiped.
 * @param {Uint8Array} prfOutput 32 bytes
 * @param {{credentialId: string, ledger: string, user: string}} of base64url, hex, id
 */
export async function shareKey(prfOutput, { credentialId, ledger, user }) {
  if (prfOutput.length !== 32) throw new TypeError('a PRF output has 32 bytes');
  const info = concat(label('share-key'), canonical.encode({ credential_id: credentialId, ledger, user }));
  let prk;
  let raw;
  try {
    // HKDF of one block written out (RFC 5869): some WebCrypto refuses an info above 1024 bytes, and a credential id may have 1023.
    prk = await hmac(new Uint8Array(32), prfOutput);
    raw = await hmac(prk, concat(info, Uint8Array.of(1)));
    return await x25519(raw);
  } finally {
    prfOutput.fill(0);
    prk?.fill(0);
    raw?.fill(0);
  }
}

