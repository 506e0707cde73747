// Suspending, restoring, revoking: a reason and one touch each.

import { restoreKey, revokeKey, suspendKey } from '../lib/sign.js';
import { client, progress, submits } from './page.js';

const ACTS = { suspend: suspendKey, unsuspend: restoreKey, revoke: revokeKey };

/** Makes every form with `data-key-act` of the page act. */
export function keyActs() {
  for (const form of document.querySelectorAll('form[data-key-act]')) {
    submits(form, async () => {
      const { keyAct, user, authenticator } = form.dataset;
      progress('Touch your key now.');
      await ACTS[keyAct](await client(), { user, authenticator, why: form.elements.why.value });
      location.reload();
    });
  }
}
