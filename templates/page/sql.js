// The SQL of a target, again: made anew by the server when somebody opens it.

import { path } from '../lib/api.js';
import { acting, client } from './page.js';

export function offerSql() {
  for (const at of document.querySelectorAll('details[data-sql]')) {
    const text = at.querySelector('[data-copy-text]');
    at.addEventListener('toggle', () => {
      if (!at.open || text.textContent) return;
      acting(null, async () => {
        text.textContent = (await (await client()).api.get(path`/targets/${at.dataset.sql}/sql`)).sql;
      });
    });
  }
}
