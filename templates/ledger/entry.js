// Proves the entry in this browser: leaf, inclusion, checkpoint, and consistency with what this device has seen.

import { fromUtf8, grouped } from '../lib/bytes.js';
import { provedEntry } from '../lib/ledger.js';
import { Refusal } from '../lib/refusal.js';
import { chip } from '../page/chip.js';
import { $, begin, calm, client, refuse } from '../page/page.js';

const page = $('entry');
const seq = Number(page.dataset.seq);
const utc = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false, timeZone: 'UTC' });

function row(text) {
  const li = $('check-row').content.firstElementChild.cloneNode(true);
  li.lastElementChild.textContent = text;
  return li;
}

async function verify() {
  calm();
  $('verify').disabled = true;
  try {
    const { entry, vault } = await provedEntry(await client(), seq);
    const shown = page.querySelector('[data-copy-text]').textContent;
    const given = fromUtf8(entry.bytes);
    if (entry.leaf !== page.dataset.leaf || given !== shown) {
      throw new Refusal('page_differs', { what: 'Stop. This page shows another entry than the ledger has.', why: 'The bytes on the page and the proved ones differ.', next: 'Call a custodian.' });
    }
    $('checks').replaceChildren(...[
      'The bytes give this leaf hash',
      `They are entry ${seq} of the tree of ${vault.size} entries`,
      `The checkpoint of ${vault.name} is signed with a key of entry 0`,
      vault.memory === 'kept' ? 'It continues what this device has seen before' : 'This device has no memory of this ledger yet: compare the fingerprint',
      `Ledger ${grouped(vault.ledger, 8)}…`,
    ].map(row));
    $('verdict').replaceChildren(chip('signed', 'Checked just now'));
    $('when').textContent = `${utc.format(new Date())} UTC`;
  } catch (error) {
    $('verdict').replaceChildren(error.status || ['unreachable', 'ledger_busy'].includes(error.code) ? chip('attention', 'Not checked') : chip('failed', 'Does not hold'));
    refuse(error);
  } finally {
    $('verify').disabled = false;
  }
}

begin();
$('verify').addEventListener('click', verify);
verify();
