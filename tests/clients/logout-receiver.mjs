// A product that hears that sessions have ended (OpenID Connect Back-Channel Logout), with Express and npm's jose. It says what it
// has taken, a line of JSON each, and takes nothing before it has refused `refusals` times.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import express from 'express';
import { createLocalJWKSet, createRemoteJWKSet, customFetch, jwtVerify } from 'jose';
import { Agent, fetch } from 'undici';

const { port, folder, ca, issuer, client_id, refusals, known } = JSON.parse(process.argv[2]);
const dispatcher = new Agent({ connect: { ca: readFileSync(ca) } });
const fetching = (url, options) => fetch(url, { ...options, dispatcher });
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const metadata = known?.metadata ?? (await (await fetching(`${issuer}/.well-known/openid-configuration`)).json());
const keys = known
  ? createLocalJWKSet(known.jwks)
  : createRemoteJWKSet(new URL(metadata.jwks_uri), { [customFetch]: fetching });
const event = 'http://schemas.openid.net/event/backchannel-logout';
let refused = 0;

const product = express();
product.post('/logout', express.urlencoded({ extended: false }), async (request, response) => {
  if (refused++ < refusals) return response.status(503).end();
  try {
    const { payload, protectedHeader } = await jwtVerify(request.body.logout_token, keys, {
      issuer,
      audience: client_id,
      typ: 'logout+jwt',
      algorithms: ['ES256'],
      requiredClaims: ['iat', 'exp', 'jti', 'sid', 'sub', 'events'],
      maxTokenAge: '2 minutes',
    });
    if (!payload.events[event] || 'nonce' in payload) throw new Error('no logout token');
    say({ taken: payload, header: protectedHeader, refused: refused - 1, supported: metadata.backchannel_logout_session_supported });
    response.set('cache-control', 'no-store').end();
  } catch (error) {
    say({ invalid: String(error) });
    response.status(400).json({ error: 'invalid_request' });
  }
});
const files = { key: readFileSync(`${folder}/server.key`), cert: readFileSync(`${folder}/server.pem`) };
createServer(files, product).listen(port, '127.0.0.1', () => say({ listening: port }));
