// The browser's WebAuthn, reduced: `create` and `get` give back only the members that may travel. The credential object itself,
// whose `toJSON` and `clientExtensionResults` hold the PRF output, is dropped here and never returned.

import { b64u, equal, fromB64u, idBytes } from './bytes.js';
import { evalFirst } from './prf.js';
import { Refusal } from './refusal.js';

const TIMEOUT_MS = 60_000;
const ES256 = -7;

function refusalOf(error, act) {
  switch (error?.name) {
    case 'InvalidStateError':
      return new Refusal('key_known', { what: 'This key is enrolled already.', why: 'It answered that it holds a credential of yours for this vault.', next: 'Take another key.', cause: error });
    case 'NotSupportedError':
      return new Refusal('key_unfit', { what: 'This key cannot be used.', why: 'It does not sign with ES256.', next: 'Take another key.', cause: error });
    case 'SecurityError':
      return new Refusal('wrong_site', { what: 'Nothing was signed.', why: 'The browser does not accept this page for that vault.', next: 'Open the vault at its own address.', cause: error });
    case 'TimeoutError':
      return new Refusal('no_touch', { what: act === 'create' ? 'Nothing was enrolled.' : 'Nothing was signed.', why: 'No key was touched within a minute.', next: 'Try again, or use another key.', cause: error });
    default:
      // A browser says no more than that it ended; a key that cannot do what is asked ends it too.
      if (act === 'create') {
        return new Refusal('prompt_ended', {
          what: 'Nothing was enrolled.', why: 'The browser ended the prompt: it was taken away, or this key cannot keep a passkey, or knows no PIN and no finger.', next: 'Try again; if it stays, take another key.', cause: error,
        });
      }
      return new Refusal('prompt_ended', { what: 'Nothing was signed.', why: 'The browser ended the prompt.', next: 'Try again, or use another key.', cause: error });
  }
}

function limited(timeoutMs, outer) {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(new DOMException('no touch in time', 'TimeoutError')), timeoutMs);
  const pass = () => controller.abort(outer.reason);
  if (outer?.aborted) pass();
  outer?.addEventListener('abort', pass, { once: true });
  return {
    signal: controller.signal,
    end() {
      clearTimeout(timer);
      outer?.removeEventListener('abort', pass);
    },
  };
}

async function ask(act, publicKey, { container, timeoutMs = TIMEOUT_MS, signal } = {}) {
  const credentials = container ?? globalThis.navigator?.credentials;
  if (!credentials?.[act]) {
    throw new Refusal('no_webauthn', { what: 'This browser cannot use a key here.', why: 'It offers no WebAuthn on this page.', next: 'Open the vault by https, in another browser.' });
  }
  const limit = limited(timeoutMs, signal);
  try {
    limit.signal.throwIfAborted();
    // The race: some browsers leave the promise pending after an abort.
    const aborted = new Promise((_, reject) => limit.signal.addEventListener('abort', () => reject(limit.signal.reason), { once: true }));
    const credential = await Promise.race([credentials[act]({ publicKey: { ...publicKey, timeout: timeoutMs }, signal: limit.signal }), aborted]);
    if (!credential || credential.type !== 'public-key') throw new DOMException('no credential', 'NotAllowedError');
    return credential;
  } catch (error) {
    throw refusalOf(error, act);
  } finally {
    limit.end();
  }
}

function prfOf(credential) {
  const prf = credential.getClientExtensionResults()?.prf;
  const first = prf?.results?.first;
  return { prf: first ? new Uint8Array(first) : null, enabled: prf?.enabled };
}

/**
 * Asks for a signature over `challenge` (32 bytes, from statement.js).
 * @param {{challenge: Uint8Array, rpId: string, allow?: string[], prf?: boolean}} what `allow`: base64url credential ids, empty for any resident key
 * @param {{container?: object, timeoutMs?: number, signal?: AbortSignal}} [how]
 * @returns {Promise<{touch: {credential_id: string, assertion: {authenticator_data: string, client_data_json: string, signature: string}}, userHandle: string | null, prf: Uint8Array | null}>}
 *   `touch` may travel; `prf` never leaves the page
 */
export async function get({ challenge, rpId, allow = [], prf = false }, how) {
  const publicKey = {
    challenge,
    rpId,
    allowCredentials: allow.map((id) => ({ type: 'public-key', id: fromB64u(id) })),
    userVerification: 'required',
    ...(prf && { extensions: { prf: { eval: { first: await evalFirst() } } } }),
  };
  const credential = await ask('get', publicKey, how);
  const { response } = credential;
  return {
    touch: {
      credential_id: b64u(new Uint8Array(credential.rawId)),
      assertion: {
        authenticator_data: b64u(new Uint8Array(response.authenticatorData)),
        client_data_json: b64u(new Uint8Array(response.clientDataJSON)),
        signature: b64u(new Uint8Array(response.signature)),
      },
    },
    userHandle: response.userHandle ? b64u(new Uint8Array(response.userHandle)) : null,
    prf: prf ? prfOf(credential).prf : null,
  };
}

// Up to the point, a P-256 SubjectPublicKeyInfo is these 26 bytes (RFC 5480).
const SPKI = Uint8Array.of(
  0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
);

/**
 * Makes a resident credential: ES256, user verification required.
 * @param {{challenge: Uint8Array, rpId: string, rpName: string, user: string, name: string, exclude?: string[], attestation?: string}} what
 *   `user`: the person's id, whose 16 bytes are the user handle
 * @returns {Promise<{registration: {attestation_object: string, client_data_json: string}, credentialId: string, publicKey: Uint8Array, aaguid: Uint8Array, prf: Uint8Array | null, prfEnabled: boolean | undefined}>}
 */
export async function create({ challenge, rpId, rpName, user, name, exclude = [], attestation = 'direct' }, how) {
  const publicKey = {
    challenge,
    rp: { id: rpId, name: rpName },
    user: { id: idBytes(user), name, displayName: name },
    pubKeyCredParams: [{ type: 'public-key', alg: ES256 }],
    excludeCredentials: exclude.map((id) => ({ type: 'public-key', id: fromB64u(id) })),
    authenticatorSelection: { residentKey: 'required', requireResidentKey: true, userVerification: 'required' },
    attestation,
    hints: ['security-key', 'client-device'],
    extensions: { prf: { eval: { first: await evalFirst() } }, credentialProtectionPolicy: 'userVerificationRequired' },
  };
  const credential = await ask('create', publicKey, how);
  const { response } = credential;
  const unfit = () => new Refusal('key_unfit', { what: 'This key cannot be used.', why: 'It made a credential that is not ES256.', next: 'Take another key.' });
  if (response.getPublicKeyAlgorithm() !== ES256) throw unfit();
  const spki = new Uint8Array(response.getPublicKey() ?? []);
  if (spki.length !== SPKI.length + 65 || !equal(spki.subarray(0, SPKI.length), SPKI)) throw unfit();
  const auth = new Uint8Array(response.getAuthenticatorData());
  if (auth.length < 55 || !(auth[32] & 0x40)) throw unfit();
  const { prf, enabled } = prfOf(credential);
  return {
    registration: {
      attestation_object: b64u(new Uint8Array(response.attestationObject)),
      client_data_json: b64u(new Uint8Array(response.clientDataJSON)),
    },
    credentialId: b64u(new Uint8Array(credential.rawId)),
    publicKey: spki.slice(SPKI.length),
    aaguid: auth.slice(37, 53),
    prf,
    prfEnabled: enabled,
  };
}
