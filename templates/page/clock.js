// Countdowns go on from <time datetime>, by the server's clock as it was when the page was made.

const loaded = Date.now();
const offset = Number(document.documentElement.dataset.now ?? loaded) - loaded;

/** The server's clock, milliseconds. */
export const serverNow = () => Date.now() + offset;

const two = (n) => String(n).padStart(2, '0');
const DAYS = 2 * 86_400;

/** "27:41", "1:02:03", "13 days": as the server writes it. */
export function long(s) {
  if (s >= DAYS) return `${Math.floor(s / 86_400)} days`;
  return s < 3600 ? `${Math.floor(s / 60)}:${two(s % 60)}` : `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
}

/** "27 min", "45 s". */
export function short(s) {
  if (s < 60) return `${s} s`;
  if (s < 7200) return `${Math.floor(s / 60)} min`;
  return s < DAYS ? `${Math.floor(s / 3600)} h` : `${Math.floor(s / 86_400)} days`;
}

const unit = (n, word) => (n === 0 ? '' : n === 1 ? `1 ${word} ` : `${n} ${word}s `);

/** "27 minutes 41 seconds left to sign". */
export function spoken(s, label) {
  if (s === 0) return `nothing ${label}`;
  if (s >= DAYS) return unit(Math.floor(s / 86_400), 'day') + label;
  if (s >= 3600) return unit(Math.floor(s / 3600), 'hour') + unit(Math.floor(s / 60) % 60, 'minute') + label;
  return unit(Math.floor(s / 60), 'minute') + unit(s % 60, 'second') + label;
}

const left = (iso) => Math.max(0, Math.ceil((Date.parse(iso) - serverNow()) / 1000));
const SPOKEN = new Set([300, 60, 30]);
const atZero = new Set();

/** Calls back once when the page's large clock reaches zero. */
export const onZero = (act) => atZero.add(act);

function once() {
  for (const at of document.querySelectorAll('time[data-tick]')) {
    const s = left(at.dateTime);
    if (String(s) === at.dataset.left) continue;
    at.dataset.left = s;
    at.textContent = long(s);
    at.setAttribute('aria-label', spoken(s, at.dataset.tick));
    const said = document.getElementById('said');
    if (said && SPOKEN.has(s)) said.textContent = spoken(s, at.dataset.tick);
    if (s === 0) {
      for (const act of atZero) act();
      atZero.clear();
    }
  }
  for (const at of document.querySelectorAll('time[data-tick-short]')) {
    const text = short(left(at.dateTime));
    if (at.textContent !== text) at.textContent = text;
  }
  for (const at of document.querySelectorAll('progress[data-of]')) at.value = left(at.dataset.of);
}

/** Begins to tick. */
export function tick() {
  once();
  setInterval(once, 500);
}
