// A request in words, from verified facts alone (lib/evidence.js). The server says the same in vault/src/pages.rs; the page
// compares the two and stops where they differ.

/** "15 minutes", "1 hour". */
export function duration(s) {
  const [n, unit] = s % 86_400 === 0 ? [s / 86_400, 'day'] : s % 3600 === 0 ? [s / 3600, 'hour'] : s % 60 === 0 ? [s / 60, 'minute'] : [s, 'second'];
  return `${n} ${unit}${n === 1 ? '' : 's'}`;
}

const NUMBERS = ['no', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'];
export const number = (n) => NUMBERS[n] ?? String(n);
export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** "Adaeze Obi, Jun Takahashi and Priya Nair". */
export const and = (names) => (names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`);

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const two = (n) => String(n).padStart(2, '0');

/** "22 Nov, 03:12:04 UTC" of microseconds. */
export function instant(us) {
  const d = new Date(us / 1000);
  return `${d.getUTCDate()} ${MONTHS[d.getUTCMonth()]}, ${two(d.getUTCHours())}:${two(d.getUTCMinutes())}:${two(d.getUTCSeconds())} UTC`;
}

const WANTS = {
  password: 'wants the password of', key_pair: 'wants the key pair', token: 'wants the token', totp: 'wants a code of', note: 'wants the note', file: 'wants the file',
};

/** The sentence's parts, `{who, wants, what?, rest}`: what is missing the signed bytes do not say. */
export function sentence({ request, requester, safe }) {
  const who = requester.name;
  switch (request.purpose) {
    case 'release':
      return { who, wants: WANTS[request.sealed_as.kind], what: request.sealed_as.name, rest: `for ${duration(request.duration_s)}` };
    case 'roster': {
      const { epoch, m, name, approvers } = request.new;
      return { who, wants: epoch === 1 ? 'wants to found the safe' : 'wants to change who opens the safe', what: name, rest: `opened by ${m} of ${approvers.length} approvers` };
    }
    case 'target':
      // The signed bytes name the credential by its id alone: what a server calls it is not said here.
      return { who, wants: 'wants to bind', what: `a credential of ${safe.name}`, rest: `to the account ${request.account} at ${request.address}` };
    default:
      return { who };
  }
}

/** Every word of the page that the signed bytes say, by its `data-word`. */
export function words(facts) {
  const { request, safe, target, credential } = facts;
  const out = { ...sentence(facts), first: facts.requester.name.split(/\s+/u)[0], reason: facts.reason, ticket: request.ticket, safe: safe?.name };
  if (request.purpose === 'target') Object.assign(out, { account: request.account, address: request.address });
  else if (target) Object.assign(out, { account: target.account, address: target.address });
  if (request.purpose === 'release') out.what = credential.name;
  return out;
}

const plural = (n, word) => `${n} ${word}${n === 1 ? '' : 's'}`;

function admitted({ admitted: a }) {
  if (a.how === 'founding') return 'of the first custodian';
  return a.how === 'invited' ? `invited by ${a.name}` : 'admitted with another key of the same person';
}

function rosterRows({ request, roster, named }) {
  const { epoch, m, approvers, denials, drill, request_life_s: life, grant_life_s: held, name } = request.new;
  const before = new Map((roster?.approvers ?? []).map((a) => [a.user, a]));
  const gone = [...before.values()].filter((a) => !approvers.some((b) => b.user === a.user)).map((a) => a.name);
  const rows = [
    ['Safe', name, epoch === 1 ? 'it is founded by this' : `roster ${epoch} replaces roster ${epoch - 1}`],
    ['Must sign', `${m} of ${approvers.length}`, roster && roster.m !== m ? `was ${roster.m} of ${roster.approvers.length}` : ''],
  ];
  for (const a of named) {
    const old = before.get(a.user);
    const keys = plural(a.keys.length, 'key');
    rows.push(['Approver', a.name, roster && !old ? `new, with ${keys}` : keys]);
  }
  if (gone.length) rows.push(['No longer', and(gone), 'stops counting at once']);
  rows.push(['To deny', denials === 1 ? 'one denial' : plural(denials, 'denial')], ['To sign', duration(life)], ['Held at most', duration(held)]);
  if (drill) rows.push(['Drill', 'for rehearsals, for ever']);
  return rows;
}

/** The list of facts to show: `[label, value, note?, mono?, time?]`, the last where the value is an instant. */
export function rows(facts, me) {
  const { request, requester, safe, credential, target } = facts;
  const out = [['Who asks', requester.name, requester.known ? 'with a key that this device knows' : `with a key ${admitted(requester)}`]];
  if (request.purpose === 'release') {
    out.push(['What', credential.name, `${credential.kind.replace('_', ' ')}, version ${credential.version}`]);
    if (target) out.push(['Account', target.account, '', true], ['Where', target.address, target.connector, true]);
    out.push(['Safe', safe.name, `roster ${safe.epoch}, ${safe.m} of ${safe.n}${safe.drill ? ', for drills' : ''}`], ['How long', duration(request.duration_s), `to be opened within ${duration(request.open_within_s)} of the last signature`]);
  } else if (request.purpose === 'roster') {
    out.push(...rosterRows(facts));
  } else if (request.purpose === 'target') {
    out.push(['Safe', safe.name, `roster ${safe.epoch}`], ['Credential', request.credential, 'this id is what you sign: its name is the server’s word', true], ['Account', request.account, '', true], ['Where', request.address, request.connector, true], ['Proved by', request.pin, 'the certificate or socket that it must be', true]);
  }
  if (request.ticket !== undefined) out.push(['Ticket', request.ticket]);
  out.push(['Expires', instant(request.expires), '', false, request.expires], ['Entry', String(facts.seq)]);
  if (me) out.push(['You', me.name ?? '']);
  out.push(['Ledger', facts.fingerprint, '', true]);
  return out.filter(([, value]) => value !== '');
}

/** What was checked, as sentences: the eight checks of lib/evidence.js, which throws where one fails. */
export function checks(facts) {
  const { request, requester, seq, memory, vault } = facts;
  return [
    memory === 'kept' ? 'This is the ledger that this device knows' : 'The ledger is whole; this device sees it for the first time',
    `Its newest checkpoint, ${vault.size} entries, is signed and continues what was seen`,
    `The request is entry ${seq} of it`,
    `${requester.name}’s key signed the request`,
    request.purpose === 'release' ? `What is sealed is what is asked for: version ${request.version}` : 'Every name in it is the one that was invited',
    'The reason is the one that was signed',
    'It has not expired by this device’s clock',
    'Every word above was read from these bytes',
  ];
}
