// Finding while one types, and filing with one touch. Without script the form finds by GET and says that it cannot ask for a touch.

import { path } from '../lib/api.js';
import { askable, fileRelease, usual } from '../lib/file.js';
import { Refusal } from '../lib/refusal.js';
import { serverNow, short } from '../page/clock.js';
import { $, acting, begin, client, progress, show } from '../page/page.js';
import { and } from '../page/words.js';

const form = $('ask');
const why = $('why');
const file = $('file');

const all = (answer) => (Array.isArray(answer) ? answer : (answer.credentials ?? []));

function cut(at, name, q) {
  const i = q ? name.toLowerCase().indexOf(q.toLowerCase()) : -1;
  if (i < 0) {
    at.textContent = name;
    return;
  }
  const mark = document.createElement('mark');
  mark.textContent = name.slice(i, i + q.length);
  at.replaceChildren(name.slice(0, i), mark, name.slice(i + q.length));
}

// As the server says it (vault/src/requests/site/glass.rs).
function note({ safe_name: safe, held_by: who, held_until: until, ...c }) {
  if (askable(c).length === 0) return `${safe} · nothing is sealed yet`;
  if (!who) return safe;
  return until ? `${safe} · held by ${who} for ${short(Math.max(0, Math.ceil((until / 1000 - serverNow()) / 1000)))} more` : `${safe} · ${who} asks for it now`;
}

// A row that stays is the same node in the same place: whoever stands on it with the keyboard goes on standing there.
function list(found, q) {
  const pick = $('found').querySelector('.pick');
  const of = $('row').content.firstElementChild;
  const before = new Map([...pick.children].map((li) => [li.querySelector('input').value, li]));
  const rows = found.slice(0, 20).map((c) => {
    const li = before.get(c.credential) ?? of.cloneNode(true);
    const input = li.querySelector('input');
    if (!before.has(c.credential)) {
      input.value = c.credential;
      input.disabled = askable(c).length === 0;
      li.querySelector('.s').textContent = note(c);
    }
    cut(li.querySelector('.t'), c.name, q);
    return li;
  });
  const stood = pick.contains(document.activeElement);
  for (const li of before.values()) if (!rows.includes(li)) li.remove();
  rows.forEach((li, i) => { if (pick.children[i] !== li) pick.insertBefore(li, pick.children[i] ?? null); });
  if (stood && !pick.contains(document.activeElement)) $('q').focus();
  show($('found').querySelector('p'), false);
}

let asked = 0;
async function look() {
  const q = $('q').value.trim();
  const mine = ++asked;
  const found = all(await (await client()).api.get(`/credentials?q=${encodeURIComponent(q)}`));
  if (mine !== asked) return;
  list(found, q);
  $('tally').textContent = found.length === 0 ? 'Nothing is called that. Try the name of the system or of the safe.' : `${found.length} found. Arrow down chooses, Enter takes it.`;
}

const choose = () => form.requestSubmit(form.querySelector('.with-btn .btn'));

begin();

let timer;
let looking = Promise.resolve();
const search = () => {
  clearTimeout(timer);
  timer = undefined;
  looking = look().catch(() => {});
};
$('q').addEventListener('input', () => {
  clearTimeout(timer);
  timer = setTimeout(search, 150);
});
$('q').addEventListener('keydown', async (event) => {
  if (event.key !== 'ArrowDown') return;
  event.preventDefault();
  // What was typed last is looked for first.
  if (timer !== undefined) search();
  await looking;
  const first = form.querySelector('.pick input:not(:disabled)');
  if (!first || document.activeElement !== $('q')) return;
  first.checked = true;
  first.focus();
});
// A pointer chooses at once; on the keyboard arrows move and Enter takes (the form's own submit).
$('found').addEventListener('click', (event) => {
  if (event.detail > 0 && event.target.closest('label')?.querySelector('input:not(:disabled)')) setTimeout(choose);
});

function left() {
  const n = 500 - [...why.value].length;
  $('wc').textContent = `${n} characters left. It goes into the ledger as a hash and stays with the request in full.`;
}

function fault(text) {
  const at = $('why-fault');
  at.textContent = text;
  show(at, Boolean(text));
  why.setAttribute('aria-invalid', String(Boolean(text)));
  why.setAttribute('aria-describedby', text ? 'why-fault wh wc' : 'wh wc');
  const list = $('faults');
  show(list, Boolean(text));
  const li = document.createElement('li');
  const a = document.createElement('a');
  a.href = '#why';
  a.textContent = text;
  li.append(a);
  list.replaceChildren(li);
  if (text) why.focus();
}

// While a rotation is not proved: the one that worked last, then what may be in force since.
const mayWork = (credential) => askable(credential).filter((v) => v.state !== 'proved_last').map((v) => v.version).reverse();

async function ask() {
  const data = new FormData(form);
  const { api } = await client();
  const credential = await api.get(path`/credentials/${data.get('c')}`);
  const version = data.get('version');
  const wanted = version === 'each' ? mayWork(credential) : [version ? Number(version) : usual(credential)?.version];
  const filed = [];
  try {
    for (const one of wanted) {
      progress(wanted.length > 1 ? `Touch your key now, for version ${one}.` : 'Touch your key now.');
      filed.push(await fileRelease(await client(), {
        credential, version: one, reason: data.get('why'), ticket: data.get('ticket')?.trim() || undefined, durationS: Number(data.get('for')) || undefined,
      }));
    }
  } catch (error) {
    if (filed.length === 0 || !(error instanceof Refusal)) throw error;
    const asked = and(wanted.slice(0, filed.length).map((v) => `version ${v}`));
    throw new Refusal(error.code, { what: `Asked for ${asked}, and not for version ${wanted[filed.length]}.`, why: error.why, next: 'Ask for that one alone.', cause: error });
  }
  progress('Asked.');
  location.assign(filed.length > 1 ? '/' : `/requests/${filed[0].request}`);
}

if (file) {
  file.disabled = false;
  why.addEventListener('input', () => {
    left();
    if (!$('faults').hidden) fault('');
  });
  left();
  if (location.hash === '#why' || !why.value) why.focus({ preventScroll: true });
  form.addEventListener('submit', (event) => {
    if (event.submitter !== file) return;
    event.preventDefault();
    fault(why.value.trim() ? '' : 'Say why. Approvers sign nothing without a reason.');
    if (why.value.trim()) acting(file, ask, { quiet: 'Your touch signs the request, for this credential and this time only.' });
  });
}
