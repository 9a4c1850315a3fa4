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

test('a browser that keeps its choice is left alone after a few attempts, and the page says what to do', async () => {
  const { hint, asked, ...browser } = world(Array.from({ length: 99 }, () => ({ thumbprint: 'old' })));
  assert.equal(await letGo('new', { release: async () => null, ...browser }), false);
  assert.equal(hint.hidden, false);
  assert.equal(asked.length, 20);
});

test('a server that does not let go is asked once whether the browser has let go by itself', async () => {
  const release = async () => { throw new Error('K-08'); };
  for (const [seen, hidden] of [['old', false], ['new', true]]) {
    const { hint, asked, ...browser } = world([{ thumbprint: seen }]);
    assert.equal(await letGo('new', { release, ...browser }), hidden);
    assert.equal(hint.hidden, hidden);
    assert.equal(asked.length, 1);
  }
});
