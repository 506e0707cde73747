// Approving, denying and accepting share one page: the words are checked against the signed bytes before a key is asked for.

import { follow, path } from '../lib/api.js';
import { review } from '../lib/decide.js';
import { Refusal } from '../lib/refusal.js';
import { liveness } from './fresh.js';
import { $, begin, calm, client, fill, localTime, progress, refuse, show } from './page.js';
import { setRing } from './ring.js';
import { and, capital, checks, number, rows, sentence, words } from './words.js';

const differ = (code) => new Refusal('bytes_differ', {
  what: 'Stop. What this page shows is not what it was given to sign.', why: 'Nothing was signed.', next: `Call a custodian and say ${code}.`,
});

// The server's words against those of the signed bytes; then only the latter stay.
function compare(facts, code) {
  if (facts.code !== code) throw differ(code);
  const said = words(facts);
  for (const at of document.querySelectorAll('[data-word]')) {
    const truth = said[at.dataset.word];
    if (truth === undefined) continue;
    if (at.textContent.normalize('NFC').replace(/\s+/gu, ' ').trim() !== truth.replace(/\s+/gu, ' ').trim()) throw differ(code);
    at.textContent = truth;
  }
  // A signed word that the page leaves out would be signed unseen.
  for (const must of ['who', 'what', 'reason', 'rest']) {
    if (said[must] !== undefined && !document.querySelector(`[data-word="${must}"]`)) {
      if (must === 'reason' && $('decide').dataset.decision === 'accept') continue;
      throw differ(code);
    }
  }
}

function row([label, value, note, mono, time]) {
  const div = document.createElement('div');
  const dt = document.createElement('dt');
  const dd = document.createElement('dd');
  const span = document.createElement(time === undefined ? 'bdi' : 'time');
  dt.textContent = label;
  span.textContent = value;
  if (time !== undefined) {
    span.dateTime = new Date(time / 1000).toISOString();
    localTime(span);
  }
  if (mono) span.className = 'mono';
  dd.append(span);
  if (note) {
    const small = document.createElement('span');
    small.className = 'meta';
    small.textContent = note;
    dd.append(document.createElement('br'), small);
  }
  div.append(dt, dd);
  return div;
}

// Who has signed, from verified signatures: the server may count fewer of them, never more.
function others({ approved, safe, request }) {
  if (!$('others') || !safe) return;
  const names = approved.map((a) => a.name);
  setRing(names.length);
  $('q').textContent = `Yours would be ${Math.min(names.length + 1, safe.m)} of ${safe.m}`;
  const rest = safe.m - names.length - 1;
  const done = request.purpose === 'release' ? 'opens it' : 'settles it';
  const who = names.length ? `${and(names)} signed.` : 'Nobody has signed yet.';
  $('others').textContent = rest <= 0 ? `${who} Yours is the one that ${done}.` : rest === 1 ? `${who} After you, one more ${done}.` : `${who} After you, ${number(rest)} more are needed.`;
}

function present({ facts, me }) {
  const list = $('verified');
  list.replaceChildren(...rows(facts, me).map(row));
  show(list.previousElementSibling, false);
  show(list);
  $('bytes').textContent = facts.statement;
  const of = $('check-row').content.firstElementChild;
  $('checks').replaceChildren(...checks(facts).map((text) => {
    const li = of.cloneNode(true);
    li.lastElementChild.textContent = text;
    return li;
  }));
  $('checked').textContent = 'This page checked all of that itself, and signs these bytes and no others.';
  fill('ledger', facts.fingerprint);
  show($('unpinned'), facts.memory !== 'kept');
  others(facts);
  const { requester } = facts;
  if (!requester.known && requester.personKnown) {
    const box = $('new-key');
    const { admitted } = requester;
    const who = admitted.how === 'invited' ? `It was admitted by an invitation of ${admitted.name}.` : admitted.how === 'own_key' ? 'It was admitted with a key that this person had before.' : 'It came with the founding.';
    box.querySelector('[data-title]').textContent = `${requester.name} asks with a key that this device has not seen`;
    box.querySelector('[data-text]').textContent = `${who} Unsure? Call, and ask for the code.`;
    show(box);
  }
}

/** Takes the act off the page: after a decision, or when there is nothing left to decide. */
export function over(title, text) {
  const box = $('done');
  box.querySelector('[data-title]').textContent = title;
  box.querySelector('[data-text]').textContent = text;
  calm();
  show($('act'), false);
  for (const id of ['before', 'unpinned', 'new-key']) show($(id), false);
  show(box);
  box.focus();
}

const undecided = () => $('done').hidden;
const firstOf = ({ requester }) => requester.name.split(/\s+/)[0];
const ENDED = { withdrawn: 'It was withdrawn', expired: 'It has expired', denied: 'It was denied', superseded: 'What it asked for was changed meanwhile' };

/** "You signed, 2 of 3. You can close this page." */
export function signed(live, { facts, me }) {
  const have = live.signed?.length ?? 0;
  const last = live.signed?.at(-1)?.user === me.user ? 'That was the last one' : 'Enough have signed';
  const now = live.state === 'waiting' ? `${capital(number(Math.max(0, live.needed - have)))} more to sign.`
    : have < live.needed ? `${ENDED[live.why] ?? 'It is settled already'}.`
      : live.state === 'reached' && facts.request.purpose === 'release' ? `${last}: ${firstOf(facts)} can open it now.` : `${last}.`;
  setRing(have);
  over(`You signed, ${have} of ${live.needed}`, `${now} You can close this page.`);
}

/** "You denied it. It is over, for everybody." */
export function denied(live, { facts }) {
  over('You denied it', live.state === 'waiting' ? `It ends when others deny it too. ${firstOf(facts)} sees your name.` : `It is over, for everybody. ${firstOf(facts)} sees your name and can ask again.`);
}

// What a request says of one's own decision: shows it, or gives undefined. Who denies may have signed before.
function own(live, reviewed) {
  const { decision } = $('decide').dataset;
  const has = (list) => list?.some((s) => s.user === reviewed.me.user);
  if (decision === 'accept') return undefined;
  if (has(live.denied)) return denied;
  return decision === 'approve' && has(live.signed) ? signed : undefined;
}

const UNKNOWN = new Refusal('unreachable', {
  what: 'Not known whether your signature arrived.', why: 'The vault did not answer.', next: 'Reload this page: it says so. A second touch does no harm.',
});

// A decision that arrived is in the request, whatever became of its answer.
async function arrived({ api }, reviewed) {
  const live = await api.get(path`/requests/${reviewed.facts.request.request}`);
  const shown = own(live, reviewed);
  shown?.(live, reviewed);
  return Boolean(shown);
}

function ended({ why }) {
  const rest = $('decide').dataset.decision === 'accept' ? '' : ' Nothing was signed by you here.';
  over(ENDED[why] ?? 'It is settled already', `There is nothing left to decide.${rest}`);
}

let sending = false;

function watch(request, reviewed) {
  const end = follow(request, (live) => {
    if (!undecided()) return;
    const shown = own(live, reviewed) ?? (['waiting', 'reached'].includes(live.state) ? undefined : ended);
    if (shown) {
      end();
      // What one is just sending is answered, and says more. Where that answer is lost, this is what is left.
      setTimeout(() => { if (undecided()) shown(live, reviewed); }, sending ? 3000 : 0);
    } else if (live.signed) {
      setRing(live.signed.length);
    }
  }, { reading: true, onState: liveness((words) => { $('live').textContent = words; }) });
}

/**
 * Checks the page's request and lets `act(client, reviewed, event)` run on the form's button; `done(live, reviewed, event)` shows what came of it.
 * @param {{act: (client: object, reviewed: object, event: SubmitEvent) => Promise<object>, done: (live: object, reviewed: object, event: SubmitEvent) => void,
 *   found?: (client: object, reviewed: object, event: SubmitEvent) => Promise<boolean>}} what `found`: after a lost answer, whether it arrived all the same, and then shows so
 * @param {{ready?: string, prepare?: (reviewed: object) => void}} [options]
 */
export async function deciding({ act, done, found = arrived }, { ready = '', prepare = () => {} } = {}) {
  begin();
  progress('Checking what this page was given…');
  const { request, code } = $('decide').dataset;
  const form = $('act');
  const buttons = [...form.querySelectorAll('button[type=submit]')];
  const stopped = (error) => {
    buttons.forEach((b) => { b.disabled = true; });
    refuse(error);
    progress('Nothing was signed.');
  };
  let reviewed;

  // Where the answer is lost the same bytes go again, without a touch, and after that the request itself is asked.
  async function acted(event) {
    const at = await client();
    try {
      return await act(at, reviewed, event);
    } catch (error) {
      if (error.code !== 'unreachable') throw error;
      let second = UNKNOWN;
      if (error.again) {
        progress('The vault did not answer. Sending the same bytes again.');
        try {
          return await error.again();
        } catch (refusal) {
          if (refusal.code !== 'unreachable') second = refusal;
        }
      }
      if (!undecided()) return undefined;
      const there = await found(at, reviewed, event).catch(() => null);
      if (there) return undefined;
      throw there === null ? UNKNOWN : second;
    }
  }

  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (!reviewed) return;
    calm();
    buttons.forEach((b) => { b.disabled = true; });
    progress('Touch your key now.');
    sending = true;
    try {
      const live = await acted(event);
      if (live && undecided()) done(live, reviewed, event);
    } catch (error) {
      if (!undecided()) return;
      refuse(error);
      const final = ['bytes_differ', 'expired', 'tampered'].includes(error.code);
      buttons.forEach((b) => { b.disabled = final || b.dataset.off === 'true'; });
      progress(final ? 'Nothing was signed.' : ready);
    } finally {
      sending = false;
    }
  });
  try {
    const given = await review(await client(), request);
    compare(given.facts, code);
    present(given);
    prepare(given);
    reviewed = given;
    buttons.forEach((b) => { b.disabled = b.dataset.off === 'true'; });
    progress(ready);
  } catch (error) {
    stopped(error);
    return;
  }
  watch(request, reviewed);
}

export { and, sentence };
