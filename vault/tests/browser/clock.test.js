// After more than a day off nothing is entered until somebody has looked at the clock.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { faults, look } from './look.js';
import { browser, Person } from './people.js';
import { founded } from './vitrine.js';

const SET_BACK = 'import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); c.execute("UPDATE ledger_head SET time = time - 172800000000"); c.commit()';

let vitrine;
let chrome;

before(async () => {
  vitrine = await founded();
  chrome = await browser();
});
after(async () => {
  await chrome?.close();
  await vitrine?.stop();
});

test('the first person who signs in accepts the clock', async () => {
  const helga = await Person.at(vitrine, chrome);
  await helga.join(vitrine.invitation);
  await vitrine.again(() => promisify(execFile)('python3', ['-c', SET_BACK, `${vitrine.data}/vitrine.db`]));
  assert.equal((await fetch(`${vitrine.origin}/readyz`)).status, 503);
  await helga.context.clearCookies();
  await helga.go('/sign-in');
  await helga.page.click('#sign-in button');
  await helga.says('Is this the right time?');
  await look(helga.page, 'clock');
  await helga.go('/');
  await helga.page.getByRole('link', { name: 'Look at the clock' }).waitFor();
  await look(helga.page, 'home-clock');
  // Nothing else is done meanwhile.
  await helga.go('/people');
  await helga.page.fill('#invite #name', 'Nobody Yet');
  await helga.page.click('#invite button[type=submit]');
  assert.match(await helga.refusal(), /clock is more than a day away/);
  await helga.go('/clock');
  await helga.page.fill('#why', 'The machine was moved.');
  await helga.page.click('#accept button');
  await helga.says('Nothing waits for you');
  assert.equal((await fetch(`${vitrine.origin}/readyz`)).status, 200);
  await helga.go('/ledger?q=clock.accepted');
  await helga.page.getByText('The machine was moved').waitFor();
  // The start that could not be entered is entered now.
  const starts = helga.page.locator('tbody tr');
  for (let tries = 0; tries < 20; tries += 1) {
    await helga.go('/ledger?q=software.started');
    if (await starts.count() > 1) break;
  }
  assert.equal(await starts.count(), 2);
  assert.deepEqual(faults, [], faults.join('\n\n'));
});
