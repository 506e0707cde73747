// The secret, put together here. It is in this page's memory and in these spans alone; both are wiped when the page is left and at zero.

import { follow } from '../lib/api.js';
import { hex } from '../lib/bytes.js';
import { checkIn, open, textOf } from '../lib/open.js';
import { Refusal } from '../lib/refusal.js';
import { onZero } from '../page/clock.js';
import { liveness } from '../page/fresh.js';
import { $, acting, begin, client, refuse, show } from '../page/page.js';
import { groups, spell } from '../page/secret.js';
import { and } from '../page/words.js';

const page = $('opened');
const { request, noun, name } = page.dataset;
const field = $('secret');

let bytes = null;
let ended = false;

// Text is made from the bytes where it is needed and kept nowhere.
const text = () => textOf(bytes) ?? hex(bytes);

function blank(words) {
  const span = document.createElement('span');
  span.className = 'blank';
  span.textContent = words;
  field.replaceChildren(span);
  $('spelled').textContent = '';
}

function reveal() {
  field.replaceChildren(...groups(text(), field.dataset.kind));
  $('spelled').textContent = field.dataset.kind === 'note' ? '' : spell(text());
  $('hide').textContent = 'Hide';
  $('hide').setAttribute('aria-pressed', 'false');
}

function wipe() {
  bytes?.fill(0);
  bytes = null;
  blank('Wiped');
  for (const id of ['copy', 'hide']) $(id).disabled = true;
}

function over() {
  if (ended) return;
  ended = true;
  wipe();
  $('live').textContent = '';
  for (const id of ['frame', 'give-back', 'lost']) show($(id), false);
  show($('gone'));
  document.title = `Over: ${name} · Vitrine`;
  $('place').textContent = 'Over ·';
  document.querySelector('.task-bar').classList.remove('live');
}

function shape() {
  const t = text();
  if (field.dataset.kind === 'note') return `${[...t].length} characters.`;
  const spaces = /\s/u.test(t) ? 'spaces included' : 'no spaces';
  return `${[...t].length} characters, ${spaces}. The gaps are only for the eye.`;
}

async function put() {
  const at = await client();
  const found = await open(at, request);
  if (ended) {
    found.plaintext.fill(0);
    return;
  }
  bytes = found.plaintext;
  reveal();
  $('shape').textContent = shape();
  for (const id of ['copy', 'hide']) $(id).disabled = false;
  show($('spelling'), field.dataset.kind !== 'note');
  if (found.wrong.length) {
    refuse(new Refusal('wrong_share', { what: `The share of ${and(found.wrong.map((w) => w.name ?? w.approver))} was wrong.`, why: 'Enough others were good, so it is open.', next: 'Tell a custodian.' }));
  }
  if (found.warnings.length) refuse(found.warnings[0], { title: 'It is open, but the ledger could not be checked just now' });
}

begin();
show($('spelling'), false);
addEventListener('pagehide', wipe);
onZero(over);

const countdown = page.querySelector('time[data-tick]');
setInterval(() => { if (!ended) document.title = `${countdown.textContent} left: ${name} · Vitrine`; }, 1000);

$('copy').addEventListener('click', async () => {
  const word = `Copy ${noun}`;
  try {
    await navigator.clipboard.writeText(text());
    $('copy').textContent = 'Copied';
  } catch {
    $('copy').textContent = 'Select and copy it';
  }
  setTimeout(() => { $('copy').textContent = word; }, 2000);
});
$('hide').addEventListener('click', () => {
  if ($('hide').getAttribute('aria-pressed') === 'true') {
    reveal();
    return;
  }
  blank('••••••••');
  $('hide').textContent = 'Show';
  $('hide').setAttribute('aria-pressed', 'true');
});
$('reload').addEventListener('click', () => location.reload());
$('check-in').addEventListener('submit', async (event) => {
  event.preventDefault();
  const done = await acting(event.submitter, async () => checkIn(await client(), request));
  if (done === undefined) return;
  over();
  location.assign(`/requests/${request}`);
});

put().then(() => {
  // It may be checked in elsewhere, or ended by the clock.
  const end = follow(request, (live) => {
    if (live.state === 'open') return;
    end();
    over();
  }, { onState: liveness((words) => { if (!ended) $('live').textContent = words; }, () => show($('lost'), !ended)) });
}, (error) => {
  blank('Not shown');
  refuse(error);
});
