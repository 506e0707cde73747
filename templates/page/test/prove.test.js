// A share check: what the page sends is the touch that read the PRF, and nothing of what it read.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openApi } from '../../lib/api.js';
import { openClient } from '../../lib/client.js';
import { challenge } from '../../lib/statement.js';
import { memoryStore } from '../../lib/store.js';
import { FakeServer } from '../../lib/test/fake-server.js';
import { FakeKey } from '../../lib/test/fake-webauthn.js';
import { NOW, scene } from '../../lib/test/world.js';
import * as webauthn from '../../lib/webauthn.js';
import { proveShare } from '../prove.js';

async function checking() {
  const s = await scene({ purpose: null });
  const [ada] = s.approvers;
  const server = new FakeServer(s).as(ada);
  const route = server.route.bind(server);
  server.route = (line, given, query) => {
    const seq = line.match(/^GET \/ledger\/entries\/(\d+)$/)?.[1];
    if (seq) return { ...s.w.proved(Number(seq)), note: s.w.note() };
    return /^POST \/you\/keys\/.+\/proved$/.test(line) ? {} : route(line, given, query);
  };
  const keys = { get: (what, how) => webauthn.get(what, { container: ada.device, ...how }) };
  const client = await openClient({ api: openApi({ fetch: server.fetch }), store: memoryStore(), now: () => NOW, keys });
  return { s, ada, server, client };
}

test('p12: a share check sends the touch of that key over the nonce that the page was given', async () => {
  const { s, ada, server, client } = await checking();
  await proveShare(client, { user: ada.user, authenticator: ada.authenticator, entry: ada.enrolled });
  const { path, given, body } = server.sent.at(-1);
  assert.equal(path, `/you/keys/${ada.authenticator}/proved`);
  const { statement, credential_id: touched, assertion } = given.signed;
  assert.deepEqual(Object.keys(given), ['signed']);
  assert.equal(touched, ada.credentialId);
  const { kind, user, ledger } = JSON.parse(statement);
  assert.deepEqual({ kind, user, ledger }, { kind: 'prove', user: ada.user, ledger: s.w.ledger });
  const signed = JSON.parse(Buffer.from(assertion.client_data_json, 'base64url')).challenge;
  assert.equal(signed, Buffer.from(await challenge(statement)).toString('base64url'));
  assert.ok(!body.includes(Buffer.from(ada.device.credentials[0].secret).toString('base64url')) && !body.includes('prf'));
});

test('p12: a key that gives another share key is not noted as proved', async () => {
  const { ada, server, client } = await checking();
  ada.device.credentials[0].secret = new FakeKey().aaguid;
  const check = proveShare(client, { user: ada.user, authenticator: ada.authenticator, entry: ada.enrolled });
  await assert.rejects(check, (e) => e.code === 'share_key');
  assert.ok(server.sent.every(({ path }) => !path.endsWith('/proved')));
});
