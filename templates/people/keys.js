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
    const { held, sealed } = got.shares;
    $('shares').textContent = withoutShare ? 'It signs you in, and holds no share.'
      : held === 0 ? 'You hold no share yet: nothing was to be sealed to it.'
        : sealed === held ? `It opens your part of ${held === 1 ? 'the one secret' : `all ${held} secrets`} that you hold a share of.`
          : `It opens your part of ${sealed} of ${held} secrets: the key that admitted it does not hold the others. What they were sealed to still opens them.`;
    show($('next-roster'), !withoutShare && held > 0);
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
