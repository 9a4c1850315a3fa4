// npm's openid-client, used as its documentation shows, from a sign-in to a sign-out: as a page on the device, and as a backend
// with a certificate of its own that pushes its requests.
import * as client from 'openid-client';
import { fetchWith } from './mtls.mjs';
import { Visitor } from './visitor.mjs';

const asked = JSON.parse(process.argv[2]);
const deviceFetch = fetchWith(asked.device);
const visitor = new Visitor(deviceFetch);
await visitor.setUp(asked.setup, asked.password);

const page = await life(asked.page, client.None(), deviceFetch, client.buildAuthorizationUrl);
const backend = await life(
  asked.backend,
  client.TlsClientAuth(),
  fetchWith(asked.backend),
  client.buildAuthorizationUrlWithPAR,
);
console.log(JSON.stringify({ page, backend }));

async function life({ client_id, redirect_uri, signed_out }, method, fetch, authorizationUrl) {
  const options = { [client.customFetch]: fetch };
  const config = await client.discovery(new URL(asked.issuer), client_id, undefined, method, options);
  const [verifier, state, nonce] = [client.randomPKCECodeVerifier(), client.randomState(), client.randomNonce()];
  const url = await authorizationUrl(config, {
    redirect_uri,
    scope: 'openid profile',
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
    max_age: '3600',
    acr_values: 'urn:tegata:acr:person',
  });
  const back = await visitor.authorize(url, 'sato', asked.password);
  const checks = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, maxAge: 3600, idTokenExpected: true };
  const tokens = await client.authorizationCodeGrant(config, new URL(back), checks);
  const claims = tokens.claims();
  const userinfo = await client.fetchUserInfo(config, tokens.access_token, claims.sub);
  const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token);
  const replayed = await client.authorizationCodeGrant(config, new URL(back), checks).catch((error) => error.error);
  const silent = await visitor.authorize(await authorizationUrl(config, {
    redirect_uri,
    scope: 'openid',
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    prompt: 'none',
    state,
  }));
  const end = client.buildEndSessionUrl(config, { id_token_hint: tokens.id_token, post_logout_redirect_uri: signed_out, state });
  const left = await visitor.open(end.href);
  const over = await client.refreshTokenGrant(config, refreshed.refresh_token).catch((error) => error.error);
  return { claims, userinfo, replayed, silent, left: left.next, expected: `${signed_out}?state=${state}`, over };
}
