// A page that follows what happens: its script asks now and then whether the vault would say something else, and then loads the page
// again. Neither is somebody being there: a page that lies open keeps no session (vault/src/who.rs).

const EVERY = 5_000;
const HIDDEN = 30_000;
const MARK = 'Vitrine-Mark';
const LOOK = 'Vitrine-Look';

/**
 * Asks once whether a page still says what its mark stands for.
 * @returns {Promise<'same' | 'changed' | 'out' | 'away'>} `out`: signed out; `away`: no answer that says it
 */
export async function look(url, mark, { fetch: fetcher = (...args) => globalThis.fetch(...args) } = {}) {
  try {
    const answer = await fetcher(url, { headers: { [LOOK]: '1' }, cache: 'no-store', credentials: 'same-origin', redirect: 'error', signal: AbortSignal.timeout(10_000) });
    if (answer.status === 401) return 'out';
    const now = answer.status === 204 ? answer.headers.get(MARK) : null;
    if (now === null) return 'away';
    return now === mark ? 'same' : 'changed';
  } catch {
    return 'away';
  }
}

const AWAY = 'Not live: the vault does not answer. It is asked again.';
const PATIENCE = 3_000;

/** For `follow` of lib/api.js: `say` is told once nothing is learned for a while, and again when something is; `over` when it has ended. */
export function liveness(say, over = () => say('Not live any more. Reload the page.')) {
  let timer;
  return (how) => {
    if (how === 'trying') {
      timer ??= setTimeout(say, PATIENCE, AWAY);
      return;
    }
    clearTimeout(timer);
    timer = undefined;
    if (how === 'over') over();
    else say('');
  };
}

const AGAIN = /[?&]again$/;

/** The address without the mark of a page that loaded itself again. */
export const without = (search) => search.replace(AGAIN, '');

/** The address with it. */
export const again = (search) => (AGAIN.test(search) ? search : `${search}${search ? '&' : '?'}again`);

// The address changes first and then comes back (page.js): so the reader stays where the page was scrolled to.
function reload() {
  history.replaceState(null, '', location.pathname + again(location.search) + location.hash);
  location.reload();
}

/** Follows. `busy` says whether the page may not go now; `say` is told, in words, when nothing can be learned. */
export function keepFresh(busy, say = () => {}) {
  const { mark } = document.documentElement.dataset;
  if (!mark) return;
  const url = location.pathname + location.search;
  let timer;
  async function turn() {
    clearTimeout(timer);
    const how = await look(url, mark);
    // Signed out, the page says so itself when it comes again. Nothing is taken from under a hand that acts.
    if ((how === 'changed' || how === 'out') && !busy()) {
      reload();
      return;
    }
    say(how === 'away' ? AWAY : '');
    clearTimeout(timer);
    timer = setTimeout(turn, document.hidden ? HIDDEN : EVERY);
  }
  document.addEventListener('visibilitychange', () => { if (!document.hidden) turn(); });
  timer = setTimeout(turn, EVERY);
}
