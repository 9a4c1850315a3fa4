// From a click to a certificate in a parcel: key, request, answer, PKCS#12. No page in here, so that it runs
// wherever WebCrypto does.
import { Refusal } from './api.js';
import { fromBase64, toBase64, toBase64Url } from './base64.js';
import { certificationRequest } from './csr.js';
import { newKey } from './key.js';
import { transportPassword } from './password.js';
import { pkcs12 } from './pkcs12.js';

/**
 * One certificate for one fresh key. `subject`: common name. `keys`: kinds of keys, the best first. `submit(csr, request)`: hands the base64 request in and
 * resolves to the server's answer. `keeping(request)` is told before that what a page needs to go on after it was closed; `kept`: what an
 * earlier page was told, or a promise of that.
 *
 * `run()` may be repeated after a failure: it repeats with the same key, so a lost answer is fetched again
 * instead of locking the device out of its one-time invitation.
 */
export function ceremony({ subject, keys, submit, kept, keeping, crypto = globalThis.crypto }) {
  let request;
  let parcel;
  return {
    /** Whether leaving the page now would lose a key that the server may already have certified. */
    get holdsKey() {
      return request !== undefined;
    },
    async run() {
      if (parcel) return parcel;
      request ??= await kept;
      if (!request) {
        request = await newRequest(subject, keys, crypto);
        await keeping?.(request);
      }
      const issued = await checked(await submit(toBase64(request.csr), request), request.publicKey, crypto);
      parcel = packed(issued, request.key, crypto);
      request = undefined;
      return parcel;
    },
  };
}

/** `tegata-PC-3f9a.p12`: what of the names is ASCII, and the end of the serial, so that no two files are confused. */
export function fileName(names, serial) {
  const words = names.join('-').normalize('NFKC').replace(/[^A-Za-z0-9]+/g, '-').replace(/^-|-$/g, '').slice(0, 40);
  return ['tegata', words, serial.slice(-4).toLowerCase()].filter(Boolean).join('-') + '.p12';
}

async function newRequest(subject, keys, crypto) {
  try {
    const key = await newKey(keys, crypto.subtle);
    const csr = await certificationRequest(key, subject, crypto.subtle);
    const exported = async (format, half) => new Uint8Array(await crypto.subtle.exportKey(format, half));
    const publicKey = await exported('spki', key.pair.publicKey);
    return { key: await exported('pkcs8', key.pair.privateKey), csr, publicKey };
  } catch {
    throw Refusal.local('unsupported', false);
  }
}

/** The answer in bytes, once it is certain that the certificate is for this key and is the one named. */
async function checked(answer, publicKey, crypto) {
  try {
    const certificate = fromBase64(answer.certificate);
    const chain = answer.chain.map(fromBase64);
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', certificate));
    const thumbprint = toBase64Url(digest);
    if (thumbprint === answer.thumbprint && contains(certificate, publicKey)) {
      return { ...answer, certificate, chain };
    }
  } catch {
    // Not base64, or a part is missing: the same verdict as a foreign certificate.
  }
  throw Refusal.local('mismatch', true);
}

function packed(issued, key, crypto) {
  const random = (size) => crypto.getRandomValues(new Uint8Array(size));
  const password = transportPassword(random);
  const { certificate, chain, name, thumbprint, serial, generation, not_after: notAfter } = issued;
  const file = pkcs12({ key, certificate, chain, name, password, random });
  key.fill(0);
  return { file, password, name, thumbprint, serial, generation, notAfter };
}

function contains(haystack, needle) {
  const text = (bytes) => String.fromCharCode(...bytes);
  return text(haystack).includes(text(needle));
}
