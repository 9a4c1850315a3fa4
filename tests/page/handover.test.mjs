// What becomes of the browser's choice of certificate after a renewal.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { letGo } from '../../crates/enroll/assets/handover.js';

function world(answers) {
  const hint = { hidden: false };
  globalThis.document = { getElementById: () => hint };
  const asked = [];
  const ask = async () => { asked.push(1); return answers.shift() ?? {}; };
  return { hint, asked, ask, pause: async () => {} };
}

test('one failed request, then the new certificate: nothing is left to say', async () => {
  const { hint, asked, ...browser } = world([{}, { thumbprint: 'new' }]);
  assert.equal(await letGo('new', { release: async () => null, ...browser }), true);
  assert.equal(hint.hidden, true);
  assert.equal(asked.length, 2);
});

test('a browser that spent all refusals elsewhere is asked again, and not while it waits', async () => {
  const { hint, asked, ...browser } = world([{}, { thumbprint: 'old' }, {}, {}, { thumbprint: 'new' }]);
  let releases = 0;
  assert.equal(await letGo('new', { release: async () => { releases += 1; }, ...browser }), true);
  assert.equal(releases, 2);
  assert.equal(asked.length, 5);
});

test('a browser that keeps its choice is left alone after a few attempts, and the page says what to do', async () => {
  const { hint, asked, ...browser } = world(Array.from({ length: 99 }, () => ({ thumbprint: 'old' })));
  let releases = 0;
  assert.equal(await letGo('new', { release: async () => { releases += 1; }, ...browser }), false);
  assert.equal(hint.hidden, false);
  assert.equal(releases, 4);
  assert.equal(asked.length, 20);
});

test('a server that does not let go is no matter where the browser has let go by itself', async () => {
  const release = async () => { throw new Error('K-08'); };
  const { hint, asked, ...browser } = world([{ thumbprint: 'new' }]);
  assert.equal(await letGo('new', { release, ...browser }), true);
  assert.equal(hint.hidden, true);
  assert.equal(asked.length, 1);
});

test('a server that never lets go leaves the old certificate at work, and the page says so', async () => {
  const release = async () => { throw new Error('K-08'); };
  const { hint, ...browser } = world(Array.from({ length: 99 }, () => ({ thumbprint: 'old' })));
  assert.equal(await letGo('new', { release, ...browser }), false);
  assert.equal(hint.hidden, false);
});
