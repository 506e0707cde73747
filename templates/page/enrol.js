// Enrolling a key, as the wizard and the page for further keys share it.

import { $, progress, show } from './page.js';
import { chip } from './chip.js';

const SAY = {
  create: 'Touch the new key now: it makes your credential.',
  prove: 'Touch it again: this key answers in two steps.',
  sign: 'Touch it again: that signs your enrolment and opens a test share.',
  admit: 'Now the key you had: plug it in and touch it. It admits the new one.',
};

/** What `step` of lib/enrol.js says. Admitting waits for a press where the other key has to be plugged in first. */
export function step(name) {
  progress(SAY[name]);
  if (name !== 'admit') return undefined;
  const button = $('enrol').querySelector('button[type=submit]');
  const word = button.querySelector('span');
  const before = word.textContent;
  word.textContent = 'Touch the key I had';
  button.disabled = false;
  button.focus();
  return new Promise((go) => {
    button.type = 'button';
    button.addEventListener('click', () => {
      button.type = 'submit';
      button.disabled = true;
      word.textContent = before;
      go();
    }, { once: true });
  });
}

/** A key's card in the aside; `got` from join or addKey, or a refusal's word. */
export function card({ model, software, share, refused }) {
  const at = $('key-card').content.firstElementChild.cloneNode(true);
  // A key that was refused just now and came in another way is one key.
  for (const old of $('keys').querySelectorAll('[data-refused]')) old.remove();
  if (refused) at.dataset.refused = '';
  at.querySelector('[data-fill="key-name"]').textContent = model ?? (software ? 'Software key' : 'Key');
  at.querySelector('[data-fill="key-when"]').textContent = refused ? 'Tried just now' : 'Enrolled just now';
  const keep = { hardware: !software, software, share, 'no-share': !share };
  for (const li of at.querySelectorAll('[data-check]')) {
    // What a refused key is made of nobody has checked.
    if (!keep[li.dataset.check] || (refused && ['hardware', 'software'].includes(li.dataset.check))) li.remove();
  }
  at.querySelector('div').after(refused ? chip('failed', 'Not added') : share ? chip('signed', 'Proved') : chip('attention', 'Signs only'));
  at.setAttribute('aria-label', at.querySelector('h3').textContent);
  $('keys').querySelector('h2').after(at);
}

/** Whether a refusal was "no PRF": then the same key is offered for signing in only. */
export function offerWithout(error) {
  if (error.code !== 'no_prf') return false;
  show($('without'));
  card({ refused: true, software: false, share: false });
  return true;
}
