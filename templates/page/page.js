// What every page does: clocks tick, commands copy, small forms act without leaving, "/" finds. DOM by textContent, attributes
// and classes alone.

import { openApi } from '../lib/api.js';
import { TextError } from '../lib/canonical.js';
import { openClient } from '../lib/client.js';
import { sweep } from '../lib/open.js';
import { Refusal } from '../lib/refusal.js';
import { tick } from './clock.js';

export const $ = (id) => document.getElementById(id);

let opened;
/** The page's client, opened once. After a touch the page does not go on asking for one. */
export const client = () => (opened ??= openClient().then((at) => ({
  ...at,
  webauthn: {
    ...at.webauthn,
    async get(...what) {
      const got = await at.webauthn.get(...what);
      if (/Touch (?:your key|it again)/.test($('progress')?.textContent)) progress('Signed. Sending it…');
      return got;
    },
  },
})));

/** Puts text into every `[data-fill=name]`. */
export function fill(name, text, root = document) {
  for (const at of root.querySelectorAll(`[data-fill="${name}"]`)) at.textContent = text;
}

export const show = (at, visible = true) => {
  if (at) at.hidden = !visible;
};

/** Says how it goes, in the page's own line of progress. */
export function progress(text) {
  const at = $('progress');
  if (at) at.textContent = text;
}

const FAULT = { what: 'Not done.', why: 'This page met a fault of its own.', next: 'Reload it and try again. If it stays, call a custodian.' };

const UNSEEN = { what: 'The text has a character in it that nobody sees.', next: 'Type it again in place of pasting it.' };

/** Shows a refusal and takes the focus there: what happened, why, what to do next. */
export function refuse(error, { title } = {}) {
  const said = error instanceof Refusal ? error : error?.cause instanceof TextError ? UNSEEN : FAULT;
  if (said === FAULT) console.error(error);
  const { what, why, next, status, reference } = said;
  const box = $('refusal');
  if (!box) return;
  box.querySelector('[data-title]').textContent = (title ?? what).replace(/\.$/, '');
  const text = box.querySelector('[data-text]');
  // A command stands between backticks.
  text.replaceChildren(...[title ? what : '', why, next].filter(Boolean).join(' ').split('`').map((part, i) => {
    if (i % 2 === 0) return document.createTextNode(part);
    const code = document.createElement('code');
    code.textContent = part;
    return code;
  }));
  show(text, text.textContent !== '');
  const ref = box.querySelector('[data-reference]');
  show(ref, Boolean(reference));
  ref.textContent = reference ? `Reference: ${reference}` : '';
  const link = box.querySelector('[data-sign-in]');
  show(link.parentElement, status === 401);
  show(link, status === 401);
  if (status === 401) link.href = `/sign-in?to=${encodeURIComponent(location.pathname + location.search)}${location.hash}`;
  box.hidden = false;
  box.focus({ preventScroll: true });
  box.scrollIntoView({ block: 'nearest' });
}

export const calm = () => show($('refusal'), false);

let acts = 0;
/** Whether an act is under way, or somebody writes. */
export const busy = () => acts > 0 || Boolean(document.activeElement?.matches('input, textarea, select'));

/** Runs an act of a button: disabled meanwhile, a refusal is shown. Gives what the act gave, or undefined after a refusal. */
export async function acting(button, act, { quiet = '' } = {}) {
  calm();
  acts += 1;
  if (button) button.disabled = true;
  try {
    return await act();
  } catch (error) {
    refuse(error);
    progress(quiet);
    return undefined;
  } finally {
    acts -= 1;
    if (button) button.disabled = false;
  }
}

/** Disables every button of a form while its act runs. */
export function submits(form, act) {
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    await acting(event.submitter, () => act(event));
  });
}

async function copy(button) {
  const text = button.closest('.cmd, [data-copy-root]')?.querySelector('code, [data-copy-text]')?.textContent ?? '';
  const word = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = 'Copied';
  } catch {
    button.textContent = 'Select and copy it';
  }
  setTimeout(() => { button.textContent = word; }, 2000);
}

// A form that acts through the API and then shows the page as it is now. Without script it posts to its own address.
function act(form) {
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const button = event.submitter;
    const done = await acting(button, async () => {
      const api = openApi({ base: '' });
      await (form.dataset.method === 'delete' ? api.delete(form.dataset.act) : api.post(form.dataset.act));
      // A request that is given back or taken back needs its delivery key no more.
      if (form.dataset.wipe) await (await client()).deliveries.wipe(form.dataset.wipe);
      return true;
    });
    if (done) {
      button.disabled = true;
      if (form.dataset.next) location.assign(form.dataset.next);
      else location.reload();
    }
  });
}

const local = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', hour12: false });
const utc = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', hour12: false, timeZone: 'UTC' });

/** "04:12 yours", or nothing where that is UTC. */
export function yours(date) {
  const mine = local.format(date);
  return mine === utc.format(date) ? '' : `${mine} yours`;
}

const unbroken = (text) => {
  const span = document.createElement('span');
  span.className = 'nowrap';
  span.textContent = text;
  return span;
};

/** "03:12 UTC, 04:12 yours"; in a row of a table there is no room, and it is said when pointed at. */
export function localTime(at) {
  const mine = yours(new Date(at.dateTime));
  if (!mine) return;
  if (at.closest('tr')) {
    at.title = mine;
    return;
  }
  at.replaceChildren(unbroken(at.textContent), ', ', unbroken(mine));
  at.classList.remove('nowrap');
}

function localTimes() {
  for (const at of document.querySelectorAll('time[datetime]:not([data-tick]):not([data-tick-short])')) localTime(at);
}

function find(event) {
  if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches?.('input, textarea, select, [contenteditable]')) return;
  const at = $('q');
  if (!at) return;
  event.preventDefault();
  at.focus();
  at.select();
}

/** Called once by every page script. */
export function begin() {
  document.documentElement.classList.add('scripted');
  // A page that loaded itself again (fresh.js) has its own address.
  if (/[?&]again$/.test(location.search)) history.replaceState(null, '', location.pathname + location.search.replace(/[?&]again$/, '') + location.hash);
  tick();
  localTimes();
  document.addEventListener('keydown', find);
  document.addEventListener('click', (event) => {
    const button = event.target.closest?.('[data-copy]');
    if (button) copy(button);
  });
  for (const form of document.querySelectorAll('form[data-act]')) act(form);
  // A page from the back-forward cache may be hours old.
  addEventListener('pageshow', (event) => { if (event.persisted) location.reload(); });
  client().then(sweep).catch((error) => console.error(error));
}
