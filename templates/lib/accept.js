// Accepting to be named on a roster: one touch for every key newly named, by that very key.

import { path } from './api.js';
import { expired } from './evidence.js';
import { Refusal } from './refusal.js';
import { touch } from './sign.js';

/** The keys of one's own that this roster newly names and that have not accepted yet: `[{authenticator, credentialId}]`. */
export function toAccept({ facts, me }) {
  const before = facts.roster?.approvers.find((a) => a.user === me.user)?.authenticators ?? [];
  const named = facts.named?.find((a) => a.user === me.user)?.keys ?? [];
  const done = facts.accepted.map((a) => a.authenticator);
  return named.filter((k) => !before.includes(k.authenticator) && !done.includes(k.authenticator)).map(({ authenticator, credentialId }) => ({ authenticator, credentialId }));
}

/** One touch with one key of `toAccept`. `reviewed` from decide.js `review`. Returns the request as it lives now. */
export async function accept(client, reviewed, { authenticator, credentialId }, how) {
  const { facts, me } = reviewed;
  if (facts.request.purpose !== 'roster') throw new Refusal('purpose_unknown', { what: 'Nothing was signed.', why: 'Only a roster is accepted.', next: 'Go back to the request.' });
  if (client.now() >= facts.request.expires) throw expired();
  const members = { authenticator, entry: facts.entry, subject: facts.request };
  const { signed } = await touch(client, 'acceptance', members, { rpId: facts.vault.rpId, ledger: facts.ledger, user: me.user, allow: [credentialId], how });
  const live = await client.api.post(path`/requests/${facts.request.request}/acceptances`, { signed });
  await client.pins.confirm(facts.ledger);
  return live;
}
