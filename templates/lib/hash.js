// SHA-256, labelled (FORMATS.md 1) and of the Merkle tree (RFC 6962 section 2.1).

import { concat, utf8 } from './bytes.js';

/** SHA-256 of bytes. */
export const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));

/** The bytes `vitrine/<thing>/v1` LF. */
export const label = (thing) => utf8(`vitrine/${thing}/v1\n`);

/** `H(thing, content)`: SHA-256 over the label and all content. */
export const H = (thing, ...content) => sha256(concat(label(thing), ...content));

/** The hash of a tree leaf. */
export const leafHash = (entry) => sha256(concat(Uint8Array.of(0), entry));

/** The hash of a tree node. */
export const nodeHash = (left, right) => sha256(concat(Uint8Array.of(1), left, right));
