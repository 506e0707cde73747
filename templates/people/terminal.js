import { admitTerminal, terminalLink } from '../lib/terminal.js';
import { $, begin, client, fill, refuse, show, submits } from '../page/page.js';

begin();
// Another link pasted into the same page is another page.
addEventListener('hashchange', () => { if (/[&=]/.test(location.hash)) location.reload(); });
try {
  const link = terminalLink(location.hash);
  fill('label', link.label || 'no name given');
  show($('ask'));
  submits($('admit'), async () => {
    await admitTerminal(await client(), link);
    show($('ask'), false);
    show($('acts'), false);
    $('headline').textContent = 'The terminal is signed in';
    document.querySelector('.lede').textContent = 'You can close this page. Your own page lists its session and ends it.';
    history.replaceState(null, '', location.pathname);
    $('headline').focus();
  });
} catch (error) {
  $('headline').textContent = 'Nothing was let in';
  refuse(error);
}
