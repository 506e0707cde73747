// What this device remembers of a ledger: its fingerprint, the newest checkpoint, people's keys, receipts of own signatures.
// Trusted: whoever alters this can hide a rewritten ledger or an exchanged key from this device alone.

import { stop } from './refusal.js';
import { openStore } from './store.js';

/**
 * @param {Awaited<ReturnType<typeof openStore>>} store
 */
export function pinsOver(store) {
  return {
    /** Whether memory outlives the page. */
    kept: store.kept,

    /** `{ledger, confirmed, checkpoint?: {size, root}}` or undefined: a device without memory of any ledger. */
    ledger: () => store.get('pins', 'ledger'),

    /** The pinned checkpoint's size, to ask the server for a proof from: 0 without one. */
    size: async () => (await store.get('pins', 'ledger'))?.checkpoint?.size ?? 0,

    /** Refuses another ledger than the pinned one; pins it when there is none. Returns the pin. */
    async meet(ledger) {
      const pin = await store.update('pins', 'ledger', (old) => old ?? { ledger, confirmed: false });
      if (pin.ledger !== ledger) throw stop('ledger_differs', 'This is not the ledger that this device knows. Its founding fingerprint is another one.');
      return pin;
    },

    /** Keeps a verified checkpoint when it is newer; the caller has checked consistency with the pin it read. */
    async advance(ledger, { size, root }) {
      await store.update('pins', 'ledger', (old) => {
        if (!old || old.ledger !== ledger) return undefined;
        return (old.checkpoint?.size ?? 0) < size ? { ...old, checkpoint: { size, root } } : undefined;
      });
    },

    /** The person compared the fingerprint, or signed on this device: from now on it has a memory of this ledger. */
    confirm: (ledger) => store.update('pins', 'ledger', (old) => (old?.ledger === ledger ? { ...old, confirmed: true } : undefined)),

    /** A deliberate act of the person, after comparing by voice: take this ledger in place of the pinned one. */
    replace: (ledger) => store.update('pins', 'ledger', () => ({ ledger, confirmed: true })),

    /** The keys known of a person: `{name, keys: {authenticator: public_key}}` or undefined. */
    person: (ledger, user) => store.get('people', `${ledger} ${user}`),

    /** Remembers one verified key of a person. A known authenticator's key is never exchanged. */
    async meetPerson(ledger, { user, name, authenticator, publicKey }) {
      await store.update('people', `${ledger} ${user}`, (old) => {
        if (old && Object.hasOwn(old.keys, authenticator)) return undefined;
        return { user, name, keys: { ...old?.keys, [authenticator]: publicKey } };
      });
    },

    /** Keeps the receipt of one own signature: `{ledger, kind, statement, challenge, request?, time}`. */
    receipt: (receipt) => store.update('receipts', receipt.challenge, (old) => old ?? receipt),

    /** All receipts, oldest first. */
    receipts: async () => (await store.all('receipts')).sort((a, b) => a.time - b.time),
  };
}

/** The page's pins; asks the browser to keep them. */
export async function openPins(store) {
  const pins = pinsOver(store ?? (await openStore()));
  if (pins.kept) {
    try {
      await globalThis.navigator?.storage?.persist?.();
    } catch {
      // Without the promise the memory may be cleared; the page then says so by its amber line.
    }
  }
  return pins;
}
