// PKCS#10 certification requests (RFC 2986).
import {
  bitString, constructedContext, integer, nullValue, oid, sequence, set, utf8String,
} from './der.js';

const COMMON_NAME = '2.5.4.3';

/** The DER of a request for a key of `newKey` with the subject CN=`commonName`. */
export async function certificationRequest({ pair, kind }, commonName, subtle) {
  const publicKey = new Uint8Array(await subtle.exportKey('spki', pair.publicKey));
  const info = sequence(
    integer(0),
    sequence(set(sequence(oid(COMMON_NAME), utf8String(commonName)))),
    publicKey,
    constructedContext(0),
  );
  const signature = new Uint8Array(await subtle.sign(kind.signing, pair.privateKey, info));
  if (kind.signing.name === 'ECDSA') {
    return sequence(info, sequence(oid(kind.oid)), bitString(ecdsaSignature(signature)));
  }
  return sequence(info, sequence(oid(kind.oid), nullValue()), bitString(signature));
}

/** WebCrypto gives r and s side by side; X.509 wants Ecdsa-Sig-Value (RFC 3279, 2.2.3). */
export function ecdsaSignature(raw) {
  const half = raw.length / 2;
  return sequence(integer(raw.slice(0, half)), integer(raw.slice(half)));
}
