// Files what a terminal asks for. Everything is in the fragment; the private key stays in the terminal.

import { requestCode } from '../lib/bytes.js';
import { askable, fileRelease, usual } from '../lib/file.js';
import { Refusal } from '../lib/refusal.js';
import { filingLink, meant } from '../lib/terminal.js';
import { $, begin, client, fill, progress, refuse, show, submits } from '../page/page.js';
import { and, duration } from '../page/words.js';

// Several match what was typed: the person says which.
function choice(list, typed) {
  const form = $('choose');
  const stock = $('choose-row').content.firstElementChild;
  for (const [n, credential] of list.entries()) {
    const row = stock.cloneNode(true);
    const input = row.querySelector('input');
    input.value = String(n);
    input.disabled = askable(credential).length === 0;
    row.querySelector('[data-name]').textContent = credential.name;
    row.querySelector('[data-safe]').textContent = input.disabled ? `${credential.safe_name} · nothing is sealed yet` : credential.safe_name;
    $('choose-list').append(row);
  }
  $('headline').textContent = `Which one is “${typed}”?`;
  show(form);
  form.querySelector('input:enabled').focus();
  return new Promise((chosen) => {
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      const at = form.querySelector('input:checked');
      if (!at) return;
      show(form, false);
      chosen(list[Number(at.value)]);
    });
  });
}

// What is shown is what is signed: the version is settled here, once, and asked for by its number.
function whichVersion(credential) {
  const versions = askable(credential);
  let version = usual(credential);
  const say = () => fill('version', `version ${version.version}${versions.length > 1 ? `: ${version.words}` : ''}`);
  say();
  if (versions.length > 1) {
    const stock = $('which-row').content.firstElementChild;
    for (const v of versions) {
      const row = stock.cloneNode(true);
      const input = row.querySelector('input');
      input.value = String(v.version);
      input.checked = v === version;
      input.addEventListener('change', () => {
        version = v;
        say();
      });
      row.append(`Version ${v.version}: ${v.words}`);
      $('which-list').append(row);
    }
    show($('which'));
  }
  return () => version.version;
}

async function read() {
  const link = await filingLink(location.hash);
  const found = await meant(await client(), link.credential);
  if (found.length === 0) {
    throw new Refusal('no_such_credential', { what: 'Nothing was asked.', why: `No credential matches “${link.credential}”.`, next: 'Stop the terminal’s command, and give it a name that Break the glass lists.' });
  }
  if (!found.some((c) => askable(c).length)) {
    throw new Refusal('nothing_sealed', { what: 'Nothing was asked.', why: `Nothing is sealed yet in ${and(found.map((c) => c.name))}.`, next: 'A custodian generates or imports it, or binds it to its target. Then give the terminal’s command again.' });
  }
  const credential = found.length === 1 ? found[0] : await choice(found, link.credential);
  fill('name', credential.name);
  const version = whichVersion(credential);
  fill('safe', credential.safe_name);
  fill('for', duration(link.durationS ?? 900));
  fill('ticket', link.ticket || 'none');
  fill('why', link.reason);
  fill('code', requestCode(link.request));
  fill('fingerprint', link.fingerprint);
  $('headline').textContent = `Your terminal asks for ${credential.name}`;
  document.title = `Ask for ${credential.name} · Vitrine`;
  for (const id of ['lede', 'compare', 'facts', 'ask']) show($(id));
  show(document.querySelector('.quote'), Boolean(link.reason));
  return { link, credential, version };
}

begin();
// Another link pasted into the same page is another page.
addEventListener('hashchange', () => { if (/[&=]/.test(location.hash)) location.reload(); });
read().then(({ link, credential, version }) => {
  submits($('ask'), async () => {
    progress('Touch your key now.');
    await fileRelease(await client(), { credential, version: version(), reason: link.reason, ticket: link.ticket || undefined, durationS: link.durationS, terminal: link });
    show($('ask'), false);
    show($('compare'), false);
    show($('which'), false);
    $('headline').textContent = 'Asked. The terminal goes on from here';
    $('lede').textContent = 'It shows who signs, and opens it there. You can close this page.';
    show(document.querySelector('.quote'), false);
    history.replaceState(null, '', location.pathname);
    $('headline').focus();
  });
}, (error) => {
  if (error.status === 401) {
    // The fragment comes along, and the sign-in page gives it back.
    location.replace(`/sign-in?to=${encodeURIComponent(location.pathname)}${location.hash}`);
    return;
  }
  $('headline').textContent = 'Nothing was asked';
  refuse(error);
});
