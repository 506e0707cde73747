import { addKey } from '../lib/enrol.js';
import { card, offerWithout, step } from '../page/enrol.js';
import { $, begin, calm, client, progress, refuse, show } from '../page/page.js';

begin();
const form = $('enrol');
form.addEventListener('submit', async (event) => {
  event.preventDefault();
  calm();
  const button = event.submitter;
  button.disabled = true;
  const withoutShare = button.id === 'without';
  try {
    const got = await addKey(await client(), { step, withoutShare });
    card({ ...got, share: !withoutShare });
    show(form, false);
    show($('added'));
    $('added').focus();
  } catch (error) {
    offerWithout(error);
    refuse(error);
    progress('');
  } finally {
    button.disabled = false;
  }
});
form.querySelector('button').disabled = false;
