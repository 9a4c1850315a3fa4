import assert from 'node:assert/strict';
import { test } from 'node:test';

import { isWrongBrowser, platformOf, storeOf } from '../../crates/enroll/assets/platform.js';
import { askOnce, probeUrl, waitForProof } from '../../crates/enroll/assets/probe.js';

const PATTERN = 'https://{nonce}.probe.localhost:9443/probe';
const problem = (code) => Response.json({ title: 'T', detail: 'D', code }, { status: 401, headers: { 'content-type': 'application/problem+json' } });

test('every attempt asks a host that the browser has never met', () => {
  const urls = Array.from({ length: 100 }, () => probeUrl(PATTERN));
  assert.equal(new Set(urls).size, 100);
  for (const url of urls) assert.match(url, /^https:\/\/[0-9a-f]{16}\.probe\.localhost:9443\/probe$/);
});

test('the question carries the certificate and needs no preflight', async () => {
  const fetch = async (url, options) => {
    assert.equal(options.credentials, 'include');
    assert.equal(options.mode, 'cors');
    assert.equal(options.method ?? 'GET', 'GET');
    assert.equal(options.headers, undefined);
    return Response.json({ thumbprint: 'mine' });
  };
  assert.deepEqual(await askOnce(PATTERN, { fetch }), { thumbprint: 'mine' });
});

test('no connection and nonsense are no answers, a problem is a refusal', async () => {
  const ask = (fetch) => askOnce(PATTERN, { fetch });
  assert.deepEqual(await ask(() => Promise.reject(new TypeError('TLS'))), {});
  assert.deepEqual(await ask(async () => new Response('<html>')), {});
  assert.equal((await ask(async () => problem('C-07'))).refusal.code, 'C-07');
});

test('the wait ends as soon as this certificate answers', async () => {
  const world = clockworkWorld([{}, { refusal: { code: 'C-01' } }, {}, { thumbprint: 'mine' }]);
  assert.equal(await waitForProof(world), 'proved');
  assert.deepEqual(world.pauses, [2000, 2500, 3125]);
  assert.deepEqual(world.heard, [undefined, undefined, undefined], 'a missing certificate is what one waits for');
});

test('the page asks every five seconds at most, and stops after ten minutes', async () => {
  const world = clockworkWorld([]);
  assert.equal(await waitForProof(world), 'silent');
  assert.equal(Math.max(...world.pauses), 5000);
  const waited = world.pauses.reduce((sum, pause) => sum + pause, 0);
  assert.ok(waited >= 600_000 && waited < 605_000, `${waited} ms`);
});

test('another certificate ends the asking, because each question may open the chooser', async () => {
  const world = clockworkWorld([{}, { thumbprint: 'old' }, { thumbprint: 'mine' }]);
  assert.equal(await waitForProof(world), 'other');
  assert.equal(world.pauses.length, 1);
});

test('a refusal that importing will not cure is told, and taken back when it is over', async () => {
  const suspended = { code: 'C-07' };
  const world = clockworkWorld([{ refusal: suspended }, {}, { thumbprint: 'mine' }]);
  assert.equal(await waitForProof(world), 'proved');
  assert.deepEqual(world.heard, [suspended, undefined]);
});

test('platforms are told apart, and an iPad is not a Mac', () => {
  const chrome = (system) => `Mozilla/5.0 (${system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36`;
  const safari = 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15';
  assert.equal(platformOf({ userAgent: chrome('Windows NT 10.0; Win64; x64') }), 'windows');
  assert.equal(platformOf({ userAgent: chrome('Windows NT 10.0; Win64; x64'), maxTouchPoints: 10 }), 'windows');
  assert.equal(platformOf({ userAgent: safari, maxTouchPoints: 0 }), 'macos');
  assert.equal(platformOf({ userAgent: safari, maxTouchPoints: 5 }), 'ios');
  assert.equal(platformOf({ userAgent: chrome('Linux; Android 14; Pixel 8') }), 'android');
  assert.equal(platformOf({ userAgent: chrome('X11; CrOS x86_64 14541.0.0') }), 'chromeos');
  assert.equal(platformOf({ userAgent: chrome('X11; Linux x86_64') }), 'linux');
  assert.equal(platformOf({ userAgent: 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0' }), 'linux');
});

test('browsers that never see the certificate are recognized, the usual ones are not disturbed', () => {
  const iphone = 'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)';
  const wrong = [
    `${iphone} Mobile/15E148 Safari Line/14.9.0`,
    `${iphone} CriOS/131.0 Mobile/15E148 Safari/604.1`,
    'Mozilla/5.0 (Linux; Android 14; Pixel 8; wv) AppleWebKit/537.36 Chrome/131.0 Mobile Safari/537.36',
  ];
  const right = [
    `${iphone} Version/17.5 Mobile/15E148 Safari/604.1`,
    'Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/131.0 Mobile Safari/537.36',
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/131.0 Safari/537.36 Edg/131.0',
  ];
  for (const userAgent of wrong) assert.equal(isWrongBrowser({ userAgent, maxTouchPoints: 5 }), true, userAgent);
  for (const userAgent of right) assert.equal(isWrongBrowser({ userAgent, maxTouchPoints: 5 }), false, userAgent);
});

/** Answers in turn, then silence; a clock that only pauses move. */
function clockworkWorld(answers) {
  let time = 0;
  const rest = [...answers];
  const world = { pattern: PATTERN, thumbprint: 'mine', pauses: [], heard: [] };
  world.now = () => time;
  world.pause = async (ms) => { world.pauses.push(ms); time += ms; };
  world.ask = async () => rest.shift() ?? {};
  world.onRefusal = (refusal) => world.heard.push(refusal);
  return world;
}

test('on a computer Firefox has steps of its own, on a phone the platform decides', () => {
  const firefox = (platform) => `Mozilla/5.0 (${platform}; rv:153.0) Gecko/20100101 Firefox/153.0`;
  for (const platform of ['X11; Linux x86_64', 'Windows NT 10.0; Win64; x64', 'Macintosh; Intel Mac OS X 10.15']) {
    assert.equal(storeOf({ userAgent: firefox(platform) }), 'firefox');
    assert.notEqual(storeOf({ userAgent: firefox(platform).replace('Firefox/', 'Chrome/') }), 'firefox');
  }
  assert.equal(storeOf({ userAgent: firefox('Android 14; Mobile') }), 'android');
});

test('where the system is about to put the new certificate in the old one\'s place, the old one may answer a few times', async () => {
  const run = (answers, others) => waitForProof({ pattern: 'p', thumbprint: 'new', others, onRefusal() {}, pause: async () => {}, ask: async () => answers.shift() });
  const old = { thumbprint: 'old' };
  assert.equal(await run([old, {}, old, { thumbprint: 'new' }], 2), 'proved');
  assert.equal(await run([old, old, old, { thumbprint: 'new' }], 2), 'other');
});
