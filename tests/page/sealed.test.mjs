// What a browser keeps between enrollment and proof, how hard it is to take out, and when it is gone.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { keepParcel, LIFE_MS, recallParcel } from '../../crates/enroll/assets/parcel.js';
import { forget, keep, recall, recallAll, sweep } from '../../crates/enroll/assets/sealed.js';
import { memoryDatabase } from './tools.mjs';

const CODE = 'a'.repeat(32);
const PASSWORD = 'k7me-2hxa-pv9d-qn4t';
const parcel = { file: Uint8Array.of(48, 130, 1, 2), password: PASSWORD, serial: '7f00aa3f9a' };
const MORE = { page: 'enroll', code: CODE };

let database;
beforeEach(() => {
  database = memoryDatabase();
  globalThis.indexedDB = database.indexedDB;
  globalThis.document = { body: { dataset: {} }, addEventListener() {}, removeEventListener() {} };
});
afterEach(() => {
  mock.timers.reset();
  delete globalThis.indexedDB;
  delete globalThis.document;
});

test('a page that is opened again finds the parcel, byte for byte, by its code and without it', async () => {
  const { isKept, wipe } = await keepParcel(CODE, parcel, MORE);
  assert.equal(isKept, true);
  assert.equal(document.body.dataset.kept, 'yes', 'nobody is warned who closes the page');
  assert.deepEqual((await recallParcel(CODE)).parcel, parcel);
  const [kept] = await recallAll();
  assert.deepEqual({ ...MORE, parcel }, { page: kept.page, code: kept.code, parcel: kept.parcel });
  await wipe();
  assert.deepEqual([await recallParcel(CODE), await recallAll(), database.records.size], [undefined, [], 0], 'key and all');
});

test('what lies in the database is encrypted under a key that WebCrypto gives to nobody, and names no code', async () => {
  const { wipe } = await keepParcel(CODE, parcel, MORE);
  const [[name, { key, iv, sealed }]] = database.records;
  assert.equal(key.extractable, false);
  await assert.rejects(crypto.subtle.exportKey('raw', key));
  const lying = name + Buffer.from(sealed).toString('latin1') + Buffer.from(iv).toString('latin1');
  for (const secret of [CODE, PASSWORD, 'password']) assert.ok(!lying.includes(secret), secret);
  await keep('other', parcel, Date.now() + LIFE_MS);
  const keys = [...database.records.values()].map((record) => record.key);
  assert.notEqual(keys[0], keys[1], 'each its own');
  await forget('other');
  await wipe();
});

test('after an hour it is gone, while the page is open and when a page is opened later', async () => {
  mock.timers.enable({ apis: ['Date', 'setTimeout'], now: Date.now() });
  let ended = false;
  await keepParcel(CODE, parcel, MORE, { over: () => { ended = true; } });
  mock.timers.tick(LIFE_MS - 1);
  assert.ok(await recallParcel(CODE));
  mock.timers.tick(1);
  await new Promise(setImmediate);
  await new Promise(setImmediate);
  assert.equal(await recallParcel(CODE), undefined);
  assert.equal(database.records.size, 0);
  assert.equal(ended, true, 'the page says so');
  // The tab was closed: nobody's timer wipes it.
  await keep(CODE, { ...MORE, parcel }, Date.now() + LIFE_MS);
  mock.timers.tick(LIFE_MS);
  assert.equal(await recall(CODE), undefined, 'over, and not told');
  assert.equal(database.records.size, 1);
  await sweep();
  assert.equal(database.records.size, 0, 'wiped by whichever page is opened next');
});

test('a resumed parcel keeps its own hour', async () => {
  const until = Date.now() + 1000;
  const { wipe } = await keepParcel(CODE, parcel, MORE, { until });
  assert.equal((await recallParcel(CODE)).until, until);
  await wipe();
});

test('a browser that keeps nothing says so, and the page goes on from memory', async () => {
  for (const broken of [undefined, { open() { throw new Error('private browsing'); } }, database.failing]) {
    globalThis.indexedDB = broken;
    const { isKept, wipe } = await keepParcel(CODE, parcel, MORE);
    assert.equal(isKept, false);
    assert.equal(document.body.dataset.kept, 'no', 'who closes the page is warned');
    await wipe();
    assert.deepEqual([await recallParcel(CODE), await recallAll()], [undefined, []]);
  }
});
