// npm's openid-client, used as its documentation shows, from a sign-in to a sign-out: as a page on the device that registers itself,
// and as a backend with a certificate of its own that pushes its requests; and both with a key of their own (DPoP), the page also
// at a gate that no certificate reaches.
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
const pageByKey = await life(asked.pageByKey, client.None(), deviceFetch, client.buildAuthorizationUrl, true);
const backendByKey = await life(
  asked.backendByKey,
  client.TlsClientAuth(),
  fetchWith(asked.backend),
  client.buildAuthorizationUrlWithPAR,
  true,
);
console.log(JSON.stringify({ page, backend, pageByKey, backendByKey }));

/** The product is behind a proxy that passes no certificates on: it asks the gate for each request. */
function throughProxy(fetch) {
  const { origin, gate } = asked.product;
  return (url, options) => {
    const { origin: wanted, pathname, search } = new URL(url);
    return wanted === origin ? globalThis.fetch(`${gate}/check${pathname}${search}`, options) : fetch(url, options);
  };
}

/** A client that is registered, or one that registers itself: every server knows it within a second. */
async function configured({ client_id, redirect_uri, signed_out, initial_token }, method, options) {
  const issuer = new URL(asked.issuer);
  if (!initial_token) return client.discovery(issuer, client_id, undefined, method, options);
  const wanted = {
    token_endpoint_auth_method: 'none',
    redirect_uris: [redirect_uri],
    post_logout_redirect_uris: [signed_out],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
  };
  const config = await client.dynamicClientRegistration(issuer, wanted, method, { ...options, initialAccessToken: initial_token });
  await new Promise((resolve) => setTimeout(resolve, 1500));
  return config;
}

async function life(who, method, fetch, authorizationUrl, byKey = false) {
  const { redirect_uri, signed_out } = who;
  const config = await configured(who, method, { [client.customFetch]: throughProxy(fetch) });
  const [verifier, state, nonce] = [client.randomPKCECodeVerifier(), client.randomState(), client.randomNonce()];
  const DPoP = byKey ? client.getDPoPHandle(config, await client.randomDPoPKeyPair()) : undefined;
  const bound = { DPoP };
  const url = await authorizationUrl(config, {
    ...(byKey && { dpop_jkt: await DPoP.calculateThumbprint() }),
    redirect_uri,
    scope: 'openid profile',
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
    max_age: '3600',
    acr_values: 'urn:tegata:acr:person',
  }, bound);
  const back = await visitor.authorize(url, 'sato', asked.password);
  const checks = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, maxAge: 3600, idTokenExpected: true };
  const tokens = await client.authorizationCodeGrant(config, new URL(back), checks, undefined, bound);
  const claims = tokens.claims();
  const userinfo = await client.fetchUserInfo(config, tokens.access_token, claims.sub, bound);
  const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token, undefined, bound);
  const product = byKey && (await enter(config, refreshed.access_token, bound));
  const replayed = await client.authorizationCodeGrant(config, new URL(back), checks, undefined, bound).catch((error) => error.error);
  const silent = await visitor.authorize(await authorizationUrl(config, {
    redirect_uri,
    scope: 'openid',
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    prompt: 'none',
    state,
  }, bound));
  const end = client.buildEndSessionUrl(config, { id_token_hint: tokens.id_token, post_logout_redirect_uri: signed_out, state });
  const left = await visitor.open(end.href);
  const over = await client.refreshTokenGrant(config, refreshed.refresh_token, undefined, bound).catch((error) => error.error);
  return { client_id: config.clientMetadata().client_id, type: refreshed.token_type, product, claims, userinfo, replayed, silent, left: left.next, expected: `${signed_out}?state=${state}`, over };
}

/** What the gate says to the token with a proof, and to the token alone. */
async function enter(config, token, bound) {
  const url = new URL(`${asked.product.origin}/orders?page=2`);
  const entered = await client
    .fetchProtectedResource(config, token, url, 'GET', undefined, undefined, bound)
    .catch((error) => error.response ?? error.cause);
  const stripped = await throughProxy()(url, { headers: { authorization: `Bearer ${token}` } });
  const told = (answer) => ({
    status: answer.status, device: answer.headers?.get('tegata-device'), refusal: answer.headers?.get('tegata-refusal'),
  });
  return { entered: told(entered), stripped: told(stripped) };
}
