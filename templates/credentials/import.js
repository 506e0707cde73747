import { importValue } from '../lib/sign.js';
import { $, begin, client, progress, submits } from '../page/page.js';

begin();
const form = $('import');
const value = $('value');
$('see')?.addEventListener('change', (event) => { value.type = event.target.checked ? 'text' : 'password'; });
addEventListener('pagehide', () => { value.value = ''; });
submits(form, async () => {
  progress('Sealing it. Touch your key when asked.');
  await importValue(await client(), { ...form.dataset, value: value.value });
  value.value = '';
  location.assign(form.dataset.to);
});
form.querySelector('button').disabled = false;
