// A tiny HTTP fake over a World: it keeps what it is sent and answers as the API does. It checks only what the tests need.

import { randomBytes } from 'node:crypto';
import { b64u, fromB64u, hex, requestCode, utf8 } from '../bytes.js';
import * as canonical from '../canonical.js';
import { H } from '../hash.js';
import { hpkeSeal } from '../share.js';
import { evidence, NOW, RP } from './world.js';

const json = (body, status = 200) => new Response(JSON.stringify(body), { status, headers: { 'Content-Type': status < 400 ? 'application/json' : 'application/problem+json' } });

export class FakeServer {
  constructor(scene) {
    Object.assign(this, { s: scene, w: scene.w, sent: [], decisions: [], shares: [], lose: 0, change: (path, answer) => answer });
    this.fetch = this.fetch.bind(this);
  }

  as(person) {
    this.who = person;
    return this;
  }

  async fetch(url, { method, body }) {
    const { pathname, searchParams } = new URL(url, 'http://localhost:7443');
    const path = pathname.replace('/api/v1', '');
    const given = body === undefined ? undefined : JSON.parse(body);
    if (method !== 'GET') this.sent.push({ path, body, given });
    if (this.down) throw new TypeError('network');
    let answer = await this.route(`${method} ${path}`, given, searchParams);
    if (answer === undefined) return json({ type: 'not_found', title: 'Not there.', status: 404, detail: 'Why.', next: 'Next.', reference: 'r1' }, 404);
    answer = this.change(path, structuredClone(answer));
    if (method !== 'GET' && this.lose > 0 && this.lose--) throw new TypeError('network');
    return json(answer);
  }

  key(credentialId) {
    return [...this.w.keys].find(([, k]) => k.credentialId === credentialId)?.[0];
  }

  enter(event, signed, more = {}) {
    const statement = JSON.parse(signed.statement);
    return this.w.append(event, { assertion: signed.assertion, authenticator: this.key(signed.credential_id) ?? statement.authenticator, statement: signed.statement, ...more }, statement.signer);
  }

  async route(line, given, query) {
    const { w, s } = this;
    const at = (pattern) => line.match(new RegExp(`^${pattern}$`))?.slice(1);
    const start = () => ({ nonce: b64u(randomBytes(32)), ledger: w.ledger, rp_id: RP.rpId });
    switch (line) {
      case 'POST /login/start':
      case 'POST /prove/start':
        return start();
      case 'POST /login/finish':
        return { user: this.who.user, name: this.who.name, roles: [] };
      case 'POST /join/start':
      case 'POST /you/keys/start':
        return { ...start(), user: this.who.user, name: this.who.name, roles: ['approver'], ledger_name: 'Vitrine', exclude: this.exclude ?? [], attestation: 'direct', keys_drill: true };
      case 'POST /join/box':
      case 'POST /you/keys/box':
        this.box = randomBytes(32);
        return { box: b64u(await hpkeSeal(fromB64u(given.share_key), utf8(`vitrine/enrol-box/v1\n${canonical.text({ ledger: w.ledger, user: this.who.user })}`), new Uint8Array(), this.box)) };
      case 'POST /join/finish':
      case 'POST /you/keys/finish': {
        const e = JSON.parse(given.signed.statement);
        return { user: e.user, authenticator: e.authenticator, software: true };
      }
      case 'GET /you':
        return { user: this.who.user, name: this.who.name, roles: [], keys: w.people.get(this.who.user).keys.map((a) => ({ authenticator: a, credential_id: w.keys.get(a).credentialId, live: true })), sessions: [] };
      case 'GET /you/shares': {
        const x = s.approvers.findIndex((a) => a.user === this.who.user) + 1;
        const { user, authenticator, credentialId, sealedShare } = this.who;
        return { shares: x === 0 ? [] : [{ credential: s.credential, version: 14, approver: user, authenticator, credential_id: credentialId, x, sealed: sealedShare, envelope: s.sealed.text }] };
      }
      case 'GET /ledger/checkpoint':
        return w.checkpoint(Number(query.get('from')));
      case 'POST /people':
        this.enter('person.invited', given.signed);
        return { user: JSON.parse(given.signed.statement).user };
      case 'POST /requests': {
        const statement = JSON.parse(given.signed.statement);
        const seq = this.enter('request.filed', given.signed);
        Object.assign(this, { filed: { seq, value: statement }, reason: { text: given.reason, salt: given.salt } });
        return { request: statement.request, code: requestCode(statement.request), seq, leaf: w.leaf(seq) };
      }
    }
    if (at('GET /safes/.+')) return { safe: s.safe, request_life_s: s.roster.request_life_s, grant_life_s: s.roster.grant_life_s };
    if (at('POST /you/keys/.+/shares')) return { sealed: given.shares.length };
    if (at('POST /people/.+/roles')) return {};
    if (at('POST /keys/.+')) return {};
    if (at('GET /requests/.+/evidence')) return evidence(s, { from: Number(query.get('from')), me: this.who, filed: this.filed, reason: this.reason, decisions: this.decisions });
    if (at('POST /requests/.+/decisions')) {
      const statement = JSON.parse(given.signed.statement);
      this.decisions.push(this.enter(statement.decision === 'approve' ? 'request.approved' : 'request.denied', given.signed));
      if (given.share) this.shares.push({ approver: this.who.user, name: this.who.name, ...given.share, statement: given.signed.statement });
      return { request: statement.subject.request, state: 'waiting' };
    }
    if (at('POST /requests/.+/acceptances')) {
      this.decisions.push(this.enter('request.accepted', given.signed));
      return { state: 'waiting' };
    }
    if (at('GET /requests/.+/shares')) return { envelope: s.sealed.text, shares: this.shares };
    if (at('POST /requests/.+/shares/refused')) {
      this.refused = [...this.refused ?? [], given.approver];
      return { state: 'reached' };
    }
    if (at('POST /requests/.+/open')) return this.open();
    if (at('POST /requests/.+/(check-in|withdraw)')) return { state: 'closed' };
    return undefined;
  }

  async open() {
    const { w, s, filed: { value: r } } = this;
    this.opened ??= w.append('release.opened', {
      approvals: this.decisions, credential: r.credential, envelope: r.envelope, epoch: r.epoch, request: r.request, requester: r.signer, roster: r.roster, safe: r.safe, version: r.version,
    });
    const leaf = w.leaves[this.opened];
    const h = await hpkeSeal(fromB64u(r.delivery_key), Buffer.concat([Buffer.from('vitrine/release-h/v1\n'), leaf]), s.sealed.ctx, s.sealed.h);
    return { ...w.proved(this.opened), checkpoint: w.note(), envelope: s.sealed.text, h: b64u(h), shares: this.shares, ends: NOW + 900_000_000 };
  }
}

export const invitationHash = async (token) => hex(await H('invitation', fromB64u(token)));
