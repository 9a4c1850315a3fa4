// What a product does with `Tegata-Assertion`: npm's jose and the keys of the gates that the platform publishes. It prints
// the claims, or why it does not believe them.
import { readFileSync } from 'node:fs';
import { createRemoteJWKSet, customFetch, jwtVerify } from 'jose';
import { Agent, fetch } from 'undici';

const { assertion, platform, ca, gate, product, method, path } = JSON.parse(process.argv[2]);
const dispatcher = new Agent({ connect: { ca: readFileSync(ca) } });
const fetching = (url, options) => fetch(url, { ...options, dispatcher });
const metadata = await (await fetching(`${platform}/.well-known/oauth-authorization-server`)).json();
const keys = createRemoteJWKSet(new URL(metadata.tegata_gate_jwks_uri), { [customFetch]: fetching });

async function verified() {
  const { payload } = await jwtVerify(assertion, keys, {
    issuer: gate,
    audience: product,
    typ: 'tegata-assertion+jwt',
    algorithms: ['ES256'],
    maxTokenAge: 60,
    clockTolerance: 5,
    requiredClaims: ['exp', 'iat', 'jti', 'sub', 'device', 'tenant', 'site', 'generation', 'htm', 'path'],
  });
  if (payload.htm !== method || payload.path !== path) throw new Error('it is about another request');
  return payload;
}

console.log(JSON.stringify(await verified().catch((error) => ({ refused: error.code ?? error.message }))));
