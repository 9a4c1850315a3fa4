// PKCS#10 certification requests (RFC 2986) signed with ECDSA and SHA-256 (RFC 5758).
import {
  bitString, constructedContext, integer, oid, sequence, set, utf8String,
} from './der.js';

const COMMON_NAME = '2.5.4.3';
const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2';

/** The DER of a request for `keyPair` (ECDSA P-256) with the subject CN=`commonName`. */
export async function certificationRequest(keyPair, commonName, subtle) {
  const publicKey = new Uint8Array(await subtle.exportKey('spki', keyPair.publicKey));
  const info = sequence(
    integer(0),
    sequence(set(sequence(oid(COMMON_NAME), utf8String(commonName)))),
    publicKey,
    constructedContext(0),
  );
  const algorithm = { name: 'ECDSA', hash: 'SHA-256' };
  const signature = new Uint8Array(await subtle.sign(algorithm, keyPair.privateKey, info));
  return sequence(info, sequence(oid(ECDSA_WITH_SHA256)), bitString(ecdsaSignature(signature)));
}

/** WebCrypto gives r and s side by side; X.509 wants Ecdsa-Sig-Value (RFC 3279, 2.2.3). */
export function ecdsaSignature(raw) {
  const half = raw.length / 2;
  return sequence(integer(raw.slice(0, half)), integer(raw.slice(half)));
}
