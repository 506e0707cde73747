// The delivery keys of requests filed in this browser: X25519, the private half can't be exported, wiped at the end.
// Trusted: whoever reads this, together with m re-sealed shares and the server's half, can read that one secret.

/** @param {Awaited<ReturnType<import('./store.js').openStore>>} store */
export function deliveriesOver(store) {
  return {
    kept: store.kept,

    /** A new delivery key; nothing is stored yet. */
    async create() {
      const pair = await crypto.subtle.generateKey({ name: 'X25519' }, false, ['deriveBits']);
      const publicBytes = new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey));
      return { privateKey: pair.privateKey, publicKey: pair.publicKey, publicBytes };
    },

    /** Keeps key and statement before the request is filed, so that a filing that went through is never without its key. */
    keep: (request, { pair, statement, expires }) =>
      store.update('deliveries', request, (old) => old ?? { request, privateKey: pair.privateKey, publicKey: pair.publicKey, statement, expires }),

    /** Notes the leaf of `request.filed`. */
    filed: (request, leaf) => store.update('deliveries', request, (old) => (old ? { ...old, leaf } : undefined)),

    /** Notes when the opening ends: the key lives until then. */
    opened: (request, ends) => store.update('deliveries', request, (old) => (old ? { ...old, ends } : undefined)),

    /** `{request, privateKey, publicKey, statement, leaf?, expires, ends?}` or undefined: filed elsewhere, or wiped. */
    of: (request) => store.get('deliveries', request),

    /** Forgets a request's key. */
    wipe: (request) => store.delete('deliveries', request),

    /**
     * Forgets every key whose opening has ended, and those never opened whose time to open has passed. `now` in microseconds.
     * `open_within_s` counts from the last approval and `duration_s` from the opening, so both are added to `expires`.
     */
    async sweep(now) {
      for (const d of await store.all('deliveries')) {
        const { open_within_s = 0, duration_s = 0 } = JSON.parse(d.statement);
        if (now >= (d.ends ?? d.expires + (open_within_s + duration_s) * 1e6)) await store.delete('deliveries', d.request);
      }
    },
  };
}
