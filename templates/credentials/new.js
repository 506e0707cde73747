import { path } from '../lib/api.js';
import { newId } from '../lib/bytes.js';
import { tidy } from '../lib/statement.js';
import { $, begin, client, submits } from '../page/page.js';

begin();
const form = $('new');
const how = (value) => form.querySelector(`input[name=how][value=${value}]`);
// A note is written by people; only passwords have a target today.
form.addEventListener('change', () => {
  const kind = new FormData(form).get('kind');
  how('target').disabled = kind !== 'password';
  how('generate').disabled = kind === 'note';
  if (form.querySelector('input[name=how]:checked')?.disabled) how(kind === 'note' ? 'import' : 'generate').checked = true;
});
const credential = newId();
let added = false;
submits(form, async () => {
  const data = new FormData(form);
  const { api } = await client();
  const { safe } = form.dataset;
  if (!added) await api.post(path`/safes/${safe}/credentials`, { credential, name: tidy(data.get('name')), kind: data.get('kind') });
  added = true;
  const at = path`/safes/${safe}/credentials/${credential}`;
  if (data.get('how') === 'generate') await api.post(path`/credentials/${credential}/generate`);
  location.assign(data.get('how') === 'generate' ? at : `${at}/${data.get('how')}`);
});
form.querySelector('button').disabled = false;
