import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Refusal } from '../../crates/enroll/assets/api.js';
import { patiently } from '../../crates/enroll/assets/waiting.js';

const waiting = { approval: 'a', number: '1234-5678', retry_after: 5 };
const issued = { certificate: 'c' };

/** A server that gives these answers one after the other, and a clock that does not wait. */
function scene(...answers) {
  const told = { asked: [], waits: 0, paused: [] };
  const next = async () => {
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    return answer;
  };
  return {
    told,
    run: () => patiently({
      hand: next,
      ask: (approval) => { told.asked.push(approval); return next(); },
      waits: async () => { told.waits += 1; },
      pause: async (milliseconds) => { told.paused.push(milliseconds); },
    }),
  };
}

test('where nobody has to approve, nobody waits', async () => {
  const { told, run } = scene(issued);
  assert.equal(await run(), issued);
  assert.deepEqual(told, { asked: [], waits: 0, paused: [] });
});

test('a page goes on by itself once somebody has approved', async () => {
  const { told, run } = scene(waiting, waiting, { ...waiting, retry_after: 30 }, issued);
  assert.equal(await run(), issued);
  assert.deepEqual(told, { asked: ['a', 'a', 'a'], waits: 1, paused: [5_000, 5_000, 30_000] });
});

test('a connection that comes and goes is no decision', async () => {
  const { told, run } = scene(waiting, Refusal.local('offline', true), waiting, issued);
  assert.equal(await run(), issued);
  assert.equal(told.asked.length, 3);
});

test('who is declined waits no longer', async () => {
  const declined = new Refusal({ title: 't', code: 'E-06', retry: false });
  const { told, run } = scene(waiting, waiting, declined);
  await assert.rejects(run(), declined);
  assert.equal(told.asked.length, 2);
});

test('a request that did not arrive is for the button', async () => {
  const { told, run } = scene(Refusal.local('offline', true));
  await assert.rejects(run(), Refusal);
  assert.equal(told.waits, 0);
});
