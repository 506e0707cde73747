// A share check: one touch that reads the PRF for this page alone. The share key it gives must be the enrolled one, as the ledger
// has it; then the key is noted as proved.

import { path } from '../lib/api.js';
import { b64u } from '../lib/bytes.js';
import { provedEntry, statementOf } from '../lib/ledger.js';
import { shareKey } from '../lib/prf.js';
import { Refusal } from '../lib/refusal.js';
import * as statement from '../lib/statement.js';

/**
 * Derives the share key of one's own key by a touch of it, and compares it with the enrolment. `entry`: the seq of that.
 * @returns {Promise<{pair: object, ledger: string, rpId: string, signed: object}>} `signed`: the touch, which may travel
 */
export async function ownShareKey(client, { user, authenticator, entry: seq }) {
  const { entry, vault } = await provedEntry(client, seq);
  const enrol = statementOf(entry, vault.ledger);
  if (enrol.authenticator !== authenticator || enrol.user !== user || enrol.share_key === undefined) {
    throw new Refusal('enrolment', { what: 'Not checked.', why: 'The ledger’s entry is not the enrolment of this key.', next: 'Call a custodian.' });
  }
  const { nonce } = await client.api.post('/prove/start');
  const prove = await statement.build('prove', { ledger: vault.ledger, nonce, user });
  const { touch, prf } = await client.webauthn.get({ challenge: prove.challenge, rpId: vault.rpId, allow: [enrol.credential_id], prf: true });
  if (!prf) throw new Refusal('no_prf_browser', { what: 'This browser cannot reach the share in your key.', why: 'The key is fine.', next: 'Try another browser, or another device.' });
  const pair = await shareKey(prf, { credentialId: enrol.credential_id, ledger: vault.ledger, user });
  if (b64u(pair.publicBytes) !== enrol.share_key) {
    throw new Refusal('share_key', { what: 'This key gives another share key than it was enrolled with.', why: 'It may have been reset.', next: 'It opens no share now. Enrol another key, then revoke this one.' });
  }
  return { pair, ledger: vault.ledger, rpId: vault.rpId, signed: { statement: prove.text, ...touch } };
}

/** Derives it, and notes the key as proved, by the touch that did. */
export async function proveShare(client, key) {
  const { signed } = await ownShareKey(client, key);
  await client.api.post(path`/you/keys/${key.authenticator}/proved`, { signed });
}
