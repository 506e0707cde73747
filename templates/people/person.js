import { setRoles } from '../lib/sign.js';
import { keyActs } from '../page/keys.js';
import { $, begin, client, progress, submits } from '../page/page.js';

begin();
keyActs();
const form = $('roles');
if (form) {
  submits(form, async () => {
    progress('Touch your key now.');
    await setRoles(await client(), { user: form.dataset.user, roles: new FormData(form).getAll('role') });
    location.reload();
  });
}
