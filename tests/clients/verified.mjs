// What a product without a gate of its own does with a token: npm's jose and the issuer's published keys.
import { createRemoteJWKSet, customFetch, jwtVerify } from 'jose';

/** The claims of an RFC 9068 access token for `audience`, or an error. */
export async function verified(token, metadata, audience, fetch) {
  const keys = createRemoteJWKSet(new URL(metadata.jwks_uri), { [customFetch]: fetch });
  const { payload } = await jwtVerify(token, keys, {
    issuer: metadata.issuer,
    audience,
    typ: 'at+jwt',
    algorithms: ['ES256'],
    requiredClaims: ['exp', 'iat', 'sub', 'client_id', 'jti'],
  });
  return payload;
}
