// Acts of a custodian that need no touch: generate, rotate.

import { keepFresh } from '../page/fresh.js';
import { acting, begin, busy, client, progress } from '../page/page.js';
import { offerSql } from '../page/sql.js';

begin();
keepFresh(busy);
offerSql();
for (const button of document.querySelectorAll('button[data-post]')) {
  button.addEventListener('click', async () => {
    progress('Working…');
    const done = await acting(button, async () => {
      await (await client()).api.post(button.dataset.post);
      return true;
    });
    if (done) location.reload();
  });
}
