// npm's openid-client, used as its documentation shows, for the life of one token.
import * as client from 'openid-client';
import { fetchWith } from './mtls.mjs';
import { verified } from './verified.mjs';

const asked = JSON.parse(process.argv[2]);
const fetch = fetchWith(asked);
const config = await client.discovery(
  new URL(asked.issuer),
  asked.device,
  { use_mtls_endpoint_aliases: true },
  client.TlsClientAuth(),
  { algorithm: 'oauth2', [client.customFetch]: fetch },
);
const metadata = config.serverMetadata();
const token = await client.clientCredentialsGrant(config, { resource: asked.resource });
const claims = await verified(token.access_token, metadata, asked.resource, fetch);
const introspected = await client.tokenIntrospection(config, token.access_token);
await client.tokenRevocation(config, token.access_token);
const afterwards = await client.tokenIntrospection(config, token.access_token);
console.log(JSON.stringify({ metadata, token, claims, introspected, afterwards }));
