// Links that a terminal prints: a filing link (any browser may file it; the terminal keeps the key) and a sign-in link.

import { path } from './api.js';
import { fromB64u, grouped, hex } from './bytes.js';
import { sha256 } from './hash.js';
import { Refusal } from './refusal.js';
import { is } from './statement.js';

const malformed = () => new Refusal('link_malformed', { what: 'This link is not complete.', why: 'A part is missing or changed.', next: 'Copy the whole line from the terminal.' });

const fields = (fragment) => new URLSearchParams(fragment.replace(/^#/, ''));

/** The fingerprint of a delivery key, as both sides show it: 16 hex digits in groups of four. */
export const keyFingerprint = async (deliveryKey) => grouped(hex(await sha256(fromB64u(deliveryKey))), 8);

/**
 * Reads the fragment of `/break/link#r=..&k=..&p=..&c=..&why=..&ticket=..&for=..`. `credential` is as it was typed: an id, or part of a name.
 * @returns {Promise<{request: string, deliveryKey: string, poll: string, credential: string, reason: string, ticket: string, durationS: number | undefined, fingerprint: string}>}
 */
export async function filingLink(fragment) {
  const f = fields(fragment);
  const link = { request: f.get('r'), deliveryKey: f.get('k'), poll: f.get('p'), credential: f.get('c') };
  const seconds = f.get('for');
  if (!is.id(link.request) || !is.x25519(link.deliveryKey) || !is.hash(link.poll) || !link.credential?.trim() || link.credential.length > 200) throw malformed();
  if (seconds !== null && !/^[1-9][0-9]{0,6}$/.test(seconds)) throw malformed();
  return {
    ...link, reason: f.get('why') ?? '', ticket: f.get('ticket') ?? '', durationS: seconds === null ? undefined : Number(seconds), fingerprint: await keyFingerprint(link.deliveryKey),
  };
}

/**
 * The credentials that a terminal may mean: the one of that id or that very name, else all whose names match.
 * @returns {Promise<object[]>} as the API gives them; empty where nothing matches
 */
export async function meant({ api }, typed) {
  if (is.id(typed)) return [await api.get(path`/credentials/${typed}`)];
  const { credentials } = await api.get(path`/credentials?q=${typed}`);
  const exact = credentials.filter((c) => c.name === typed);
  return exact.length === 1 ? exact : credentials;
}

/** Reads the fragment of `/you/terminal#p=..&l=..`: `{poll, label}`. */
export function terminalLink(fragment) {
  const f = fields(fragment);
  const link = { poll: f.get('p'), label: f.get('l') ?? '' };
  if (!is.hash(link.poll) || [...link.label].length > 200) throw malformed();
  return link;
}

/** Lets the terminal of a sign-in link act as the person signed in. */
export const admitTerminal = ({ api }, { poll, label }) => api.post('/you/terminals', { poll, label });
