// A page that follows a request says when it learns nothing: after a failure, and after a silence.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { follow } from '../../lib/api.js';
import { liveness } from '../fresh.js';

class Source extends EventTarget {
  static CLOSED = 2;

  static all = [];

  constructor(url) {
    super();
    Object.assign(this, { url, readyState: 1 });
    Source.all.push(this);
  }

  close() {
    this.readyState = Source.CLOSED;
  }
}

function followed(t) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  globalThis.EventSource = Source;
  Source.all = [];
  let words = '';
  const seen = [];
  const end = follow('r', (live) => seen.push(live), { onState: liveness((now) => { words = now; }) });
  return { end, seen, said: () => words, source: () => Source.all.at(-1), after: (s) => t.mock.timers.tick(s * 1000) };
}

test('a failure is said when it lasts, and is over with the next word', (t) => {
  const { source, said, after, end } = followed(t);
  source().onopen();
  source().onerror();
  after(2.9);
  assert.equal(said(), '');
  after(0.2);
  assert.match(said(), /^Not live: the vault does not answer/);
  source().onmessage({ data: '{}' });
  assert.equal(said(), '');
  source().onerror();
  after(1);
  source().onopen();
  after(5);
  assert.equal(said(), '', 'one that did not last');
  end();
});

test('a connection that is silent is made again, and is said to be', (t) => {
  const { source, said, after, seen, end } = followed(t);
  const first = source();
  first.onopen();
  for (let i = 0; i < 10; i += 1) {
    after(10);
    first.dispatchEvent(new Event('ping'));
  }
  assert.equal(Source.all.length, 1, 'a ping is a word');
  after(25);
  assert.equal(first.readyState, Source.CLOSED);
  assert.equal(Source.all.length, 2);
  after(3);
  assert.match(said(), /^Not live/);
  after(25);
  assert.equal(Source.all.length, 3, 'asked again and again');
  source().onmessage({ data: '{"state":"waiting"}' });
  assert.equal(said(), '');
  assert.deepEqual(seen, [{ state: 'waiting' }]);
  end();
  after(100);
  assert.equal(Source.all.length, 3, 'nothing is asked after the end');
});

test('what has ended is not asked again', (t) => {
  const { source, said, after } = followed(t);
  source().readyState = Source.CLOSED;
  source().onerror();
  assert.equal(said(), 'Not live any more. Reload the page.');
  after(100);
  assert.equal(Source.all.length, 1);
  assert.equal(said(), 'Not live any more. Reload the page.');
});
