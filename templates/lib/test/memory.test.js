import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IDBFactory } from 'fake-indexeddb';
import { deliveriesOver } from '../delivery.js';
import { pinsOver } from '../pins.js';
import { compareReceipts } from '../receipts.js';
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

test('receipts of every kind are compared, and only what was compared is counted', async () => {
  const pins = pinsOver(memoryStore());
  await pins.meet(A);
  const say = (members) => JSON.stringify(members);
  const receipts = [
    { kind: 'request', statement: say({ request: 'r1' }) },
    { kind: 'approval', statement: say({ decision: 'approve', subject: { request: 'r2' } }) },
    { kind: 'invite', statement: say({ user: 'u1' }) },
    { kind: 'suspend', statement: say({ authenticator: 'k1', user: 'u1' }) },
    { kind: 'import', statement: say({ credential: 'c1' }) },
    { kind: 'clock', statement: say({ why: 'It is right.' }) },
    { kind: 'roles', statement: say({ roles: [], user: 'u2' }) },
    { kind: 'no such kind', statement: say({ user: 'u1' }) },
    { kind: 'request', statement: say({ request: 'r1', why: 'older' }), ledger: 'b'.repeat(64) },
  ];
  for (const [time, receipt] of receipts.entries()) await pins.receipt({ ledger: A, ...receipt, time, challenge: `c${time}` });
  // Of a ledger that has all but the roles: what it shows for them was signed by somebody else.
  const ledger = new Map([
    ['r1', [[1, 'request.filed', 'me', receipts[0]]]],
    ['r2', [[2, 'request.approved', 'me', receipts[1]], [3, 'request.approved', 'other', {}]]],
    ['u1', [[4, 'person.invited', 'me', receipts[2]], [5, 'authenticator.suspended', 'me', receipts[3]]]],
    ['c1', [[6, 'version.sealed', 'system', receipts[4]]]],
    ['clock.accepted', Array.from({ length: 201 }, (_, i) => [500 - i, 'clock.accepted', 'me', i === 200 ? receipts[5] : {}])],
    ['u2', [[7, 'person.roles', 'other', receipts[6]]]],
  ]);
  const api = {
    get: async (url) => {
      const { searchParams } = new URL(url, 'http://localhost');
      const lines = ledger.get(searchParams.get('q')).filter(([seq]) => seq < Number(searchParams.get('before') ?? 1000));
      return { entries: lines.slice(0, 200).map(([seq, event, actor]) => ({ seq, event, actor })) };
    },
  };
  const prove = async (seq) => {
    const [, event, , { statement }] = [...ledger.values()].flat().find(([at]) => at === seq);
    return { entry: { seq, event, data: event === 'version.sealed' ? { import: { statement } } : { statement } } };
  };
  const { compared, left } = await compareReceipts({ api, pins }, 'me', prove);
  assert.deepEqual(compared.map((c) => [c.receipt.kind, c.entry?.seq]), [
    ['request', 1], ['approval', 2], ['invite', 4], ['suspend', 5], ['import', 6], ['clock', 300], ['roles', undefined],
  ]);
  assert.equal(left, 2);
});
