// Somebody who is sent security events (RFC 8935) and believes none that npm's jose does not verify with the
// transmitter's published keys. Each first receipt is one line of JSON.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { createRemoteJWKSet, customFetch, jwtVerify } from 'jose';
import { Agent, fetch } from 'undici';

const { port, folder, ca, portal, audience, authorization, rejects } = JSON.parse(process.argv[2]);
const dispatcher = new Agent({ connect: { ca: readFileSync(ca) } });
const fetching = (url, options) => fetch(url, { ...options, dispatcher });
const transmitter = await (await fetching(`${portal}/.well-known/ssf-configuration`)).json();
const keys = createRemoteJWKSet(new URL(transmitter.jwks_uri), { [customFetch]: fetching });
const seen = new Set();
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

const server = createServer(
  { key: readFileSync(`${folder}/server.key`), cert: readFileSync(`${folder}/server.pem`) },
  async (request, response) => {
    const refuse = (err, description) => {
      say({ refused: err, description });
      response.writeHead(400, { 'content-type': 'application/json' }).end(JSON.stringify({ err, description }));
    };
    let body = '';
    for await (const part of request) body += part;
    if (request.method !== 'POST' || request.headers['content-type'] !== 'application/secevent+jwt') {
      return refuse('invalid_request', 'not a security event');
    }
    if (request.headers.authorization !== authorization) return refuse('authentication_failed', 'who are you?');
    try {
      const { payload } = await jwtVerify(body, keys, {
        issuer: transmitter.issuer,
        audience,
        typ: 'secevent+jwt',
        algorithms: ['ES256'],
        requiredClaims: ['jti', 'iat', 'sub_id', 'events'],
      });
      if (rejects && Object.keys(payload.events).some((type) => type.endsWith(rejects))) {
        return refuse('invalid_request', 'no such event here');
      }
      if (!seen.has(payload.jti)) say(payload);
      seen.add(payload.jti);
      response.writeHead(202).end();
    } catch (error) {
      refuse('invalid_key', String(error));
    }
  },
);
server.listen(port, '127.0.0.1', () => say({ listening: port, transmitter }));
