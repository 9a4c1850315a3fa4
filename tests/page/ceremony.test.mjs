import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { ceremony, fileName } from '../../crates/enroll/assets/ceremony.js';
import { post, Refusal } from '../../crates/enroll/assets/api.js';
import { run, temporaryFolder, testAuthority } from './tools.mjs';

const cleanups = [];
let folder;
let authority;
before(() => {
  folder = temporaryFolder({ after: (cleanup) => cleanups.push(cleanup) });
  authority = testAuthority(folder);
});
after(() => cleanups.forEach((cleanup) => cleanup()));

test('a click ends in a parcel that its password opens', async () => {
  const parcel = await ceremony({ subject: '本店 受付PC', keys: ['P-256'], submit: async (csr) => answerTo(csr) }).run();
  const path = join(folder, 'parcel.p12');
  writeFileSync(path, parcel.file);
  const subject = run('sh', ['-c', 'openssl pkcs12 -in "$1" -passin "pass:$2" -nokeys -clcerts | openssl x509 -noout -subject -nameopt utf8', 'sh', path, parcel.password]);
  assert.equal(subject.trim(), 'subject=CN=本店 受付PC');
  assert.equal(parcel.name, '本店 受付PC');
  assert.equal(parcel.notAfter, '2027-11-22T03:00:00Z');
});

test('a lost answer is asked for again with the same key', async () => {
  const sent = [];
  const rite = ceremony({
    subject: 'PC',
    keys: ['P-256'],
    submit: async (csr) => {
      sent.push(csr);
      if (sent.length < 3) throw Refusal.local('offline', true);
      return answerTo(csr);
    },
  });
  await assert.rejects(rite.run(), Refusal);
  assert.equal(rite.holdsKey, true, 'the page must warn before it is closed');
  await assert.rejects(rite.run(), Refusal);
  const parcel = await rite.run();
  assert.equal(new Set(sent).size, 1, 'byte for byte the same request');
  assert.equal(rite.holdsKey, false);
  assert.equal(await rite.run(), parcel, 'a finished ceremony asks for nothing more');
  assert.equal(sent.length, 3);
});

test('what a closed page needs is kept before the server hears of it, and another page goes on with it', async () => {
  const order = [];
  let kept;
  const keeping = async (request) => {
    kept = JSON.parse(JSON.stringify(request, (_, value) => (value instanceof Uint8Array ? { bytes: [...value] } : value)), (_, value) => (value?.bytes ? Uint8Array.from(value.bytes) : value));
    order.push('kept');
  };
  const closed = ceremony({ subject: 'PC', keys: ['P-256'], keeping, submit: async (csr) => { order.push(csr); throw Refusal.local('offline', true); } });
  await assert.rejects(closed.run(), Refusal);
  const parcel = await ceremony({ subject: 'PC', keys: ['P-256'], kept, submit: async (csr) => { order.push(csr); return answerTo(csr); } }).run();
  assert.equal(order[0], 'kept');
  assert.equal(order[1], order[2], 'the same key');
  assert.ok(parcel.file.length > 500);
});

test('the key is of the first kind that the server allows and the browser can make', async () => {
  const told = [];
  const unable = { ...crypto, getRandomValues: (bytes) => crypto.getRandomValues(bytes), subtle: bound(crypto.subtle, (algorithm) => algorithm.namedCurve) };
  const submit = async (csr) => {
    told.push(run('openssl', ['req', '-inform', 'DER', '-noout', '-verify', '-text'], { input: Buffer.from(csr, 'base64') }));
    return answerTo(csr);
  };
  await ceremony({ subject: 'PC', keys: ['Ed448', 'P-384', 'P-256'], submit }).run();
  await ceremony({ subject: 'PC', keys: ['P-256', 'RSA-2048'], submit, crypto: unable }).run();
  assert.match(told[0], /secp384r1|P-384/);
  assert.match(told[1], /Public-Key: \(2048 bit\)/);
});

test('two ceremonies never share a key', async () => {
  const sent = new Set();
  const submit = async (csr) => answerTo(sent.add(csr) && csr);
  await ceremony({ subject: 'PC', keys: ['P-256'], submit }).run();
  await ceremony({ subject: 'PC', keys: ['P-256'], submit }).run();
  assert.equal(sent.size, 2);
});

test('the certificate of another key is not packed', async () => {
  let foreign;
  await ceremony({ subject: 'PC', keys: ['P-256'], submit: async (csr) => (foreign = answerTo(csr)) }).run();
  await assert.rejects(ceremony({ subject: 'PC', keys: ['P-256'], submit: async () => foreign }).run(), { local: 'mismatch' });
});

test('an answer that is not what it says it is, is not packed', async () => {
  const tampered = [
    (answer) => ({ ...answer, thumbprint: 'x'.repeat(43) }),
    (answer) => ({ ...answer, certificate: 'not base64!' }),
    (answer) => ({ ...answer, chain: undefined }),
    () => ({}),
  ];
  for (const tamper of tampered) {
    const rite = ceremony({ subject: 'PC', keys: ['P-256'], submit: async (csr) => tamper(answerTo(csr)) });
    await assert.rejects(rite.run(), { local: 'mismatch' });
  }
});

test('a browser that cannot make the key says so', async () => {
  const crypto = { subtle: { generateKey: () => Promise.reject(new Error('not supported')) } };
  const rite = ceremony({ subject: 'PC', keys: ['P-256'], submit: assert.fail, crypto });
  await assert.rejects(rite.run(), { local: 'unsupported', retry: false });
});

test('the file name is ASCII, tells devices apart and keeps what can be kept', () => {
  assert.equal(fileName(['本店', '受付PC'], '7F00AA3F9A'), 'tegata-PC-3f9a.p12');
  assert.equal(fileName(['本店', '受付'], '7f00aa3f9a'), 'tegata-3f9a.p12');
  assert.equal(fileName(['Ginza 2', 'iPad/レジ１'], '0011'), 'tegata-Ginza-2-iPad-1-0011.p12');
  assert.match(fileName(['x'.repeat(300), '../..'], '0011'), /^[a-zA-Z0-9.-]{1,60}$/);
});

test('a problem of the server arrives in the server\'s words', async () => {
  const problem = { type: 'about:blank', title: '招待の期限が切れています', status: 410, code: 'I-03', detail: '新しい招待を', lang: 'ja' };
  const answer = Response.json(problem, { status: 410, headers: { 'content-type': 'application/problem+json' } });
  const asked = [];
  const fetch = async (url, options) => (asked.push([url, options]), answer);
  await assert.rejects(
    post('/api/v1/invitations/open', { code: 'c' }, { language: 'ja', fetch }),
    { title: problem.title, detail: problem.detail, code: 'I-03', retry: false },
  );
  assert.equal(asked[0][0], '/api/v1/invitations/open?lang=ja');
  assert.equal(asked[0][1].body, '{"code":"c"}');
});

test('what is not the server\'s word can be tried again', async () => {
  const sent = (response) => post('/x', {}, { language: 'ja', fetch: async () => response });
  const proxyPage = () => new Response('<h1>Blocked</h1>', { status: 403, headers: { 'content-type': 'text/html' } });
  await assert.rejects(sent(proxyPage()), { local: 'unreadable', retry: true });
  await assert.rejects(sent(new Response('<h1>Welcome to free Wi-Fi</h1>')), { local: 'unreadable', retry: true });
  await assert.rejects(sent(Response.json({ title: 'T', code: 'S-01' }, { status: 503, headers: { 'content-type': 'application/problem+json' } })), { code: 'S-01', retry: true });
  await assert.rejects(post('/x', {}, { language: 'ja', fetch: () => Promise.reject(new TypeError('lost')) }), { local: 'offline', retry: true });
  assert.equal(await sent(new Response(null, { status: 204 })), null);
});

function answerTo(csr) {
  const { certificate, chain } = authority.issue(Buffer.from(csr, 'base64'));
  return {
    device: 'd'.repeat(26),
    generation: 1,
    serial: '7f00aa3f9a',
    thumbprint: createHash('sha256').update(certificate).digest('base64url'),
    not_after: '2027-11-22T03:00:00Z',
    certificate: Buffer.from(certificate).toString('base64'),
    chain: chain.map((der) => Buffer.from(der).toString('base64')),
    name: '本店 受付PC',
  };
}

/** WebCrypto of a browser that cannot make some keys. */
function bound(subtle, cannot) {
  return new Proxy(subtle, {
    get: (target, name) => (name === 'generateKey'
      ? (algorithm, ...rest) => (cannot(algorithm) ? Promise.reject(new Error('not supported')) : target.generateKey(algorithm, ...rest))
      : target[name].bind(target)),
  });
}
