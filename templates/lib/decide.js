// Deciding on a request: the page checks, signs, opens its share, checks its commitment, re-seals it to the delivery key. One touch.

import { b64u, fromB64u } from './bytes.js';
import { path } from './api.js';
import { checkEvidence, expired } from './evidence.js';
import { shareKey } from './prf.js';
import { Refusal, stop } from './refusal.js';
import { openShare, resealShare } from './share.js';
import { touch } from './sign.js';

/**
 * Fetches the evidence of a request and checks it. Show `facts` and nothing else.
 * @returns {Promise<{facts: object, me: object, shares: object[]}>} `me` and `shares` say which of one's own keys to ask for; lies there make the touch fail, no more
 */
export async function review({ api, pins, now }, request) {
  const evidence = await api.get(path`/requests/${request}/evidence?from=` + (await pins.size()));
  const facts = await checkEvidence({ evidence, pins, now: now(), requestId: request });
  return { facts, me: evidence.me, shares: evidence.shares ?? [] };
}

const noShare = (name) => new Refusal('no_share', {
  what: 'Nothing was signed.',
  why: 'None of your live keys holds a share of this secret.',
  next: `Ask a custodian to add a key of ${name ?? 'yours'} to the roster.`,
});

// Keys that the roster does not name yet count too, once their owner has sealed the share to them: it is checked against its commitment.
function ownShares({ facts, me, shares }) {
  const place = facts.roster.approvers.findIndex((a) => a.user === me.user);
  if (place < 0) throw noShare(me.name);
  const live = new Set(me.authenticators.map((k) => k.authenticator));
  const mine = shares.filter((s) => s.approver === me.user && s.x === place + 1 && live.has(s.authenticator));
  if (mine.length === 0) throw noShare(me.name);
  return mine;
}

function allowOf(reviewed) {
  const { me } = reviewed;
  const keys = me?.authenticators ?? [];
  if (keys.length === 0) throw new Refusal('no_live_key', { what: 'Nothing was signed.', why: 'You have no key that signs.', next: 'Ask a custodian.' });
  return keys.map((k) => k.credential_id);
}

async function remember({ pins }, facts) {
  await pins.confirm(facts.ledger);
  const { user, name, authenticator, publicKey } = facts.requester;
  await pins.meetPerson(facts.ledger, { user, name, authenticator, publicKey });
}

async function decide(client, reviewed, decision, { allow, prf = false, how }) {
  const { facts, me } = reviewed;
  if (decision === 'approve' && client.now() >= facts.request.expires) throw expired();
  return touch(client, 'approval', { decision, entry: facts.entry, subject: facts.request }, { rpId: facts.vault.rpId, ledger: facts.ledger, user: me.user, allow, prf, how });
}

/** Sends a decision; when the answer is lost, the Refusal carries `again`, which sends the same bytes without another touch. */
async function send(client, facts, body) {
  const post = async () => {
    const live = await client.api.post(path`/requests/${facts.request.request}/decisions`, body);
    await remember(client, facts);
    return live;
  };
  try {
    return await post();
  } catch (refusal) {
    if (refusal.code === 'unreachable') refusal.again = post;
    throw refusal;
  }
}

async function resealed({ facts, me }, mine, { signed, challenge, prf }) {
  const share = mine.find((s) => s.credential_id === signed.credential_id);
  if (!share) throw new Refusal('no_share_key', { what: 'Nothing was sent.', why: 'The key that signed holds no share of this secret.', next: 'Try again with another key of yours.' });
  if (!prf) {
    throw new Refusal('no_prf_browser', { what: 'This browser cannot reach the share in your key.', why: 'The key is fine. Nothing was sent.', next: 'Open this page in another browser, or on another device.' });
  }
  const pair = await shareKey(prf, { credentialId: share.credential_id, ledger: facts.ledger, user: me.user });
  const { ctx, shareCommitments } = facts.envelope;
  let part;
  try {
    part = await openShare(pair, { approver: me.user, authenticator: share.authenticator, x: share.x, sealed: fromB64u(share.sealed) }, ctx, shareCommitments);
    return { x: share.x, sealed: b64u(await resealShare(part, share.x, fromB64u(facts.request.delivery_key), challenge, ctx)) };
  } catch (cause) {
    throw stop('share', 'Your share does not open, or is not the one that was sealed. Nothing was sent.', { what: 'Stop. Your share does not fit this request.', next: 'Call a custodian.', cause });
  } finally {
    part?.fill(0);
  }
}

/** Approves: one touch. Returns the request as it lives now. */
export async function approve(client, reviewed, how) {
  const { facts } = reviewed;
  switch (facts.request.purpose) {
    case 'release': {
      const mine = ownShares(reviewed);
      const got = await decide(client, reviewed, 'approve', { allow: mine.map((s) => s.credential_id), prf: true, how });
      return send(client, facts, { signed: got.signed, share: await resealed(reviewed, mine, got) });
    }
    case 'roster':
    case 'target': {
      const got = await decide(client, reviewed, 'approve', { allow: allowOf(reviewed), how });
      return send(client, facts, { signed: got.signed });
    }
    default:
      throw new Refusal('purpose_unknown', { what: 'Nothing was signed.', why: 'This page does not know this purpose.', next: 'Deny it, or use the command line.' });
  }
}

/** Denies: one touch, no PRF. Any of one's keys. */
export async function deny(client, reviewed, how) {
  const got = await decide(client, reviewed, 'deny', { allow: allowOf(reviewed), how });
  return send(client, reviewed.facts, { signed: got.signed });
}

/** Takes a request back. */
export const withdraw = ({ api }, request) => api.post(path`/requests/${request}/withdraw`);
