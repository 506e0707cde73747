import { sign } from '../lib/sign.js';
import { tidy } from '../lib/statement.js';
import { instant } from '../page/words.js';
import { $, begin, client, progress, submits } from '../page/page.js';

begin();
const { prev, micros } = $('clock').dataset;
const skew = Math.round((Date.now() * 1000 - Number(micros)) / 1e6);
$('here').textContent = Math.abs(skew) < 60 ? 'says the same' : `says ${instant(Date.now() * 1000)}, ${Math.abs(skew)} s ${skew > 0 ? 'later' : 'earlier'}`;
submits($('accept'), async (event) => {
  const at = await client();
  progress('Touch your key now.');
  // A minute of room: the entry's time may not lie before the one that is signed.
  const { signed } = await sign(at, 'clock', { entry: prev, time: Number(micros) - 60e6, why: tidy(new FormData(event.target).get('why')) });
  await at.api.post('/clock', { signed });
  location.assign('/');
});
$('accept').querySelector('button').disabled = false;
