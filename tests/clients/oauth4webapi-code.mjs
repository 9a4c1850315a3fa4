// npm's oauth4webapi, used as its documentation shows: a page on a device lets the device in for itself, and a person in by a
// sign-in that it wants anew; and with a key of its own (DPoP).
import * as oauth from 'oauth4webapi';
import { fetchWith } from './mtls.mjs';
import { Visitor } from './visitor.mjs';

const asked = JSON.parse(process.argv[2]);
const fetch = fetchWith(asked.device);
const options = { [oauth.customFetch]: fetch };
const visitor = new Visitor(fetch);
const issuer = new URL(asked.issuer);
const metadata = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, options));
await visitor.setUp(asked.setup, asked.password);

const device = await life({ acr_values: 'urn:tegata:acr:device', prompt: 'none' });
const person = await life({ prompt: 'login' });
const again = await life({ prompt: 'login', max_age: '0' });
const byKey = await life({ acr_values: 'urn:tegata:acr:device' }, asked.pageByKey, await oauth.generateKeyPair('ES256'));
console.log(JSON.stringify({ device, person, again, byKey }));

async function life(others, page = asked.page, keyPair = undefined) {
  const client = { client_id: page.client_id };
  const DPoP = keyPair && oauth.DPoP(client, keyPair);
  const [verifier, state, nonce] = [oauth.generateRandomCodeVerifier(), oauth.generateRandomState(), oauth.generateRandomNonce()];
  const url = new URL(metadata.authorization_endpoint);
  url.search = new URLSearchParams({
    client_id: client.client_id,
    response_type: 'code',
    redirect_uri: page.redirect_uri,
    scope: 'openid',
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
    ...(DPoP && { dpop_jkt: await DPoP.calculateThumbprint() }),
    ...others,
  });
  const back = new URL(await visitor.authorize(url, 'suzuki', asked.password));
  const parameters = oauth.validateAuthResponse(metadata, client, back, state);
  const request = () =>
    oauth.authorizationCodeGrantRequest(
      metadata, client, oauth.None(), parameters, page.redirect_uri, verifier, { ...options, DPoP },
    );
  const process = (answer) =>
    oauth.processAuthorizationCodeResponse(metadata, client, answer, { expectedNonce: nonce, requireIdToken: true });
  let answer = await request();
  const tokens = await process(answer).catch(async (error) => {
    if (!oauth.isDPoPNonceError(error)) throw error;
    answer = await request();
    return process(answer);
  });
  await oauth.validateApplicationLevelSignature(metadata, answer, options);
  return { ...oauth.getValidatedIdTokenClaims(tokens), token_type: tokens.token_type };
}
