// What somebody on an iPad sees while the profile waits to be installed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clockFace, countDown } from '../../crates/enroll/assets/countdown.js';

test('the eight minutes count down to nothing, then the page says what to do, and a new file begins anew', () => {
  const places = { '[data-fill="countdown"]': {}, '.countdown-over': {} };
  globalThis.document = { querySelectorAll: (selector) => [places[selector]] };
  let time = 1_000;
  let tick;
  const stopped = [];
  const clock = { now: () => time, every: (work) => { tick = work; return 'timer'; }, stop: (timer) => stopped.push(timer) };
  countDown(clock);
  assert.equal(places['[data-fill="countdown"]'].textContent, '8:00');
  assert.equal(places['.countdown-over'].hidden, true);
  time += 55_500;
  tick();
  assert.equal(places['[data-fill="countdown"]'].textContent, '7:05');
  time += 8 * 60_000;
  tick();
  assert.equal(places['[data-fill="countdown"]'].textContent, '0:00');
  assert.equal(places['.countdown-over'].hidden, false);
  assert.ok(stopped.includes('timer'));
  countDown(clock);
  assert.equal(places['.countdown-over'].hidden, true);
});

test('seconds are rounded up, so that nobody is promised too little', () => {
  assert.deepEqual([0, 1, 1000, 61_000].map(clockFace), ['0:00', '0:01', '0:01', '1:01']);
});
