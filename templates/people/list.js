import { invite } from '../lib/sign.js';
import { $, begin, client, fill, progress, show, submits } from '../page/page.js';
import { instant } from '../page/words.js';

begin();
const form = $('invite');
if (form) {
  submits(form, async () => {
    const data = new FormData(form);
    progress('Touch your key now.');
    const made = await invite(await client(), { name: data.get('name'), roles: data.getAll('role'), days: Number(data.get('days')) });
    progress('');
    fill('name', data.get('name').trim());
    fill('link', location.origin + made.link);
    fill('until', instant(made.expires));
    show($('invited'));
    $('invited').focus();
    form.reset();
  });
  form.querySelector('button[type=submit]').disabled = false;
}
