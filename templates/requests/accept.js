import { accept, toAccept } from '../lib/accept.js';
import { deciding, over } from '../page/decide.js';
import { $, progress } from '../page/page.js';

// Only keys that the signed roster newly names can be asked for; the server's list only gives them their names.
function prepare(reviewed) {
  const open = new Set(toAccept(reviewed).map((k) => k.authenticator));
  for (const button of $('act').querySelectorAll('button[type=submit]')) button.dataset.off = String(!open.has(button.value));
  if (open.size === 0) over('You have accepted', 'There is nothing left to do for you here.');
}

deciding(async (client, reviewed, event) => {
  const keys = toAccept(reviewed);
  const key = keys.find((k) => k.authenticator === event.submitter.value);
  if (!key) return;
  await accept(client, reviewed, key);
  if (keys.length > 1) {
    progress('Accepted. Now your other key.');
    location.reload();
  } else {
    over('You accepted', 'When everybody newly named has accepted, the roster holds. You can close this page.');
  }
}, { ready: 'Touch the key that the button names.', prepare });
