// The wizard: invitation, first key, second key, card. One page, so that the token is never in a path or query.

import { addKey, invitation, join } from '../lib/enrol.js';
import { card, offerWithout, step } from '../page/enrol.js';
import { $, acting, begin, calm, client, fill, progress, refuse, show, submits } from '../page/page.js';
import { grouped } from '../lib/bytes.js';
import { and } from '../page/words.js';

const STEPS = ['Accept your invitation', 'Now your first key', 'Now your second key', 'Print your card'];
const LEDES = [
  '', 'A FIDO2 key with a PIN or a fingerprint. It signs you in, and holds your part of what you guard.',
  'With two keys, losing one never blocks a safe. Keep the second one elsewhere: at home, in a drawer, with a person you trust.',
  'Keep it on paper, where you keep your second key. On a new device, compare before you sign.',
];

function at(n) {
  [...$('steps').children].forEach((li, i) => {
    li.classList.toggle('done', i < n);
    if (i === n) li.setAttribute('aria-current', 'step');
    else li.removeAttribute('aria-current');
  });
  $('step-of').textContent = `Step ${n + 1} of 4`;
  $('headline').textContent = STEPS[n];
  $('lede').textContent = LEDES[n];
  document.title = `Step ${n + 1} of 4: ${STEPS[n]} · Vitrine`;
  show($('invitation'), n === 0);
  show($('who'), n === 1);
  show($('enrol'), n === 1 || n === 2);
  show($('how-4'), n === 2);
  show($('pause'), n === 2);
  show($('later'), n === 2);
  show($('without'), false);
  show($('card'), n === 3);
  if (n > 0) $('headline').focus();
}

let token;
let stage = 0;

async function read(text) {
  const invited = await invitation(await client(), text);
  token = invited.token;
  const { start } = invited;
  fill('name', start.name);
  fill('roles', start.roles.length ? and(start.roles) : 'none yet');
  fill('ledger', grouped(start.ledger));
  $('place').textContent = start.name;
  stage = 1;
  at(1);
  return invited;
}

async function first(withoutShare) {
  const at1 = await client();
  // `start` serves one attempt: it is asked for anew, so that a second try works.
  const invited = await invitation(at1, token);
  const got = await join(at1, invited, { step, withoutShare });
  await at1.pins.confirm(got.ledger);
  card({ ...got, share: !withoutShare });
  token = undefined;
  history.replaceState(null, '', location.pathname);
  stage = 2;
  at(2);
  progress('');
  $('how-1').textContent = 'Unplug the first key. Plug in the second one, or hold it to the phone.';
}

async function second(withoutShare) {
  const got = await addKey(await client(), { step, withoutShare });
  card({ ...got, share: !withoutShare });
  stage = 3;
  at(3);
}

begin();
submits($('invitation'), () => read($('token').value));
$('invitation').querySelector('button').disabled = false;

$('enrol').addEventListener('submit', async (event) => {
  event.preventDefault();
  calm();
  const button = event.submitter;
  button.disabled = true;
  const without = button.id === 'without';
  try {
    await (stage === 1 ? first(without) : second(without));
  } catch (error) {
    offerWithout(error);
    refuse(error);
    progress('');
  } finally {
    button.disabled = false;
  }
});
$('later').addEventListener('click', () => { stage = 3; at(3); });
$('print').addEventListener('click', () => print());

// Another invitation pasted into the same page begins anew.
addEventListener('hashchange', () => { if (location.hash.length > 40) location.reload(); });
if (location.hash.length > 1) {
  $('token').value = location.hash.slice(1);
  acting(null, () => read(location.hash));
}
