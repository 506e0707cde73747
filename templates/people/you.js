import { lacking, sealOlder } from '../lib/enrol.js';
import { compareReceipts } from '../lib/receipts.js';
import { keyActs } from '../page/keys.js';
import { $, acting, begin, client, progress, show } from '../page/page.js';
import { ownShareKey, proveShare } from '../page/prove.js';
import { instant } from '../page/words.js';

const SAY = { approval: 'Decided on a request', acceptance: 'Accepted a roster', request: 'Asked', invite: 'Invited somebody', roles: 'Set roles', import: 'Imported a value', revoke: 'Revoked a key', suspend: 'Suspended a key', unsuspend: 'Restored a key', setting: 'Changed a setting', clock: 'Accepted the clock' };

function row(of, text) {
  const li = $(of).content.firstElementChild.cloneNode(true);
  li.lastElementChild.textContent = text;
  return li;
}

const many = (n, one, more) => (n === 1 ? `One ${one}` : `${n} ${more}`);

async function compare(at) {
  const { compared, left } = await compareReceipts(at, $('you').dataset.user);
  $('receipts').replaceChildren(...compared.map(({ receipt, entry }) => row(entry ? 'check-row' : 'miss-row',
    `${SAY[receipt.kind]}, ${instant(receipt.time)}: ${entry ? `entry ${entry.seq}` : 'not in the ledger'}`)));
  const missing = compared.filter((c) => !c.entry).length;
  const found = missing === 0
    ? `${many(compared.length, 'was', 'were')} compared: the ledger has every one of them.`
    : `${many(compared.length, 'was', 'were')} compared, ${missing} not in the ledger. A touch that was refused leaves none; if one went through, call a custodian.`;
  const rest = left === 0 ? '' : ` ${many(left, 'is', 'are')} of another ledger, and not compared.`;
  $('compared').textContent = (compared.length === 0 ? '' : found) + rest;
}

begin();
keyActs();
for (const button of document.querySelectorAll('button[data-prove]')) {
  button.addEventListener('click', async () => {
    progress('Touch that key now.');
    const done = await acting(button, async () => {
      await proveShare(await client(), { user: $('you').dataset.user, authenticator: button.dataset.prove, entry: Number(button.dataset.entry) });
      return true;
    });
    if (done) location.reload();
  });
}
// Adding a key ends by sealing the older shares to it. Where that was cut off it is offered here, both keys in hand.
async function offerOlder(at) {
  const boxes = [...document.querySelectorAll('[data-older]')];
  if (boxes.length < 2) return;
  const { shares } = await at.api.get('/you/shares');
  const missing = lacking(shares, boxes.map((b) => b.dataset.older));
  for (const box of boxes) {
    const n = missing.get(box.dataset.older);
    if (n === 0) continue;
    box.querySelector('[data-text]').textContent = `It does not open ${n === 1 ? 'one secret' : `${n} secrets`} that another key of yours opens.`;
    show(box);
    older(box);
  }
}

function older(box) {
  const button = box.querySelector('button');
  const first = button.textContent;
  let to;
  button.addEventListener('click', async () => {
    const done = await acting(button, async () => {
      const { older: authenticator, entry } = box.dataset;
      const { user } = $('you').dataset;
      if (!to) {
        progress('Touch this key now: it says what to seal to.');
        to = { ...(await ownShareKey(await client(), { user, authenticator, entry: Number(entry) })), user, authenticator };
        button.textContent = 'Touch the key that opens them';
        progress('Now the other key: plug it in, and press once more.');
        return false;
      }
      progress('Touch the other key now.');
      return sealOlder(await client(), to);
    });
    if (done) {
      progress(`Sealed ${done.sealed} to it.`);
      box.querySelector('[data-text]').textContent = done.sealed === done.held ? 'It opens all that you hold a share of.' : `It opens ${done.sealed} of ${done.held}: the key that was touched does not hold the others.`;
      button.remove();
    } else if (done === undefined) {
      to = undefined;
      button.textContent = first;
    } else {
      button.focus();
    }
  });
}

client().then(offerOlder).catch((error) => console.error(error));
client().then(async (at) => {
  const receipts = await at.pins.receipts();
  const button = $('compare');
  if (receipts.length === 0) {
    $('compared').textContent = at.pins.kept ? 'None yet.' : 'This browser keeps nothing: a private window, perhaps.';
    return;
  }
  $('compared').textContent = `${receipts.length} kept, the last of ${instant(receipts.at(-1).time)}.`;
  button.disabled = false;
  button.addEventListener('click', () => {
    $('compared').textContent = 'Comparing…';
    acting(button, () => compare(at), { quiet: '' });
  });
}).catch((error) => console.error(error));
