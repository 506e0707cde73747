// Canonical JSON (FORMATS.md 1): RFC 8785 with less. A reader re-encodes what it parsed and refuses bytes that differ.

import { fromUtf8, utf8 } from './bytes.js';

const NAME = /^[a-z][a-z0-9_]*$/;
const DEPTH = 8;
const CONTROL = /[\u0000-\u001f\u007f\ufeff]/;
const BIDIRECTIONAL = /[\u202a-\u202e\u2066-\u2069]/;
/** Matches half of a surrogate pair. */
export const LONE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

/** Thrown for a value or bytes that have no canonical form. */
export class CanonicalError extends Error {
  constructor(message) {
    super(message);
    this.name = 'CanonicalError';
  }
}

/** Thrown for a string that holds what may not stand in one: mostly something pasted that nobody sees. */
export class TextError extends CanonicalError {
  constructor(message) {
    super(message);
    this.name = 'TextError';
  }
}

/** Why a string may not stand in canonical JSON, or null. */
export function stringFault(s) {
  if (LONE.test(s)) return 'a lone surrogate';
  if (BIDIRECTIONAL.test(s)) return 'a character that changes the direction of writing';
  if (CONTROL.test(s)) return 'a control character';
  if (s.normalize('NFC') !== s) return 'text that is not in Unicode NFC';
  return null;
}

/** The same for text of several lines that is no part of canonical JSON, a reason: LF and TAB are no fault. */
export const linesFault = (s) => stringFault(s.replace(/[\n\t]/g, ' '));

/** The canonical text of a value; throws a CanonicalError on what has none. */
export function text(value, depth = 1) {
  switch (typeof value) {
    case 'boolean':
      return value ? 'true' : 'false';
    case 'number':
      if (!Number.isSafeInteger(value) || Object.is(value, -0)) throw new CanonicalError('a number that is no safe integer');
      return String(value);
    case 'string': {
      const fault = stringFault(value);
      if (fault) throw new TextError(fault);
      return JSON.stringify(value);
    }
    case 'object':
      break;
    default:
      throw new CanonicalError(`a ${typeof value}`);
  }
  if (value === null) throw new CanonicalError('null');
  if (depth > DEPTH) throw new CanonicalError('more than 8 containers deep');
  if (Array.isArray(value)) return `[${Array.from(value, (v) => text(v, depth + 1)).join(',')}]`;
  const members = Object.keys(value).sort().map((name) => {
    if (!NAME.test(name)) throw new CanonicalError('a member name outside [a-z][a-z0-9_]*');
    return `"${name}":${text(value[name], depth + 1)}`;
  });
  return `{${members.join(',')}}`;
}

/** The canonical bytes of a value. */
export const encode = (value) => utf8(text(value));

/** The value of canonical bytes (or their text); throws a CanonicalError unless re-encoding gives the same. */
export function parse(input) {
  let source;
  let value;
  try {
    source = typeof input === 'string' ? input : fromUtf8(input);
    value = JSON.parse(source);
  } catch {
    throw new CanonicalError('not UTF-8 JSON');
  }
  if (text(value) !== source) throw new CanonicalError('not in canonical form');
  return value;
}

/** Whether an object has exactly the members `must`, and beyond them only members of `may`. */
export function members(object, must, may = []) {
  if (typeof object !== 'object' || object === null || Array.isArray(object)) return false;
  return must.every((k) => Object.hasOwn(object, k)) && Object.keys(object).every((k) => must.includes(k) || may.includes(k));
}
