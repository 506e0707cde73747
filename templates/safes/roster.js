// Founding a safe, or proposing another roster: the statement's `new` from the form, one touch.

import { fileRoster } from '../lib/file.js';
import { Refusal } from '../lib/refusal.js';
import { tidy } from '../lib/statement.js';
import { $, acting, begin, client, progress, show } from '../page/page.js';
import { capital, number } from '../page/words.js';

const form = $('roster');
const boxes = [...form.querySelectorAll('input[name=approver]')];
const drill = () => $('drill')?.checked ?? false;
const named = () => boxes.filter((b) => b.checked && !b.disabled);

function sum() {
  for (const b of boxes) {
    b.disabled = !(b.dataset.fits === 'true' || (drill() && b.dataset.drill === 'true'));
    if (b.disabled) b.checked = false;
  }
  const n = named().length;
  const m = Number(form.elements.m.value);
  $('named').textContent = `${n} named`;
  const at = $('sum');
  if (n === 0) at.textContent = 'Name people, and this says how many may be missing.';
  else if (m > n) at.textContent = `${capital(number(m))} must sign and only ${number(n)} are named.`;
  else if (m === n) at.textContent = `${n === 2 ? 'Both' : `All ${number(n)}`} must sign. If one is away or loses the keys, nothing opens.`;
  else at.textContent = `${capital(number(m))} of ${number(n)} sign. ${capital(number(n - m))} may be missing.`;
}

function faults(list) {
  const at = $('faults');
  at.replaceChildren(...list.map(([id, text]) => {
    const li = document.createElement('li');
    const a = document.createElement('a');
    a.href = `#${id}`;
    a.textContent = text;
    li.append(a);
    return li;
  }));
  show(at, list.length > 0);
  for (const id of ['name', 'm', 'why']) $(id)?.setAttribute('aria-invalid', String(list.some(([at2]) => at2 === id)));
  if (list.length) $(list[0][0])?.focus();
  return list.length > 0;
}

function wrong() {
  const out = [];
  const m = Number(form.elements.m.value);
  const n = named().length;
  if (!form.elements.name.value.trim()) out.push(['name', 'Give it a name.']);
  if (n === 0) out.push(['approvers', 'Name who opens it.']);
  else if (!Number.isInteger(m) || m > n) out.push(['m', `At most ${n} can have to sign.`]);
  if (m < 2 && !drill()) out.push(['m', 'At least two must sign.']);
  if (!form.elements.why.value.trim()) out.push(['why', 'Say why.']);
  return out;
}

async function propose() {
  const e = form.elements;
  const roster = {
    approvers: named().map((b) => ({ authenticators: b.dataset.authenticators.split(' '), name: b.dataset.name, user: b.value })),
    denials: Number(e.denials.value), drill: drill(), epoch: Number(form.dataset.epoch), grant_life_s: Number(e.grant_life_s.value),
    m: Number(e.m.value), name: tidy(e.name.value), request_life_s: Number(e.request_life_s.value),
  };
  progress('Touch your key now.');
  const filed = await fileRoster(await client(), { safe: form.dataset.safe, previous: form.dataset.previous, new: roster, reason: e.why.value });
  if (!filed.request) throw new Refusal('no_answer', { what: 'Not proposed.', why: 'The vault did not say which request it is.', next: 'Look under Requests.' });
  location.assign(`/requests/${filed.request}`);
}

begin();
form.addEventListener('input', sum);
sum();
const button = form.querySelector('button[type=submit]');
button.disabled = false;
form.addEventListener('submit', (event) => {
  event.preventDefault();
  if (!faults(wrong())) acting(button, propose, { quiet: 'Your touch proposes exactly this list, and gives no vote.' });
});
