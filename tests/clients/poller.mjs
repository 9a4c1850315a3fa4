// Somebody who asks for security events (RFC 8936) and believes none that npm's jose does not verify with the
// transmitter's published keys. Where to ask it finds out itself, from the transmitter's metadata and its own stream's
// configuration. Each first receipt is one line of JSON; so is a token that comes again after it was acknowledged.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { createRemoteJWKSet, customFetch, jwtVerify } from 'jose';
import { Agent, fetch } from 'undici';
import { fetchWith } from './mtls.mjs';

const { cert, key, ca, portal, stream, audience, most, forgets } = JSON.parse(process.argv[2]);
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const anybody = new Agent({ connect: { ca: readFileSync(ca) } });
const fetching = (url, options) => fetch(url, { ...options, dispatcher: anybody });
const asMyself = fetchWith({ cert, key, ca });

const patiently = async (what) => {
  for (;;) {
    try {
      return await what();
    } catch {
      await sleep(100);
    }
  }
};
const transmitter = await patiently(async () => (await fetching(`${portal}/.well-known/ssf-configuration`)).json());
const configuration = await patiently(async () =>
  (await asMyself(`${transmitter.configuration_endpoint}?stream_id=${stream}`)).json(),
);
say({ transmitter, configuration });
const keys = createRemoteJWKSet(new URL(transmitter.jwks_uri), { [customFetch]: fetching });
const seen = new Set();
const acknowledged = new Set();
let ack = [];
for (;;) {
  const body = JSON.stringify({ ack, ...(most && { maxEvents: most }) });
  const options = { method: 'POST', headers: { 'content-type': 'application/json' }, body };
  const answer = await patiently(() => asMyself(configuration.delivery.endpoint_url, options));
  if (!answer.ok) {
    const told = await patiently(() => answer.json());
    if (answer.status < 500) say({ refused: answer.status, ...told });
    await sleep(200);
    continue;
  }
  const { sets } = await answer.json().catch(() => ({ sets: null }));
  if (!sets) continue;
  ack.forEach((jti) => acknowledged.add(jti));
  ack = [];
  for (const [jti, token] of Object.entries(sets)) {
    const { payload } = await jwtVerify(token, keys, {
      issuer: transmitter.issuer,
      audience,
      typ: 'secevent+jwt',
      algorithms: ['ES256'],
      requiredClaims: ['jti', 'iat', 'sub_id', 'events'],
    });
    if (payload.jti !== jti || acknowledged.has(jti)) say({ wrong: jti, payload });
    if (!seen.has(jti)) say(payload);
    seen.add(jti);
    if (!forgets) ack.push(jti);
  }
  if (forgets) await sleep(100);
}
