// Bytes and their text forms (FORMATS.md 1): base64url without padding, hex, UUID text.

const utf8Encoder = new TextEncoder();
const B64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** UTF-8 bytes of a string. */
export const utf8 = (text) => utf8Encoder.encode(text);

/** The text of UTF-8 bytes; throws a TypeError on bytes that are not UTF-8. A BOM stays a character. */
export const fromUtf8 = (bytes) => new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);

/** One Uint8Array from several. */
export function concat(...parts) {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
}

/** Whether two byte strings are equal. Looks at every byte. */
export function equal(a, b) {
  if (a.length !== b.length) return false;
  let d = 0;
  for (let i = 0; i < a.length; i++) d |= a[i] ^ b[i];
  return d === 0;
}

/** Lower-case hex. */
export const hex = (bytes) => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');

/** Bytes of lower-case hex; throws a TypeError on anything else. */
export function fromHex(text) {
  if (typeof text !== 'string' || text.length % 2 !== 0 || !/^[0-9a-f]*$/.test(text)) throw new TypeError('not lower-case hex');
  const out = new Uint8Array(text.length / 2);
  for (let i = 0; i < out.length; i++) out[i] = parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return out;
}

/** Base64url without padding. */
export function b64u(bytes) {
  const b = bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes);
  let out = '';
  for (let i = 0; i < b.length; i += 3) {
    const left = b.length - i;
    const n = (b[i] << 16) | ((b[i + 1] ?? 0) << 8) | (b[i + 2] ?? 0);
    out += B64[n >> 18] + B64[(n >> 12) & 63];
    if (left > 1) out += B64[(n >> 6) & 63];
    if (left > 2) out += B64[n & 63];
  }
  return out;
}

/** Bytes of unpadded base64url whose spare bits are zero; throws a TypeError on anything else. */
export function fromB64u(text) {
  if (typeof text !== 'string' || !/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) throw new TypeError('not base64url');
  const out = new Uint8Array(Math.floor((text.length * 3) / 4));
  let bits = 0;
  let have = 0;
  let at = 0;
  for (const c of text) {
    bits = ((bits << 6) | B64.indexOf(c)) & 0xffff;
    have += 6;
    if (have >= 8) {
      have -= 8;
      out[at++] = (bits >> have) & 0xff;
    }
  }
  if ((bits & ((1 << have) - 1)) !== 0) throw new TypeError('spare bits of base64url are not zero');
  return out;
}

/** Standard base64 with padding, as C2SP notes use it. */
export function b64(bytes) {
  const text = b64u(bytes).replaceAll('-', '+').replaceAll('_', '/');
  return text + '='.repeat((4 - (text.length % 4)) % 4);
}

/** Bytes of padded standard base64; throws a TypeError on anything that would be written otherwise. */
export function fromB64(text) {
  if (typeof text !== 'string' || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) throw new TypeError('not base64');
  const out = fromB64u(text.replace(/=+$/, '').replaceAll('+', '-').replaceAll('/', '_'));
  if (b64(out) !== text) throw new TypeError('not base64');
  return out;
}

/** Bytes of a text that the API gives: canonical JSON as it stands, anything else as base64url. */
export const wire = (text) => (typeof text === 'string' && text.startsWith('{') ? utf8(text) : fromB64u(text));

/** `n` bytes of the platform's random numbers. */
export const random = (n) => crypto.getRandomValues(new Uint8Array(n));

/** A new id: UUIDv7 as lower-case text. `now` in milliseconds. */
export function newId(now = Date.now()) {
  const b = random(16);
  let t = now;
  for (let i = 5; i >= 0; i--) {
    b[i] = t % 256;
    t = Math.floor(t / 256);
  }
  b[6] = 0x70 | (b[6] & 0x0f);
  b[8] = 0x80 | (b[8] & 0x3f);
  const h = hex(b);
  return `${h.slice(0, 8)}-${h.slice(8, 12)}-${h.slice(12, 16)}-${h.slice(16, 20)}-${h.slice(20)}`;
}

/** The 16 bytes of an id. */
export const idBytes = (id) => fromHex(id.replaceAll('-', ''));

/** The code people say for a request: the last 40 bits of its id in Crockford base32, `7KQ4-M2XD`. */
export function requestCode(id) {
  let n = BigInt('0x' + id.replaceAll('-', '').slice(-10));
  let out = '';
  for (let i = 0; i < 8; i++) {
    out = CROCKFORD[Number(n & 31n)] + out;
    n >>= 5n;
  }
  return `${out.slice(0, 4)}-${out.slice(4)}`;
}

/** Hex in groups of four, as people compare it: the first `bytes` bytes of a hex text. */
export const grouped = (hexText, bytes = hexText.length / 2) => hexText.slice(0, 2 * bytes).match(/.{4}/g).join(' ');
