import { login } from '../lib/login.js';
import { $, begin, client, progress, submits } from '../page/page.js';

begin();
const form = $('sign-in');

// A path of this site alone; the fragment (a filing link) comes along.
function next() {
  const to = form.dataset.to;
  return (/^\/(?![/\\])/.test(to) ? to : '/') + location.hash;
}

submits(form, async () => {
  progress('Touch your key now.');
  try {
    const who = await login(await client());
    progress(`Signed in as ${who.name}.`);
    location.replace(who.clock_stopped ? '/clock' : next());
  } catch (error) {
    progress('Plug it in or hold it to the phone, enter its PIN, touch it.');
    throw error;
  }
});
form.querySelector('button').disabled = false;
form.querySelector('button').focus({ preventScroll: true });
