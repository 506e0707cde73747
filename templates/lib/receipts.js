// "My signatures": what the ledger has of the receipts that this device keeps.

import * as canonical from './canonical.js';
import { provedEntry } from './ledger.js';

const EVENTS = {
  request: ['request.filed'], approval: ['request.approved', 'request.denied'], acceptance: ['request.accepted'], invite: ['person.invited'], roles: ['person.roles'],
  revoke: ['authenticator.revoked'], suspend: ['authenticator.suspended'], unsuspend: ['authenticator.restored'], import: ['version.sealed'],
  setting: ['setting.changed'], clock: ['clock.accepted'],
};
const STEP = 200;

// What the ledger finds its entry by: a request, a person, a credential, else the event.
function about({ kind, statement }) {
  const s = canonical.parse(statement);
  return s.request ?? s.subject?.request ?? s.user ?? s.credential ?? EVENTS[kind][0];
}

async function linesAbout(api, q) {
  const out = [];
  for (let before = ''; ; before = `&before=${out.at(-1).seq}`) {
    const { entries } = await api.get(`/ledger/entries?limit=${STEP}&q=${encodeURIComponent(q)}${before}`);
    out.push(...entries);
    if (entries.length < STEP) return out;
  }
}

const statementIn = ({ data }) => data?.statement ?? data?.import?.statement;

/**
 * Compares every receipt of this ledger with the entries of its kind that the ledger shows about its subject, each proved under a
 * checkpoint that extends what this device has seen.
 * @param {object} client @param {string} user the person signed in
 * @param {(seq: number) => Promise<{entry: object}>} prove
 * @returns {Promise<{compared: {receipt: object, entry: object | null}[], left: number}>} `left`: receipts of another ledger, or of a kind that is not known here
 */
export async function compareReceipts(client, user, prove = (seq) => provedEntry(client, seq)) {
  const { ledger } = (await client.pins.ledger()) ?? {};
  const all = await client.pins.receipts();
  const ours = all.filter((r) => r.ledger === ledger && Object.hasOwn(EVENTS, r.kind));
  const subjects = new Map();
  for (const r of ours) subjects.set(about(r), [...(subjects.get(about(r)) ?? []), r]);
  const found = new Map();
  for (const [subject, receipts] of subjects) {
    const events = new Set(receipts.flatMap((r) => EVENTS[r.kind]));
    for (const { seq, event, actor } of await linesAbout(client.api, subject)) {
      if (!events.has(event) || (actor !== user && event !== 'version.sealed')) continue;
      const { entry } = await prove(seq);
      found.set(statementIn(entry), entry);
    }
  }
  const compared = ours.map((receipt) => {
    const entry = found.get(receipt.statement);
    return { receipt, entry: entry && EVENTS[receipt.kind].includes(entry.event) ? entry : null };
  });
  return { compared, left: all.length - ours.length };
}
