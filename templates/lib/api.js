// The JSON API under /api/v1. A problem+json answer becomes a Refusal.

import { Refusal } from './refusal.js';

// A body that holds one of these would carry the output of a key's PRF: a mistake in this page, stopped before it leaves.
const NEVER = new Set(['clientExtensionResults', 'client_extension_results', 'prf', 'results', 'extensions']);

function assertClean(value) {
  if (typeof value !== 'object' || value === null) return;
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) throw new TypeError('raw bytes in a request body');
  for (const [name, inner] of Object.entries(value)) {
    if (NEVER.has(name)) throw new TypeError(`${name} never leaves the page`);
    assertClean(inner);
  }
}

const NOT_DONE = { what: 'Not done. The vault did not answer.', why: 'The connection failed.', next: 'Check the network, then try again.' };
const MAYBE_DONE = { what: 'No answer from the vault. It may have been done.', why: 'The connection failed.', next: 'Reload this page and look before you do it again.' };

// Reading does nothing, and neither does what never left. Of all else nobody here knows.
function unreachable(method, more) {
  const known = method === 'GET' || globalThis.navigator?.onLine === false;
  return new Refusal('unreachable', { ...(known ? NOT_DONE : MAYBE_DONE), ...more });
}

async function problem(response, method) {
  let p = {};
  try {
    p = await response.json();
  } catch {
    // Not JSON: something before the vault answered.
  }
  // What stands before the vault has lost it, or has heard nothing back.
  if (method !== 'GET' && p.type === undefined && [502, 503, 504].includes(response.status)) {
    return new Refusal('unreachable', { ...MAYBE_DONE, why: `What stands before it says ${response.status}.`, status: response.status });
  }
  return new Refusal(typeof p.type === 'string' ? p.type : `http_${response.status}`, {
    what: p.title ?? `Not done. The vault answered ${response.status}.`,
    why: p.detail ?? '',
    next: p.next ?? '',
    status: response.status,
    reference: p.reference,
  });
}

/**
 * @param {{base?: string, fetch?: typeof fetch, timeoutMs?: number}} [options]
 * @returns {{get: (path: string) => Promise<any>, post: (path: string, body?: object) => Promise<any>, delete: (path: string) => Promise<any>}}
 */
export function openApi({ base = '/api/v1', fetch: fetcher = (...args) => globalThis.fetch(...args), timeoutMs = 30_000 } = {}) {
  async function call(method, path, body) {
    if (body !== undefined) assertClean(body);
    const headers = { Accept: 'application/json, application/problem+json' };
    if (method !== 'GET') headers['Content-Type'] = 'application/json';
    let response;
    try {
      response = await fetcher(base + path, {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        credentials: 'same-origin',
        cache: 'no-store',
        redirect: 'error',
        referrerPolicy: 'same-origin',
        signal: AbortSignal.timeout(timeoutMs),
      });
    } catch (cause) {
      throw unreachable(method, { cause });
    }
    if (!response.ok) throw await problem(response, method);
    if (response.status === 204) return null;
    try {
      return await response.json();
    } catch (cause) {
      throw new Refusal('unreachable', { ...(method === 'GET' ? NOT_DONE : MAYBE_DONE), why: 'The answer was cut off.', cause });
    }
  }
  return {
    get: (path) => call('GET', path),
    post: (path, body = {}) => call('POST', path, body),
    delete: (path) => call('DELETE', path),
  };
}

/** A path from literal parts and values: `path`/requests/${id}`` with every value escaped. */
export const path = (parts, ...values) => parts.reduce((out, part, i) => out + encodeURIComponent(String(values[i - 1])) + part);

/** The vault says every 10 s that it is there. */
const SILENCE_MS = 25_000;

/**
 * Follows a request live (server-sent events). Returns a function that ends it.
 * @param {string} request @param {(live: object) => void} onLive
 * @param {{onState?: (how: 'live' | 'trying' | 'over') => void, reading?: boolean}} [options] `over`: the browser gives up, as after signing out;
 *   `trying`: the connection failed, or nothing was heard for long, and it is made again; `reading`: others are shown that this person reads it
 */
export function follow(request, onLive, { onState = () => {}, reading = false } = {}) {
  let source;
  let silence;
  const heard = () => {
    clearTimeout(silence);
    silence = setTimeout(silent, SILENCE_MS);
  };
  const alive = () => {
    heard();
    onState('live');
  };
  function listen() {
    source = new EventSource(`/api/v1/requests/${encodeURIComponent(request)}/events${reading ? '?reading=true' : ''}`);
    heard();
    source.onopen = alive;
    source.addEventListener('ping', alive);
    source.onerror = () => {
      const over = source.readyState === EventSource.CLOSED;
      if (over) clearTimeout(silence);
      onState(over ? 'over' : 'trying');
    };
    source.onmessage = (event) => {
      alive();
      onLive(JSON.parse(event.data));
    };
  }
  function silent() {
    source.close();
    onState('trying');
    listen();
  }
  listen();
  return () => {
    clearTimeout(silence);
    source.close();
  };
}
