// The live quorum. Small changes are made in place; a change of state loads the page again.

import { follow, path } from '../lib/api.js';
import { checkShares, holdsKey } from '../lib/open.js';
import { Refusal } from '../lib/refusal.js';
import { chip } from '../page/chip.js';
import { onZero } from '../page/clock.js';
import { keepFresh, liveness } from '../page/fresh.js';
import { $, acting, begin, busy, calm, client, progress, refuse } from '../page/page.js';
import { setRing } from '../page/ring.js';
import { and, capital, number } from '../page/words.js';

const page = $('request');
const { request, state, mine } = page.dataset;
const need = Number(page.dataset.need);
// While a safe is founded people accept, and nobody signs.
const DID = page.dataset.founding === 'true' ? 'accepted' : 'signed';

const LOOK = { signed: ['signed', capital(DID)], reading: ['reading', 'Reading'], asked: ['asked', 'Asked'], cannot: ['cannot', 'Cannot sign'], denied: ['failed', 'Denied'] };
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false, timeZone: 'UTC' });

function person({ user, state: how }, signed) {
  const row = [...$('people').children].find((li) => li.dataset.user === user);
  const look = LOOK[how];
  if (!row || !look) return;
  const old = row.querySelector('.chip');
  const word = old.querySelector('.w').textContent;
  if (word === look[1]) return;
  const made = chip(...look);
  if (made) old.replaceWith(made);
  row.querySelector('.face').classList.toggle('done', how === 'signed');
  const note = row.querySelector('.note');
  if (how === 'signed') note.textContent = signed ? `${capital(DID)} ${clock.format(signed.time / 1000)} UTC` : capital(DID);
  else if (how === 'reading') note.textContent = 'Reading now';
  else if (how === 'denied') note.textContent = 'Denied it';
  else if (word === 'Reading') note.textContent = 'Has read it';
}

function status(live) {
  const names = live.signed.map((s) => s.name);
  const asked = live.asked.filter((a) => a.state === 'asked' || a.state === 'reading').length;
  const who = names.length ? `${and(names)} ${DID}.` : `Nobody has ${DID} yet.`;
  const rest = asked === 0 ? '' : asked === 1 ? ' One approver is still being asked.' : ` ${capital(number(asked))} approvers are still being asked.`;
  const text = who + rest;
  if ($('status').textContent !== text) $('status').textContent = text;
}

function heading(live) {
  if (live.state !== 'waiting') return;
  const missing = need - live.signed.length;
  if (missing < 1) return;
  const can = live.asked.filter((a) => a.state !== 'cannot').length;
  if (can < need) return;
  const text = missing === 1 ? 'Waiting for one more signature' : `Waiting for ${number(missing)} more signatures`;
  if ($('headline').textContent !== text) {
    $('headline').textContent = text;
    document.title = `${text} · Vitrine`;
  }
}

// While this page opens it, the change to "open" is its own doing: it goes to the secret, and does not load itself again.
let opening = false;

function onLive(live) {
  if (opening) return;
  if (live.state && live.state !== state) {
    // A page that was just made and is old already waits a little: no loop, whatever the server says.
    setTimeout(() => location.reload(), performance.now() < 1000 ? 2000 : 0);
    return;
  }
  if (!live.asked || !live.signed) return;
  setRing(live.signed.length);
  // Who has not signed is asked no more once enough have; somebody may sign in place of a bad share.
  if (live.state !== 'waiting') {
    if (short && live.signed.length > short) sharesHold();
    return;
  }
  for (const a of live.asked) person(a, live.signed.find((s) => s.user === a.user));
  status(live);
  heading(live);
}

// How many had signed when too few of their shares were good; 0 while that is not so.
let short = 0;

/** Lets it be opened where enough of the shares that came are good: a bad one found later would have cost the whole quorum. */
async function sharesHold() {
  const found = await client().then((at) => checkShares(at, request)).catch(() => null);
  // What could not be looked at now is looked at again when it is opened.
  const enough = !found || found.good >= found.needed;
  short = enough ? 0 : found.good + found.wrong.length;
  open.disabled = !enough;
  if (enough) {
    calm();
    progress(found?.wrong.length ? `The share of ${and(found.wrong.map((w) => w.name))} is not good. The others are enough; tell a custodian.` : '');
    return;
  }
  const names = and(found.wrong.map((w) => w.name));
  refuse(new Refusal('bad_share', {
    what: 'It cannot be opened yet.', why: names ? `The share of ${names} is not the one that was sealed. Nothing was opened, and it is in the ledger.` : 'Fewer shares came than are needed.', next: 'Let another approver sign: this page goes on by itself. And tell a custodian.',
  }));
  progress('');
}

begin();
if (page.dataset.live === 'true') {
  follow(request, onLive, { onState: liveness((words) => { $('live').textContent = words; }) });
  // The server ends it within moments of zero; the page then shows how.
  onZero(() => setTimeout(() => location.reload(), 1500));
} else if (state === 'closed') {
  // What was seen is changed after the closing.
  keepFresh(busy, (words) => { $('said').textContent = words; });
}

const open = $('open');
if (open && mine === 'true') {
  client().then(async (at) => {
    if (await holdsKey(at, request)) return sharesHold();
    refuse(new Refusal('other_browser', {
      what: 'This browser does not hold the key of this request.', why: 'It was made where the request was filed, and never leaves it.', next: 'Open it there. Lost that? Withdraw and ask again.',
    }));
    progress('');
  });
  open.addEventListener('click', async () => {
    progress('Opening…');
    opening = true;
    let unknown = false;
    const done = await acting(open, async () => {
      const { api } = await client();
      try {
        await api.post(path`/requests/${request}/open`);
        return true;
      } catch (refusal) {
        // It may be open all the same: the request says so, where it can be asked.
        const now = await api.get(path`/requests/${request}`).catch(() => null);
        if (now?.state === 'open') return true;
        if (now && now.state !== state) location.reload();
        unknown = refusal.code === 'unreachable';
        throw unknown ? new Refusal('unreachable', { what: 'Not known whether it opened.', why: refusal.why, next: 'Trying again shows it, or opens it: it is one opening either way.' }) : refusal;
      }
    }, { quiet: 'Nothing was opened.' });
    if (done) {
      location.assign(`/requests/${request}/opened`);
      return;
    }
    if (unknown) progress('');
    opening = false;
  });
}
