// A software authenticator for tests: P-256, user verification, PRF, counters. Speaks like `navigator.credentials`.

import { createHash, createHmac, generateKeyPairSync, randomBytes, sign } from 'node:crypto';

const sha256 = (...parts) => parts.reduce((h, p) => h.update(p), createHash('sha256')).digest();
const b64u = (bytes) => Buffer.from(bytes).toString('base64url');
const buffer = (bytes) => new Uint8Array(bytes).buffer;

/** One plugged-in key. Knobs: `origin`, `flags`, `prf` ('both' | 'get' | 'none'), `aaguid`. */
export class FakeKey {
  constructor({ origin = 'http://localhost:7443', prf = 'both', flags = 0x05, aaguid = Buffer.alloc(16, 7) } = {}) {
    Object.assign(this, { origin, prf, flags, aaguid, credentials: [], touches: 0, challenges: [] });
  }

  #client(type, challenge, more = {}) {
    this.challenges.push(b64u(new Uint8Array(challenge)));
    return Buffer.from(JSON.stringify({ type, challenge: b64u(new Uint8Array(challenge)), origin: this.origin, crossOrigin: false, ...more }));
  }

  #auth(rpId, counter, extra = Buffer.alloc(0), flags = this.flags) {
    const c = Buffer.alloc(4);
    c.writeUInt32BE(counter);
    return Buffer.concat([sha256(rpId), Buffer.from([flags]), c, extra]);
  }

  #prf(credential, publicKey, when) {
    const first = publicKey.extensions?.prf?.eval?.first;
    if (!first) return {};
    if (this.prf === 'none') return { prf: { enabled: false } };
    const out = { enabled: true };
    if (when === 'get' || this.prf === 'both') out.results = { first: buffer(createHmac('sha256', credential.secret).update(sha256('WebAuthn PRF\0', new Uint8Array(first))).digest()) };
    return { prf: out };
  }

  #wrap(credential, response, extensions) {
    return {
      type: 'public-key', rawId: buffer(credential.id), id: b64u(credential.id), response, getClientExtensionResults: () => extensions,
      toJSON: () => ({ clientExtensionResults: extensions }),
    };
  }

  async create({ publicKey }) {
    const taken = publicKey.excludeCredentials.some((x) => this.credentials.some((c) => c.id.equals(Buffer.from(x.id))));
    if (taken) throw new DOMException('known', 'InvalidStateError');
    this.touches++;
    const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const credential = { id: randomBytes(24), user: Buffer.from(publicKey.user.id), rpId: publicKey.rp.id, key: pair.privateKey, secret: randomBytes(32), counter: 1 };
    this.credentials.push(credential);
    const spki = pair.publicKey.export({ type: 'spki', format: 'der' });
    const length = Buffer.alloc(2);
    length.writeUInt16BE(credential.id.length);
    const auth = this.#auth(credential.rpId, 1, Buffer.concat([this.aaguid, length, credential.id, Buffer.alloc(77)]), this.flags | 0x40);
    const response = {
      attestationObject: buffer(Buffer.concat([Buffer.from('attestation'), auth])),
      clientDataJSON: buffer(this.#client('webauthn.create', publicKey.challenge)),
      getPublicKeyAlgorithm: () => -7,
      getPublicKey: () => buffer(spki),
      getAuthenticatorData: () => buffer(auth),
    };
    return this.#wrap(credential, response, this.#prf(credential, publicKey, 'create'));
  }

  async get({ publicKey }) {
    const allow = publicKey.allowCredentials ?? [];
    const credential = this.credentials.find((c) => c.rpId === publicKey.rpId && (allow.length === 0 || allow.some((a) => c.id.equals(Buffer.from(a.id)))));
    if (!credential) throw new DOMException('none', 'NotAllowedError');
    this.touches++;
    const auth = this.#auth(publicKey.rpId, ++credential.counter);
    const client = this.#client('webauthn.get', publicKey.challenge, this.clientMore);
    const response = {
      authenticatorData: buffer(auth), clientDataJSON: buffer(client), userHandle: buffer(credential.user),
      signature: buffer(sign('sha256', Buffer.concat([auth, sha256(client)]), credential.key)),
    };
    return this.#wrap(credential, response, this.#prf(credential, publicKey, 'get'));
  }
}
