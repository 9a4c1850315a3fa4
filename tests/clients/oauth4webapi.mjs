// npm's oauth4webapi, used as its documentation shows, for the life of one token.
import * as oauth from 'oauth4webapi';
import { fetchWith } from './mtls.mjs';
import { verified } from './verified.mjs';

const asked = JSON.parse(process.argv[2]);
const fetch = fetchWith(asked);
const options = { [oauth.customFetch]: fetch };
const issuer = new URL(asked.issuer);
const discovered = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...options });
const metadata = await oauth.processDiscoveryResponse(issuer, discovered);
const client = { client_id: asked.device, use_mtls_endpoint_aliases: true };
const proof = oauth.TlsClientAuth();

const parameters = new URLSearchParams({ resource: asked.resource });
const granted = await oauth.clientCredentialsGrantRequest(metadata, client, proof, parameters, options);
const token = await oauth.processClientCredentialsResponse(metadata, client, granted);
const claims = await verified(token.access_token, metadata, asked.resource, fetch);
const introspected = await introspect();
const signed = await introspectSigned();
await oauth.processRevocationResponse(
  await oauth.revocationRequest(metadata, client, proof, token.access_token, options),
);
const afterwards = await introspect();
console.log(JSON.stringify({ metadata, token, claims, introspected, signed, afterwards }));

async function introspect() {
  const answer = await oauth.introspectionRequest(metadata, client, proof, token.access_token, options);
  return oauth.processIntrospectionResponse(metadata, client, answer);
}

// RFC 9701: the library checks type, issuer and audience, and the signature by the published keys.
async function introspectSigned() {
  const expecting = { ...client, introspection_signed_response_alg: 'ES256' };
  const asking = { ...options, requestJwtResponse: true };
  const answer = await oauth.introspectionRequest(metadata, expecting, proof, token.access_token, asking);
  const found = await oauth.processIntrospectionResponse(metadata, expecting, answer);
  await oauth.validateApplicationLevelSignature(metadata, answer, options);
  return found;
}
