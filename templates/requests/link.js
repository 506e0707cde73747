// Files what a terminal asks for. Everything is in the fragment; the private key stays in the terminal.

import { requestCode } from '../lib/bytes.js';
import { askable, fileRelease } from '../lib/file.js';
import { Refusal } from '../lib/refusal.js';
import { filingLink } from '../lib/terminal.js';
import { $, begin, client, fill, progress, refuse, show, submits } from '../page/page.js';
import { duration } from '../page/words.js';

const all = (answer) => (Array.isArray(answer) ? answer : (answer.credentials ?? []));

async function read() {
  const link = await filingLink(location.hash);
  const { api } = await client();
  const credential = all(await api.get('/credentials')).find((c) => c.credential === link.credential);
  if (!credential) throw new Refusal('no_credential', { what: 'Not asked.', why: 'There is no such credential, or you may not ask for it.', next: 'Look for it under Break the glass.' });
  const [version] = askable(credential);
  fill('name', credential.name);
  fill('version', version ? `version ${version.version}` : '');
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
  return { link, credential };
}

begin();
read().then(({ link, credential }) => {
  submits($('ask'), async () => {
    progress('Touch your key now.');
    await fileRelease(await client(), { credential, reason: link.reason, ticket: link.ticket || undefined, durationS: link.durationS, terminal: link });
    show($('ask'), false);
    show($('compare'), false);
    $('headline').textContent = 'Asked. The terminal goes on from here';
    $('lede').textContent = 'It shows who signs, and opens it there. You can close this page.';
    show(document.querySelector('.quote'), false);
    history.replaceState(null, '', location.pathname);
    $('headline').focus();
  });
}, (error) => {
  $('headline').textContent = 'Nothing was asked';
  refuse(error);
});
