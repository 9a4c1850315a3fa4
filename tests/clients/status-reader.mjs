// Somebody who has a token and neither introspects nor follows a feed: it reads the token's status in the list that the
// token names (draft-ietf-oauth-status-list section 8.3), with npm's jose and @sd-jwt/jwt-status-list. It prints what the
// list says of each token, or why nothing can be believed. `ahead` is how many seconds its clock is ahead.
import { readFileSync } from 'node:fs';
import { getListFromStatusListJWT } from '@sd-jwt/jwt-status-list';
import { createRemoteJWKSet, customFetch, decodeJwt, jwtVerify } from 'jose';
import { Agent, fetch } from 'undici';

const { tokens, ca, issuer, ahead } = JSON.parse(process.argv[2]);
const dispatcher = new Agent({ connect: { ca: readFileSync(ca) } });
const fetching = (url, options) => fetch(url, { ...options, dispatcher });
const metadata = await (await fetching(`${issuer}/.well-known/oauth-authorization-server`)).json();
const keys = createRemoteJWKSet(new URL(metadata.jwks_uri), { [customFetch]: fetching });
const all = await (await patiently(metadata.status_list_aggregation_endpoint)).json();

const statusOf = async (token) => {
  const { payload } = await jwtVerify(token, keys, { issuer, typ: 'at+jwt', algorithms: ['ES256'] });
  const { uri, idx } = payload.status.status_list;
  if (!all.status_lists.includes(uri)) throw new Error('the list of lists does not have it');
  const response = await patiently(uri, { headers: { accept: 'application/statuslist+jwt' } });
  if (response.status !== 200) throw new Error(`HTTP ${response.status}`);
  if (response.headers.get('content-type') !== 'application/statuslist+jwt') throw new Error('another type');
  const text = await response.text();
  await jwtVerify(text, keys, {
    issuer,
    subject: uri,
    typ: 'statuslist+jwt',
    algorithms: ['ES256'],
    requiredClaims: ['sub', 'iat', 'exp', 'ttl', 'status_list'],
    currentDate: new Date(Date.now() + (ahead ?? 0) * 1000),
  });
  const { ttl } = decodeJwt(text);
  return { uri, idx, ttl, status: getListFromStatusListJWT(text).getStatus(idx), bytes: text.length };
};

const told = [];
for (const token of tokens) {
  told.push(await statusOf(token).catch((error) => ({ refused: error.code ?? String(error) })));
}
process.stdout.write(`${JSON.stringify(told)}\n`);

// A server that has just started has no lists for a moment, and says so: whoever reads them comes again.
async function patiently(url, options) {
  for (let attempt = 0; ; attempt++) {
    const response = await fetch(url, options);
    if (response.status !== 503 || attempt === 20) return response;
    await new Promise((resolve) => { setTimeout(resolve, 250); });
  }
}
