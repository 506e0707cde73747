import { accept, toAccept } from '../lib/accept.js';
import { review } from '../lib/decide.js';
import { deciding, over } from '../page/decide.js';
import { $, progress } from '../page/page.js';

// Only keys that the signed roster newly names can be asked for; the server's list only gives them their names.
function prepare(reviewed) {
  const open = new Set(toAccept(reviewed).map((k) => k.authenticator));
  for (const button of $('act').querySelectorAll('button[type=submit]')) button.dataset.off = String(!open.has(button.value));
  if (open.size === 0) over('You have accepted', 'There is nothing left to do for you here.');
}

const asked = (reviewed, { submitter }) => toAccept(reviewed).find((k) => k.authenticator === submitter.value);

function done(live, reviewed) {
  if (toAccept(reviewed).length > 1) {
    progress('Accepted. Now your other key.');
    location.reload();
  } else {
    over('You accepted', 'When everybody newly named has accepted, the roster holds. You can close this page.');
  }
}

async function found(client, reviewed, event) {
  const now = await review(client, $('decide').dataset.request);
  if (asked(now, event)) return false;
  done(undefined, reviewed);
  return true;
}

deciding({
  async act(client, reviewed, event) {
    const key = asked(reviewed, event);
    return key && accept(client, reviewed, key);
  },
  done,
  found,
}, { ready: 'Touch the key that the button names.', prepare });
