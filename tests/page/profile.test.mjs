// What the page does while somebody is in the settings of their device.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Refusal } from '../../crates/enroll/assets/api.js';
import { issued } from '../../crates/enroll/assets/profile.js';

function world(answers) {
  const box = { hidden: true, dataset: {}, querySelector: () => ({}) };
  globalThis.document = { getElementById: () => box };
  const progress = async () => {
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    return answer;
  };
  return { box, progress };
}

const busy = new Refusal({ title: 'Busy', code: 'S-01', retry: true });
const withdrawn = new Refusal({ title: 'Withdrawn', code: 'I-04', retry: false });

test('it asks until the certificate is issued, and what went wrong on the way is forgotten', async () => {
  const { box, progress } = world([{ state: 'waiting' }, busy, { state: 'issued', thumbprint: 'x' }]);
  const shown = [];
  assert.equal((await issued(progress, { pause: async () => shown.push(box.hidden) })).thumbprint, 'x');
  assert.deepEqual(shown, [true, false]);
  assert.equal(box.hidden, true);
});

test('a refusal that waiting will not cure is shown, and nothing more is asked', async () => {
  const answers = [withdrawn, { state: 'issued' }];
  const { box, progress } = world(answers);
  const first = await Promise.race([issued(progress, { pause: assert.fail }), new Promise((resolve) => { setTimeout(resolve, 20, 'stopped'); })]);
  assert.equal(first, 'stopped');
  assert.equal(box.dataset.code, 'I-04');
  assert.equal(answers.length, 1);
});
