import assert from 'node:assert/strict';
import { createCipheriv, createHash, createHmac } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { bmpString, integer, octetString, oid, sequence, utf8String } from '../../crates/enroll/assets/der.js';
import { certificationRequest, ecdsaSignature } from '../../crates/enroll/assets/csr.js';
import { tripleDesCbc } from '../../crates/enroll/assets/des.js';
import { hmacSha1, sha1 } from '../../crates/enroll/assets/sha1.js';
import { fromBase64, toBase64, toBase64Url } from '../../crates/enroll/assets/base64.js';
import { newKey } from '../../crates/enroll/assets/key.js';
import { hex, random, run, temporaryFolder, unhex } from './tools.mjs';

test('DES gives the published answers', () => {
  // One key three times makes triple DES a single DES. Vectors: FIPS 81's and NBS 500-20's well-known pairs.
  const vectors = [
    ['133457799bbcdff1', '0123456789abcdef', '85e813540f0ab405'],
    ['0e329232ea6d0d73', '8787878787878787', '0000000000000000'],
    ['0101010101010101', '95f8a5e5dd31d900', '8000000000000000'],
    ['8001010101010101', '0000000000000000', '95a8d72813daa94d'],
    ['7ca110454a1a6e57', '01a1d6d039776742', '690f5b0d9a26939b'],
  ];
  for (const [key, plain, cipher] of vectors) {
    const out = tripleDesCbc(unhex(key.repeat(3)), new Uint8Array(8), unhex(plain));
    assert.equal(hex(out.slice(0, 8)), cipher, key);
  }
});

test('triple DES with three keys in CBC agrees with OpenSSL for every length', () => {
  for (let size = 0; size < 70; size++) {
    const [key, iv, plain] = [random(24), random(8), random(size)];
    const cipher = createCipheriv('des-ede3-cbc', key, iv);
    const expected = Buffer.concat([cipher.update(plain), cipher.final()]);
    assert.equal(hex(tripleDesCbc(key, iv, plain)), hex(expected), `length ${size}`);
  }
});

test('SHA-1 and its HMAC agree with OpenSSL for every length', () => {
  assert.equal(hex(sha1(new TextEncoder().encode('abc'))), 'a9993e364706816aba3e25717850c26c9cd0d89d');
  for (let size = 0; size < 200; size++) {
    const [key, message] = [random(20), random(size)];
    assert.equal(hex(sha1(message)), createHash('sha1').update(message).digest('hex'), `length ${size}`);
    assert.equal(hex(hmacSha1(key, message)), createHmac('sha1', key).update(message).digest('hex'), `length ${size}`);
  }
});

test('DER values are written as X.690 prescribes', () => {
  assert.equal(hex(integer(0)), '020100');
  assert.equal(hex(integer(127)), '02017f');
  assert.equal(hex(integer(128)), '02020080');
  assert.equal(hex(integer(2048)), '02020800');
  assert.equal(hex(integer(unhex('00000000'))), '020100');
  assert.equal(hex(integer(unhex('0001'))), '020101');
  assert.equal(hex(integer(unhex('00ff'))), '020200ff');
  assert.equal(hex(oid('1.2.840.113549.1.12.1.3')), '060a2a864886f70d010c0103');
  assert.equal(hex(oid('1.3.6.1.4.1.311.17.1')), '06092b0601040182371101');
  assert.equal(hex(utf8String('本')), '0c03e69cac');
  assert.equal(hex(bmpString('本a')), '1e04672c0061');
  assert.equal(hex(sequence()), '3000');
  assert.equal(hex(octetString(new Uint8Array(127)).slice(0, 2)), '047f');
  assert.equal(hex(octetString(new Uint8Array(128)).slice(0, 3)), '048180');
  assert.equal(hex(octetString(new Uint8Array(256)).slice(0, 4)), '04820100');
  assert.equal(hex(octetString(new Uint8Array(70000)).slice(0, 5)), '0483011170');
});

test('a signature keeps its value when r or s begins with a zero or a one bit', () => {
  const raw = new Uint8Array(64).fill(0x11);
  raw[0] = 0;
  raw[32] = 0x80;
  assert.equal(hex(ecdsaSignature(raw)), `3044021f${'11'.repeat(31)}02210080${'11'.repeat(31)}`);
});

test('base64 goes out and comes back', () => {
  for (let size = 0; size < 50; size++) {
    const bytes = random(size);
    assert.equal(toBase64(bytes), Buffer.from(bytes).toString('base64'));
    assert.equal(toBase64Url(bytes), Buffer.from(bytes).toString('base64url'));
    assert.deepEqual(fromBase64(toBase64(bytes)), bytes);
  }
  assert.throws(() => fromBase64('not base64!'));
});

test('openssl accepts the request as signed by its own key, with the Japanese name in it', async (t) => {
  const folder = temporaryFolder(t);
  const path = join(folder, 'device.csr');
  for (let i = 0; i < 20; i++) {
    const key = await newKey(['P-256'], crypto.subtle);
    writeFileSync(path, await certificationRequest(key, '本店 受付PC', crypto.subtle));
    assert.match(verdict(path), /verify OK/);
  }
  const text = run('openssl', ['req', '-noout', '-text', '-nameopt', 'utf8,sep_comma_plus', '-inform', 'DER', '-in', path]);
  assert.match(text, /Subject: CN=本店 受付PC/);
  assert.match(text, /ecdsa-with-SHA256/);
  assert.match(text, /prime256v1/);
});

test('openssl refuses the request when one bit of it is changed', async (t) => {
  const path = join(temporaryFolder(t), 'device.csr');
  const csr = await certificationRequest(await newKey(['P-256'], crypto.subtle), 'PC', crypto.subtle);
  csr[csr.indexOf('P'.charCodeAt(0))] ^= 1;
  writeFileSync(path, csr);
  assert.match(verdict(path), /verify failure/);
});

/** openssl exits with 0 whatever it finds, so its words decide. */
function verdict(path) {
  return run('sh', ['-c', 'openssl req -verify -noout -inform DER -in "$1" 2>&1', 'sh', path]);
}
