import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IDBFactory } from 'fake-indexeddb';
import { deliveriesOver } from '../delivery.js';
import { compareReceipts, pinsOver } from '../pins.js';
import { memoryStore, openStore } from '../store.js';

const A = 'a'.repeat(64);
const stores = { memory: async () => memoryStore(), database: async () => openStore(new IDBFactory()) };

for (const [name, make] of Object.entries(stores)) {
  test(`pins in ${name}`, async () => {
    const store = await make();
    assert.equal(store.kept, name === 'database');
    const pins = pinsOver(store);
    assert.equal(await pins.ledger(), undefined);
    assert.equal(await pins.size(), 0);
    assert.equal((await pins.meet(A)).confirmed, false);
    await assert.rejects(pins.meet('b'.repeat(64)), { code: 'ledger_differs' });
    await pins.advance(A, { size: 5, root: '1'.repeat(64) });
    await pins.advance(A, { size: 4, root: '2'.repeat(64) });
    await pins.advance('b'.repeat(64), { size: 9, root: '3'.repeat(64) });
    assert.deepEqual((await pins.ledger()).checkpoint, { size: 5, root: '1'.repeat(64) });
    await Promise.all([6, 9, 8, 7].map((size) => pins.advance(A, { size, root: String(size).repeat(64) })));
    assert.equal(await pins.size(), 9);
    await pins.confirm(A);
    assert.equal((await pins.meet(A)).confirmed, true);
    assert.equal((await pins.ledger()).checkpoint.size, 9);

    const person = { user: 'u', name: 'Ada', authenticator: 'k1', publicKey: 'p1' };
    await pins.meetPerson(A, person);
    await pins.meetPerson(A, { ...person, publicKey: 'other' });
    await pins.meetPerson(A, { ...person, authenticator: 'k2', publicKey: 'p2' });
    assert.deepEqual((await pins.person(A, 'u')).keys, { k1: 'p1', k2: 'p2' });
    assert.equal(await pins.person('b'.repeat(64), 'u'), undefined);

    await pins.receipt({ challenge: 'c2', statement: 's2', time: 2 });
    await pins.receipt({ challenge: 'c1', statement: 's1', time: 1 });
    const receipts = await pins.receipts();
    assert.deepEqual(receipts.map((r) => r.challenge), ['c1', 'c2']);
    assert.deepEqual(compareReceipts(receipts, [{ data: { statement: 's2' }, seq: 4 }]).map((r) => r.entry?.seq ?? null), [null, 4]);
    await pins.replace('b'.repeat(64));
    assert.equal(await pins.size(), 0);
  });

  test(`deliveries in ${name}`, async () => {
    const deliveries = deliveriesOver(await make());
    // A store that can't clone a CryptoKey under Node still must keep the record: stand-ins for the pair.
    const pair = { privateKey: 'private', publicKey: 'public' };
    const statement = JSON.stringify({ open_within_s: 10, duration_s: 20 });
    await deliveries.keep('r', { pair, statement, expires: 100e6 });
    await deliveries.keep('r', { pair: { privateKey: 'other' }, statement, expires: 1 });
    await deliveries.filed('r', 'leaf');
    assert.equal((await deliveries.of('r')).privateKey, 'private');
    assert.equal((await deliveries.of('r')).leaf, 'leaf');
    await deliveries.sweep(129e6);
    assert.ok(await deliveries.of('r'));
    await deliveries.opened('r', 140e6);
    await deliveries.sweep(139e6);
    assert.ok(await deliveries.of('r'));
    await deliveries.sweep(140e6);
    assert.equal(await deliveries.of('r'), undefined);
    await deliveries.filed('gone', 'leaf');
    assert.equal(await deliveries.of('gone'), undefined);
    const made = await deliveries.create();
    assert.equal(made.privateKey.extractable, false);
    assert.equal(made.publicBytes.length, 32);
  });
}

test('a change that throws leaves the store as it was', async () => {
  for (const make of Object.values(stores)) {
    const store = await make();
    await store.update('pins', 'k', () => 1);
    await assert.rejects(store.update('pins', 'k', () => { throw new TypeError('no'); }), TypeError);
    assert.equal(await store.get('pins', 'k'), 1);
  }
});

test('a database that cannot be opened: memory', async () => {
  const store = await openStore({ open: () => { throw new DOMException('private window', 'SecurityError'); } });
  assert.equal(store.kept, false);
});
