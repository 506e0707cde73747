// A draft gives the SQL; the binding itself is a request with one touch.

import { path } from '../lib/api.js';
import { fileTarget } from '../lib/file.js';
import { $, begin, client, fill, progress, show, submits } from '../page/page.js';
import { offerSql } from '../page/sql.js';

begin();
offerSql();
const { credential, safe, roster } = $('target').dataset;
const form = $('draft');
const unix = () => new FormData(form).get('proof') === 'unix';
form.addEventListener('change', () => show($('pin-field'), !unix()));
let draft;

function read() {
  const data = new FormData(form);
  const hex = data.get('pin').trim().toLowerCase().replace(/^sha256:/, '').replace(/[\s:]/g, '');
  return { account: data.get('account').trim(), address: data.get('address').trim(), connector: data.get('connector'), pin: unix() ? 'unix' : `sha256:${hex}` };
}

submits(form, async () => {
  const asked = read();
  const made = await (await client()).api.post(path`/credentials/${credential}/target`, asked);
  draft = { ...asked, target: made.target };
  fill('sql', made.sql);
  show($('sql'));
  show($('ask'));
  form.querySelector('button[type=submit]').classList.remove('primary');
  $('sql').focus();
});
// What is signed is what the SQL was made for.
form.addEventListener('input', () => {
  draft = undefined;
  show($('sql'), false);
  show($('ask'), false);
});
submits($('ask'), async () => {
  if (!draft) return;
  progress('Touch your key now.');
  const filed = await fileTarget(await client(), { safe, roster, credential, ...draft, reason: new FormData($('ask')).get('why') });
  location.assign(`/requests/${filed.request}`);
});
form.querySelector('button[type=submit]').disabled = false;
