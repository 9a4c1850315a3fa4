// Kinds of keys that the page can make, by the names the server gives them.

/** WebCrypto's parameters: to make a key, to sign a request with it, and the signature's OID (RFC 5758, RFC 8017). */
const KINDS = {
  'P-256': elliptic('P-256', 'SHA-256', '1.2.840.10045.4.3.2'),
  'P-384': elliptic('P-384', 'SHA-384', '1.2.840.10045.4.3.3'),
  'RSA-2048': rsa(2048),
  'RSA-3072': rsa(3072),
  'RSA-4096': rsa(4096),
};

/**
 * `{pair, kind}` of the first of these kinds that this browser can make. `kinds`: names in the server's order of
 * preference. Throws when there is none.
 */
export async function newKey(kinds, subtle) {
  for (const name of kinds) {
    const kind = KINDS[name];
    const pair = kind && await subtle.generateKey(kind.algorithm, true, ['sign', 'verify']).catch(() => undefined);
    if (pair) return { pair, kind };
  }
  throw new Error('no kind of key that this browser can make');
}

function elliptic(namedCurve, hash, oid) {
  return { algorithm: { name: 'ECDSA', namedCurve }, signing: { name: 'ECDSA', hash }, oid };
}

function rsa(modulusLength) {
  const algorithm = {
    name: 'RSASSA-PKCS1-v1_5', modulusLength, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256',
  };
  return { algorithm, signing: { name: algorithm.name }, oid: '1.2.840.113549.1.1.11' };
}
