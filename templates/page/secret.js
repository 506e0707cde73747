// How a secret stands on the page: groups of four, digits and symbols tinted, and how it is read aloud.

function tinted(c) {
  const tag = /\p{N}/u.test(c) ? 'i' : /[\p{L}\s]/u.test(c) ? null : 'u';
  if (!tag) return document.createTextNode(c);
  const at = document.createElement(tag);
  at.textContent = c;
  return at;
}

/** Spans of four characters, gaps by CSS; a note stays as it was written. */
export function groups(text, kind) {
  if (kind === 'note') {
    const at = document.createElement('span');
    at.className = 'note';
    at.textContent = text;
    return [at];
  }
  const chars = [...text];
  const out = [];
  for (let i = 0; i < chars.length; i += 4) {
    const span = document.createElement('span');
    span.append(...chars.slice(i, i + 4).map(tinted));
    out.push(span);
  }
  return out;
}

const LETTERS = ['alfa', 'bravo', 'charlie', 'delta', 'echo', 'foxtrot', 'golf', 'hotel', 'india', 'juliett', 'kilo', 'lima', 'mike', 'november', 'oscar', 'papa', 'quebec', 'romeo', 'sierra', 'tango', 'uniform', 'victor', 'whiskey', 'x-ray', 'yankee', 'zulu'];
const DIGITS = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'];
const SIGNS = {
  ' ': 'space', '!': 'exclamation mark', '"': 'double quote', '#': 'hash', $: 'dollar', '%': 'percent', '&': 'ampersand', "'": 'single quote', '(': 'open round bracket', ')': 'close round bracket', '*': 'star', '+': 'plus', ',': 'comma', '-': 'hyphen', '.': 'dot', '/': 'slash', ':': 'colon', ';': 'semicolon', '<': 'less than', '=': 'equals', '>': 'greater than', '?': 'question mark', '@': 'at', '[': 'open square bracket', '\\': 'backslash', ']': 'close square bracket', '^': 'caret', _: 'underscore', '`': 'backtick', '{': 'open curly bracket', '|': 'bar', '}': 'close curly bracket', '~': 'tilde', '\n': 'new line', '\t': 'tab',
};

function word(c) {
  const at = 'abcdefghijklmnopqrstuvwxyz'.indexOf(c.toLowerCase());
  if (at >= 0) return `${c === c.toLowerCase() ? 'lower' : 'upper'} ${LETTERS[at]}`;
  if (c >= '0' && c <= '9') return DIGITS[Number(c)];
  return SIGNS[c] ?? `the character U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}`;
}

/** "lower tango, seven, upper kilo". */
export const spell = (text) => [...text].map(word).join(', ');
