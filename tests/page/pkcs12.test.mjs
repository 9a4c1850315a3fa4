import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test, after } from 'node:test';

import { certificationRequest } from '../../crates/enroll/assets/csr.js';
import { utf16BigEndian, concat } from '../../crates/enroll/assets/der.js';
import { transportPassword } from '../../crates/enroll/assets/password.js';
import { newKey } from '../../crates/enroll/assets/key.js';
import { deriveKey, pkcs12 } from '../../crates/enroll/assets/pkcs12.js';
import { hex, random, run, temporaryFolder, testAuthority, unhex } from './tools.mjs';

const NAME = '本店 受付PC (Tegata)';
const KINDS = ['P-256', 'P-384', 'RSA-2048', 'RSA-4096'];
const parcels = {};
let parcel;
const cleanups = [];

before(async () => {
  for (const kind of KINDS) {
    parcels[kind] = await parcelIn(temporaryFolder({ after: (cleanup) => cleanups.push(cleanup) }), kind);
  }
  parcel = parcels['P-256'];
});
after(() => cleanups.forEach((cleanup) => cleanup()));

test('key derivation gives the published answers', () => {
  // "smeg" and "queeg": the vectors that circulate among implementers of RFC 7292, appendix B.
  const secret = (text) => concat([utf16BigEndian(text), [0, 0]]);
  assert.equal(hex(deriveKey(1, secret('smeg'), unhex('0a58cf64530d823f'), 1, 24)), '8aaae6297b6cb04642ab5b077851284eb7128f1a2a7fbca3');
  assert.equal(hex(deriveKey(2, secret('smeg'), unhex('0a58cf64530d823f'), 1, 8)), '79993dfe048d3b76');
  assert.equal(hex(deriveKey(1, secret('queeg'), unhex('05dec959acff72f7'), 1000, 24)), 'ed2034e36328830ff09df1e1a07dd357185dac0d4f9eb3d4');
  assert.equal(hex(deriveKey(2, secret('queeg'), unhex('05dec959acff72f7'), 1000, 8)), '11dedad7758d4860');
});

test('the transport password carries 80 bits and no sign that is easily misread', () => {
  const seen = new Set();
  for (let i = 0; i < 500; i++) {
    const password = transportPassword(random);
    assert.match(password, /^([a-km-np-z2-9]{4}-){3}[a-km-np-z2-9]{4}$/);
    seen.add(password);
  }
  assert.equal(seen.size, 500);
  const everySign = new Set(transportPassword(() => Array.from({ length: 32 }, (_, i) => i)).replaceAll('-', ''));
  assert.equal(everySign.size, 32);
});

for (const kind of KINDS) {
  const parcel = () => parcels[kind];

  test(`${kind}: plain openssl 3 reads the file, and what comes out is the key of the certificate`, () => {
    const out = openssl('pkcs12', '-in', parcel().path, '-passin', `pass:${parcel().password}`, '-nodes');
    const keyOf = (...args) => run('openssl', args, { input: out });
    assert.equal(keyOf('pkey', '-pubout'), keyOf('x509', '-pubkey', '-noout'));
    assert.equal(out.match(/BEGIN CERTIFICATE/g).length, 2, 'the leaf and the issuing CA, no root');
    assert.match(out, /Microsoft CSP Name: Microsoft Software Key Storage Provider/);
    assert.equal(out.match(/localKeyID: /g).length, 2);
  });

  test(`${kind}: the certificate inside verifies up to the root through the enclosed issuing CA`, () => {
    const leaf = join(parcel().folder, 'out-leaf.pem');
    const chain = join(parcel().folder, 'out-chain.pem');
    writeFileSync(leaf, openssl('pkcs12', '-in', parcel().path, '-passin', `pass:${parcel().password}`, '-nokeys', '-clcerts'));
    writeFileSync(chain, openssl('pkcs12', '-in', parcel().path, '-passin', `pass:${parcel().password}`, '-nokeys', '-cacerts'));
    openssl('verify', '-CAfile', parcel().authority.root, '-untrusted', chain, '-purpose', 'sslclient', leaf);
  });

  test(`${kind}: NSS imports it, certificate with key, under the Japanese name`, () => {
    const store = join(parcel().folder, 'nss');
    mkdirSync(store);
    run('certutil', ['-N', '-d', `sql:${store}`, '--empty-password']);
    run('pk12util', ['-i', parcel().path, '-d', `sql:${store}`, '-W', parcel().password]);
    const listed = run('certutil', ['-L', '-d', `sql:${store}`]);
    assert.match(listed, /本店 受付PC \(Tegata\)\s+u,u,u/);
    assert.match(run('certutil', ['-K', '-d', `sql:${store}`]), /本店 受付PC/);
  });

  test(`${kind}: GnuTLS reads it`, () => {
    const out = run('certtool', ['--p12-info', '--inder', '--infile', parcel().path, '--password', parcel().password]);
    assert.match(out, /BEGIN (EC |RSA )?PRIVATE KEY|BEGIN ENCRYPTED PRIVATE KEY/);
    assert.equal(out.match(/BEGIN CERTIFICATE/g).length, 2);
  });

  test(`${kind}: Java reads it as one private key entry with a chain of two`, () => {
    const out = run('keytool', ['-J-Duser.language=en', '-list', '-v', '-storetype', 'PKCS12', '-keystore', parcel().path, '-storepass', parcel().password]);
    assert.match(out, /Entry type: PrivateKeyEntry/);
    assert.match(out, /Certificate chain length: 2/);
  });
}

test('the encoding is the one that old systems import: triple DES, SHA-1 MAC, 8-byte salts', () => {
  const info = run('sh', ['-c', 'openssl pkcs12 -info -noout -in "$1" -passin "pass:$2" 2>&1', 'sh', parcel.path, parcel.password]);
  assert.match(info, /MAC: sha1, Iteration 2048/);
  assert.match(info, /MAC length: 20, salt length: 8/);
  assert.equal(info.match(/pbeWithSHA1And3-KeyTripleDES-CBC, Iteration 2048/g).length, 2);
});

test('a wrong password or a changed byte opens nothing', () => {
  assert.throws(() => openssl('pkcs12', '-in', parcel.path, '-passin', 'pass:wrong', '-noout'));
  const broken = Uint8Array.from(parcel.file);
  broken[200] ^= 1;
  const path = join(parcel.folder, 'broken.p12');
  writeFileSync(path, broken);
  assert.throws(() => openssl('pkcs12', '-in', path, '-passin', `pass:${parcel.password}`, '-noout'));
});

async function parcelIn(folder, kind) {
  const authority = testAuthority(folder);
  const made = await newKey([kind], crypto.subtle);
  const { pair } = made;
  const issued = authority.issue(await certificationRequest(made, '本店 受付PC', crypto.subtle));
  const key = new Uint8Array(await crypto.subtle.exportKey('pkcs8', pair.privateKey));
  const password = transportPassword(random);
  const contents = { key, ...issued, name: NAME, password, random };
  const file = pkcs12(contents);
  const path = join(folder, 'device.p12');
  writeFileSync(path, file);
  return { folder, authority, contents, password, file, path };
}

function openssl(...args) {
  return run('openssl', args);
}
