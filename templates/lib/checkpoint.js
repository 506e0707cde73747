// Checkpoints (FORMATS.md 5: C2SP signed note, Ed25519) and Merkle proofs (RFC 6962 section 2.1, RFC 9162 section 2.1).

import { concat, equal, fromB64, hex, utf8 } from './bytes.js';
import { nodeHash, sha256 } from './hash.js';

/** Thrown for a note, key or proof that does not hold; `code` says which. */
export class CheckpointError extends Error {
  constructor(code, message) {
    super(message);
    this.name = 'CheckpointError';
    this.code = code;
  }
}

/** Parses a C2SP verifier key `<name>+<8 hex>+<base64>`; its key id is checked. */
export async function verifierKey(vkey) {
  const bad = () => new CheckpointError('keys', 'not an Ed25519 verifier key');
  const match = /^([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(vkey);
  if (!match) throw bad();
  let raw;
  try {
    raw = fromB64(match[3]);
  } catch {
    throw bad();
  }
  if (raw.length !== 33 || raw[0] !== 1) throw bad();
  const id = (await sha256(concat(utf8(match[1] + '\n'), raw))).subarray(0, 4);
  if (hex(id) !== match[2]) throw bad();
  return { name: match[1], id: match[2], publicKey: raw.subarray(1) };
}

/** Splits a note strictly: body bytes, origin, size, root and signature lines. Verifies nothing. */
export function parseNote(note) {
  const bad = (why) => new CheckpointError('note', why);
  if (typeof note !== 'string') throw bad('not text');
  const cut = note.indexOf('\n\n');
  if (cut < 0 || !note.endsWith('\n')) throw bad('not a signed note');
  const body = note.slice(0, cut + 1);
  const lines = body.split('\n');
  if (lines.length !== 4) throw bad('a checkpoint has three lines');
  const [name, sizeText, rootText] = lines;
  if (!name || /[\s+]/.test(name)) throw bad('the origin is malformed');
  if (!/^[1-9][0-9]{0,15}$/.test(sizeText) || !Number.isSafeInteger(Number(sizeText))) throw bad('the size is malformed');
  let root;
  try {
    root = fromB64(rootText);
  } catch {
    throw bad('the root is malformed');
  }
  if (root.length !== 32) throw bad('the root is malformed');
  const signatures = note.slice(cut + 2, -1).split('\n').map((line) => {
    const match = /^\u2014 ([^\s+]+) ([A-Za-z0-9+/=]+)$/.exec(line);
    if (!match) throw bad('a signature line is malformed');
    let raw;
    try {
      raw = fromB64(match[2]);
    } catch {
      throw bad('a signature line is malformed');
    }
    if (raw.length < 5) throw bad('a signature line is malformed');
    return { name: match[1], id: hex(raw.subarray(0, 4)), signature: raw.subarray(4) };
  });
  return { body: utf8(body), name, size: Number(sizeText), root, signatures };
}

/**
 * Verifies a checkpoint: its origin is `name`, at least one signature is by a key in force, and each by such a key is good.
 * @param {string} note @param {string} name the founded name @param {Awaited<ReturnType<typeof verifierKey>>[]} keys those in force
 * @returns {Promise<{size: number, root: Uint8Array}>}
 */
export async function verifyNote(note, name, keys) {
  const parsed = parseNote(note);
  if (parsed.name !== name) throw new CheckpointError('origin', 'the checkpoint is of another ledger');
  let signed = false;
  for (const line of parsed.signatures) {
    const key = keys.find((k) => k.name === line.name && k.id === line.id);
    if (!key) continue;
    const imported = await crypto.subtle.importKey('raw', key.publicKey, { name: 'Ed25519' }, false, ['verify']);
    if (line.signature.length !== 64 || !(await crypto.subtle.verify({ name: 'Ed25519' }, imported, line.signature, parsed.body))) {
      throw new CheckpointError('signature', 'a checkpoint signature does not verify');
    }
    signed = true;
  }
  if (!signed) throw new CheckpointError('unsigned', 'no checkpoint key of this ledger signed');
  return { size: parsed.size, root: parsed.root };
}

// Sizes pass 2^32, so halves are taken by division and not by shifts.
const half = (n) => Math.floor(n / 2);
const odd = (n) => n % 2 === 1;

/** Whether `leaf` is entry `seq` of the tree (`size`, `root`); RFC 9162 section 2.1.3.2. */
export async function included(leaf, seq, size, proof, root) {
  if (!(Number.isSafeInteger(seq) && Number.isSafeInteger(size) && seq >= 0 && seq < size)) return false;
  let fn = seq;
  let sn = size - 1;
  let r = leaf;
  for (const p of proof) {
    if (p.length !== 32 || sn === 0) return false;
    if (odd(fn) || fn === sn) {
      r = await nodeHash(p, r);
      while (!odd(fn) && fn !== 0) {
        fn = half(fn);
        sn = half(sn);
      }
    } else {
      r = await nodeHash(r, p);
    }
    fn = half(fn);
    sn = half(sn);
  }
  return sn === 0 && equal(r, root);
}

/** Whether the tree (`size`, `root`) extends the tree (`from`, `fromRoot`); RFC 9162 section 2.1.4.2. `from` is at least 1. */
export async function consistent(from, fromRoot, size, root, proof) {
  if (!(Number.isSafeInteger(from) && Number.isSafeInteger(size) && from >= 1 && from <= size)) return false;
  if (proof.some((p) => p.length !== 32)) return false;
  if (from === size) return proof.length === 0 && equal(fromRoot, root);
  let path = proof;
  let power = from;
  while (power > 1 && !odd(power)) power = half(power);
  if (power === 1) path = [fromRoot, ...path];
  if (path.length === 0) return false;
  let fn = from - 1;
  let sn = size - 1;
  while (odd(fn)) {
    fn = half(fn);
    sn = half(sn);
  }
  let fr = path[0];
  let sr = path[0];
  for (const c of path.slice(1)) {
    if (sn === 0) return false;
    if (odd(fn) || fn === sn) {
      fr = await nodeHash(c, fr);
      sr = await nodeHash(c, sr);
      while (!odd(fn) && fn !== 0) {
        fn = half(fn);
        sn = half(sn);
      }
    } else {
      sr = await nodeHash(sr, c);
    }
    fn = half(fn);
    sn = half(sn);
  }
  return sn === 0 && equal(fr, fromRoot) && equal(sr, root);
}
