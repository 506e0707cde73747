// Whether a page still says what the vault would say.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { again, look, without } from '../fresh.js';

const answers = (status, headers = {}) => ({ fetch: async () => new Response(null, { status, headers }) });

test('a page asks by its mark alone, and never takes a missing answer for a change', async () => {
  assert.equal(await look('/', 'a1', answers(204, { 'Vitrine-Mark': 'a1' })), 'same');
  assert.equal(await look('/', 'a1', answers(204, { 'Vitrine-Mark': 'b2' })), 'changed');
  assert.equal(await look('/', 'a1', answers(401)), 'out');
  for (const status of [200, 204, 302, 500, 503]) assert.equal(await look('/', 'a1', answers(status)), 'away');
  assert.equal(await look('/', 'a1', { fetch: async () => { throw new TypeError('no network'); } }), 'away');
});

test('what it sends says that nobody is there', async () => {
  let sent;
  await look('/requests/1', 'a1', { fetch: async (url, options) => {
    sent = { url, ...options };
    return new Response(null, { status: 204, headers: { 'Vitrine-Mark': 'a1' } });
  } });
  assert.equal(sent.url, '/requests/1');
  assert.deepEqual(sent.headers, { 'Vitrine-Look': '1' });
  assert.equal(sent.method, undefined);
});

test('an address is marked once, and comes back as it was', () => {
  for (const search of ['', '?before=3', '?q=again', '?again=1']) {
    assert.equal(without(again(search)), search);
    assert.equal(again(again(search)), again(search));
  }
  assert.equal(again(''), '?again');
  assert.equal(again('?before=3'), '?before=3&again');
});
