// PKCS#12 (RFC 7292) in the one encoding that Windows, macOS, iOS, Android and NSS of every age import:
// triple DES for key and certificates, a SHA-1 MAC, 8-byte salts. The file is a short-lived parcel under a
// random password; it is not where the key is kept.
import {
  bmpString, concat, constructedContext, integer, nullValue, octetString, oid, primitiveContext, sequence, set,
  utf16BigEndian,
} from './der.js';
import { tripleDesCbc } from './des.js';
import { BLOCK_BYTES, hmacSha1, sha1 } from './sha1.js';

const DATA = '1.2.840.113549.1.7.1';
const ENCRYPTED_DATA = '1.2.840.113549.1.7.6';
const SHROUDED_KEY_BAG = '1.2.840.113549.1.12.10.1.2';
const CERTIFICATE_BAG = '1.2.840.113549.1.12.10.1.3';
const X509_CERTIFICATE = '1.2.840.113549.1.9.22.1';
const PBE_SHA1_3DES = '1.2.840.113549.1.12.1.3';
const SHA1 = '1.3.14.3.2.26';
const FRIENDLY_NAME = '1.2.840.113549.1.9.20';
const LOCAL_KEY_ID = '1.2.840.113549.1.9.21';
const MICROSOFT_CSP_NAME = '1.3.6.1.4.1.311.17.1';

const ITERATIONS = 2048;
const SALT_BYTES = 8;
const [FOR_KEY, FOR_IV, FOR_MAC] = [1, 2, 3];

/**
 * The bytes of a .p12 file.
 * `key`: PKCS#8 DER. `certificate`: DER of the leaf. `chain`: DER of issuing CAs, without the root (a root
 * inside makes Windows ask a frightening question). `name`: what the store shows. `password`: ASCII, not empty.
 * `random(n)`: n fresh bytes.
 */
export function pkcs12({ key, certificate, chain, name, password, random }) {
  const secret = concat([utf16BigEndian(password), [0, 0]]);
  const keyId = sha1(certificate);
  const identity = [attribute(FRIENDLY_NAME, bmpString(name)), attribute(LOCAL_KEY_ID, octetString(keyId))];
  const certificates = sequence(
    certificateBag(certificate, identity),
    ...chain.map((issuer) => certificateBag(issuer, [])),
  );
  const authSafe = sequence(
    encryptedContent(certificates, secret, random),
    dataContent(sequence(keyBag(key, identity, secret, random))),
  );
  return sequence(integer(3), dataContent(authSafe), macData(authSafe, secret, random));
}

/** RFC 7292, appendix B.2, with SHA-1: `size` bytes for one `purpose`. */
export function deriveKey(purpose, secret, salt, iterations, size) {
  const diversifier = new Uint8Array(BLOCK_BYTES).fill(purpose);
  const input = concat([fillBlocks(salt), fillBlocks(secret)]);
  const out = new Uint8Array(size);
  for (let done = 0; done < size;) {
    let digest = sha1(concat([diversifier, input]));
    for (let i = 1; i < iterations; i++) digest = sha1(digest);
    out.set(digest.subarray(0, size - done), done);
    done += digest.length;
    addToEachBlock(input, repeatTo(BLOCK_BYTES, digest));
  }
  return out;
}

function keyBag(key, identity, secret, random) {
  const { algorithm, encrypted } = encrypt(key, secret, random);
  const attributes = [
    ...identity,
    // Without it Windows files the key under a legacy provider that has no elliptic curves.
    attribute(MICROSOFT_CSP_NAME, bmpString('Microsoft Software Key Storage Provider')),
  ];
  return bag(SHROUDED_KEY_BAG, sequence(algorithm, octetString(encrypted)), attributes);
}

function certificateBag(der, attributes) {
  const value = sequence(oid(X509_CERTIFICATE), constructedContext(0, octetString(der)));
  return bag(CERTIFICATE_BAG, value, attributes);
}

function bag(type, value, attributes) {
  const optional = attributes.length > 0 ? [set(...inDerOrder(attributes))] : [];
  return sequence(oid(type), constructedContext(0, value), ...optional);
}

const attribute = (type, value) => sequence(oid(type), set(value));

function dataContent(bytes) {
  return sequence(oid(DATA), constructedContext(0, octetString(bytes)));
}

function encryptedContent(plain, secret, random) {
  const { algorithm, encrypted } = encrypt(plain, secret, random);
  const info = sequence(oid(DATA), algorithm, primitiveContext(0, encrypted));
  return sequence(oid(ENCRYPTED_DATA), constructedContext(0, sequence(integer(0), info)));
}

function encrypt(plain, secret, random) {
  const salt = random(SALT_BYTES);
  const key = deriveKey(FOR_KEY, secret, salt, ITERATIONS, 24);
  const iv = deriveKey(FOR_IV, secret, salt, ITERATIONS, 8);
  const parameters = sequence(octetString(salt), integer(ITERATIONS));
  return {
    algorithm: sequence(oid(PBE_SHA1_3DES), parameters),
    encrypted: tripleDesCbc(key, iv, plain),
  };
}

function macData(content, secret, random) {
  const salt = random(SALT_BYTES);
  const mac = hmacSha1(deriveKey(FOR_MAC, secret, salt, ITERATIONS, 20), content);
  const digest = sequence(sequence(oid(SHA1), nullValue()), octetString(mac));
  return sequence(digest, octetString(salt), integer(ITERATIONS));
}

/** DER sorts the members of a SET OF by their encoding (X.690, 11.6). */
function inDerOrder(parts) {
  const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return [...parts].sort((a, b) => (hex(a) < hex(b) ? -1 : 1));
}

const fillBlocks = (bytes) => repeatTo(Math.ceil(bytes.length / BLOCK_BYTES) * BLOCK_BYTES, bytes);

const repeatTo = (size, bytes) => Uint8Array.from({ length: size }, (_, i) => bytes[i % bytes.length]);

/** Each block becomes (block + addend + 1) mod 2^512, big-endian. */
function addToEachBlock(blocks, addend) {
  for (let end = blocks.length; end > 0; end -= BLOCK_BYTES) {
    let carry = 1;
    for (let i = BLOCK_BYTES - 1; i >= 0; i--) {
      const at = end - BLOCK_BYTES + i;
      carry += blocks[at] + addend[i];
      blocks[at] = carry & 0xff;
      carry >>= 8;
    }
  }
}
