// When an assertion is valid (FORMATS.md 4, "An assertion is valid at seq t"), apart from the key's life, which the ledger tells.

import { b64u, concat, equal, fromUtf8, utf8 } from './bytes.js';
import { LONE } from './canonical.js';
import { sha256 } from './hash.js';

const UP = 0x01;
const UV = 0x04;
const BE = 0x08;
const BS = 0x10;

/** Thrown for an assertion that is not valid; `code` names the rule, as in quorum/vectors. */
export class AssertionError extends Error {
  constructor(code, message) {
    super(message);
    this.name = 'AssertionError';
    this.code = code;
  }
}

/** Whether valid JSON text names a member twice in any object, or holds half of a surrogate pair. */
export function notStrict(source) {
  const stack = [];
  let last = '';
  for (const [token] of source.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]/g)) {
    const top = stack.at(-1);
    const string = token[0] === '"' ? JSON.parse(token) : null;
    if (string !== null && LONE.test(string)) return true;
    if (token === '{') stack.push(new Set());
    else if (token === '[') stack.push(null);
    else if (token === '}' || token === ']') stack.pop();
    else if (string !== null && top && (last === '{' || last === ',')) {
      if (top.has(string)) return true;
      top.add(string);
    }
    last = token;
  }
  return false;
}

function clientData(bytes) {
  let source;
  let value;
  try {
    source = fromUtf8(bytes);
    value = JSON.parse(source);
  } catch {
    throw new AssertionError('client_data', 'client data is not UTF-8 JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new AssertionError('client_data', 'client data is not an object');
  if (notStrict(source)) throw new AssertionError('client_data', 'client data names a member twice, or is no text');
  return value;
}

/** The 64 bytes r || s of a strict DER ECDSA-Sig-Value for P-256. */
export function rawSignature(der) {
  const bad = () => new AssertionError('der', 'the signature is not strict DER');
  const integer = (at) => {
    const length = der[at + 1];
    const end = at + 2 + length;
    if (der[at] !== 0x02 || !(length >= 1 && length <= 33) || end > der.length) throw bad();
    let body = der.subarray(at + 2, end);
    if (body[0] & 0x80) throw bad();
    if (body[0] === 0 && (body.length === 1 || !(body[1] & 0x80))) throw bad();
    if (body[0] === 0) body = body.subarray(1);
    if (body.length > 32) throw bad();
    const out = new Uint8Array(32);
    out.set(body, 32 - body.length);
    return [out, end];
  };
  if (der.length < 8 || der.length > 72 || der[0] !== 0x30 || der[1] !== der.length - 2) throw bad();
  const [r, next] = integer(2);
  const [s, end] = integer(next);
  if (end !== der.length) throw bad();
  return concat(r, s);
}

/**
 * Verifies an ES256 assertion.
 * @param {{rpId: string, origins: string[]}} rp as the ledger was founded
 * @param {Uint8Array} publicKey SEC1 point, 65 bytes
 * @param {Uint8Array} challenge the digest of the statement, 32 bytes
 * @param {{authenticatorData: Uint8Array, clientDataJson: Uint8Array, signature: Uint8Array}} assertion raw bytes as they came
 * @returns {Promise<{counter: number}>} throws an AssertionError
 */
export async function verify(rp, publicKey, challenge, assertion) {
  const data = clientData(assertion.clientDataJson);
  if (data.type !== 'webauthn.get') throw new AssertionError('type', 'not an assertion');
  if (data.challenge !== b64u(challenge)) throw new AssertionError('challenge', 'the key signed another challenge');
  if (typeof data.origin !== 'string' || !rp.origins.includes(data.origin)) throw new AssertionError('origin', 'signed at another origin');
  if (Object.hasOwn(data, 'crossOrigin') && data.crossOrigin !== false) throw new AssertionError('cross_origin', 'signed inside another site');
  if (Object.hasOwn(data, 'topOrigin')) throw new AssertionError('top_origin', 'signed inside another site');

  const auth = assertion.authenticatorData;
  if (auth.length < 37) throw new AssertionError('authenticator_data', 'authenticator data is too short');
  if (!equal(auth.subarray(0, 32), await sha256(utf8(rp.rpId)))) throw new AssertionError('rp_id', 'signed for another site');
  const flags = auth[32];
  if (!(flags & UP)) throw new AssertionError('user_present', 'nobody touched the key');
  if (!(flags & UV)) throw new AssertionError('user_verified', 'the key did not verify its person');
  if (flags & (BE | BS)) throw new AssertionError('backed_up', 'the key can be copied');

  const signature = rawSignature(assertion.signature);
  if (publicKey.length !== 65 || publicKey[0] !== 4) throw new AssertionError('key', 'not a P-256 point');
  let good = false;
  try {
    const key = await crypto.subtle.importKey('raw', publicKey, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['verify']);
    const signed = concat(auth, await sha256(assertion.clientDataJson));
    good = await crypto.subtle.verify({ name: 'ECDSA', hash: 'SHA-256' }, key, signature, signed);
  } catch {
    throw new AssertionError('key', 'not a P-256 point');
  }
  if (!good) throw new AssertionError('signature', 'the signature does not verify');
  return { counter: new DataView(auth.buffer, auth.byteOffset + 33, 4).getUint32(0) };
}
