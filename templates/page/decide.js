// Approving, denying and accepting share one page: the words are checked against the signed bytes before a key is asked for.

import { follow } from '../lib/api.js';
import { review } from '../lib/decide.js';
import { Refusal } from '../lib/refusal.js';
import { $, begin, calm, client, fill, progress, refuse, show } from './page.js';
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

function row([label, value, note, mono]) {
  const div = document.createElement('div');
  const dt = document.createElement('dt');
  const dd = document.createElement('dd');
  const span = document.createElement('span');
  dt.textContent = label;
  span.textContent = value;
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
  show($('act'), false);
  for (const id of ['before', 'unpinned', 'new-key']) show($(id), false);
  show(box);
  box.focus();
}

/** "You signed, 2 of 3. You can close this page." */
export function signed(live, facts) {
  const have = live.signed?.length ?? 0;
  const first = facts.requester.name.split(/\s+/)[0];
  setRing(have);
  if (live.state !== 'waiting') {
    over(`You signed, ${have} of ${live.needed}`, facts.request.purpose === 'release' ? `That was the last one: ${first} can open it now. You can close this page.` : 'That was the last one. You can close this page.');
  } else {
    over(`You signed, ${have} of ${live.needed}`, `${capital(number(Math.max(0, live.needed - have)))} more to sign. You can close this page.`);
  }
}

const ENDED = { withdrawn: 'It was withdrawn', expired: 'It has expired', denied: 'It was denied', superseded: 'What it asked for was changed meanwhile' };

function watch(request) {
  const end = follow(request, (live) => {
    if (!['waiting', 'reached'].includes(live.state) && $('done').hidden) {
      end();
      over(ENDED[live.why] ?? 'It is settled already', 'There is nothing left to decide. Nothing was signed by you here.');
    } else if (live.signed && $('done').hidden) {
      setRing(live.signed.length);
    }
  }, { reading: true, onState: (how) => { if (how === 'over' && $('done').hidden) progress('Not live any more. Reload the page.'); } });
  return end;
}

/**
 * Checks the page's request and lets `act(client, reviewed, event)` run on the form's button.
 * @param {(client: object, reviewed: object, event: SubmitEvent) => Promise<unknown>} act
 * @param {{ready?: string, prepare?: (reviewed: object) => void}} [options]
 */
export async function deciding(act, { ready = '', prepare = () => {} } = {}) {
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
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (!reviewed) return;
    calm();
    buttons.forEach((b) => { b.disabled = true; });
    progress('Touch your key now.');
    try {
      await act(await client(), reviewed, event);
    } catch (error) {
      if (error.again && !form.dataset.again) {
        // The answer was lost: the same bytes go again, no touch.
        form.dataset.again = 'true';
        progress('The vault did not answer. Sending the same bytes again.');
        try {
          signed(await error.again(), reviewed.facts);
          return;
        } catch (second) {
          error = second;
        }
      }
      refuse(error);
      const final = ['bytes_differ', 'expired', 'tampered'].includes(error.code);
      buttons.forEach((b) => { b.disabled = final; });
      progress(final ? 'Nothing was signed.' : ready);
    }
  });
  try {
    const found = await review(await client(), request);
    compare(found.facts, code);
    present(found);
    prepare(found);
    reviewed = found;
    buttons.forEach((b) => { b.disabled = b.dataset.off === 'true'; });
    progress(ready);
  } catch (error) {
    stopped(error);
    return;
  }
  watch(request);
}

export { and, sentence };
