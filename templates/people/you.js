import { path } from '../lib/api.js';
import { provedEntry } from '../lib/ledger.js';
import { compareReceipts } from '../lib/pins.js';
import { keyActs } from '../page/keys.js';
import { $, acting, begin, client, progress } from '../page/page.js';
import { proveShare } from '../page/prove.js';
import { instant } from '../page/words.js';

const SAY = { approval: 'Decided on a request', acceptance: 'Accepted a roster', request: 'Asked', invite: 'Invited somebody', roles: 'Set roles', import: 'Imported a value', revoke: 'Revoked a key', suspend: 'Suspended a key', unsuspend: 'Restored a key', clock: 'Accepted the clock' };

function row(of, text) {
  const li = $(of).content.firstElementChild.cloneNode(true);
  li.lastElementChild.textContent = text;
  return li;
}

// The entries of every request that a receipt names, each proved under a checkpoint that extends what this device has seen.
async function entriesOf(at, receipts) {
  const out = [];
  for (const request of new Set(receipts.map((r) => r.request).filter(Boolean))) {
    const { roles } = await at.api.get(path`/requests/${request}/evidence?from=0`);
    for (const seq of [roles.request, ...(roles.decisions ?? [])]) out.push((await provedEntry(at, seq)).entry);
  }
  return out;
}

async function compare(at, receipts) {
  const named = receipts.filter((r) => r.request);
  const compared = compareReceipts(named, await entriesOf(at, named));
  $('receipts').replaceChildren(...compared.map(({ receipt, entry }) => row(entry ? 'check-row' : 'miss-row',
    `${SAY[receipt.kind] ?? receipt.kind}, ${instant(receipt.time)}: ${entry ? `entry ${entry.seq}` : 'not in the ledger'}`)));
  const missing = compared.filter((c) => !c.entry).length;
  $('compared').textContent = missing === 0
    ? 'The ledger has every one of them.'
    : `${missing} not in the ledger. A touch that was refused leaves none; if one went through, call a custodian.`;
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
    acting(button, () => compare(at, receipts), { quiet: '' });
  });
}).catch((error) => console.error(error));
