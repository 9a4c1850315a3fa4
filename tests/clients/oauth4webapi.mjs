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
await oauth.processRevocationResponse(
  await oauth.revocationRequest(metadata, client, proof, token.access_token, options),
);
const afterwards = await introspect();
console.log(JSON.stringify({ metadata, token, claims, introspected, afterwards }));

async function introspect() {
  const answer = await oauth.introspectionRequest(metadata, client, proof, token.access_token, options);
  return oauth.processIntrospectionResponse(metadata, client, answer);
}
