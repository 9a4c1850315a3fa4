// A product in TypeScript that lets enrolled devices in and nobody else: Express, jose, undici.
import { constants, createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { TLSSocket } from 'node:tls';
import express, { type RequestHandler } from 'express';
import { createRemoteJWKSet, customFetch, errors, jwtVerify, type FetchImplementation } from 'jose';
import { Agent, fetch } from 'undici';

const issuer = 'https://ca.example.jp';
const audience = 'https://rezept.example.jp';
const self = 'ID-OF-THE-GATE'; // `tegata invite --gate rezept`; `tegata enroll … --out /etc/rezept/gate` prints it
const file = (name: string) => readFileSync(`/etc/rezept/${name}`);

const dispatcher = new Agent({
  connect: { ca: file('tls_ca.pem'), cert: file('gate/chain.pem'), key: file('gate/key.pem') },
  headersTimeout: 3000,
});
const ask = (url: string, options: object = {}) => fetch(url, { ...options, dispatcher });
const metadata = await (await ask(`${issuer}/.well-known/oauth-authorization-server`)).json() as Metadata;
if (metadata.issuer !== issuer) throw new Error(`this is ${metadata.issuer}`);
const keys = createRemoteJWKSet(new URL(metadata.jwks_uri), { [customFetch]: ask as unknown as FetchImplementation });

interface Metadata {
  issuer: string;
  jwks_uri: string;
  mtls_endpoint_aliases: { introspection_endpoint: string };
}

export interface Claims {
  device: string;
  tenant: string;
  site: string;
  generation: number;
  cnf: { 'x5t#S256': string };
}

/** Lets a request through whose token is bound to the certificate of its connection, and lives. */
export const onlyDevices: RequestHandler = async (request, response, next) => {
  const refuse = (status: number, challenge?: string) => {
    if (challenge) response.set('WWW-Authenticate', challenge);
    response.status(status).end();
  };
  const token = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
  if (!token) return refuse(401, 'Bearer');
  try {
    const claims = await verified(token);
    const certificate = (request.socket as TLSSocket).getPeerX509Certificate();
    const presented = certificate && createHash('sha256').update(certificate.raw).digest('base64url');
    if (!presented || presented !== claims.cnf?.['x5t#S256'] || !(await isLive(token))) {
      return refuse(401, 'Bearer error="invalid_token"');
    }
    response.locals.device = claims;
    next();
  } catch (error) {
    const isTheTokens = error instanceof errors.JOSEError && !(error instanceof errors.JWKSTimeout);
    // The platform is out of reach: nobody passes.
    isTheTokens ? refuse(401, 'Bearer error="invalid_token"') : refuse(503);
  }
};

/** The signature, and what the token says about itself (RFC 9068). */
async function verified(token: string): Promise<Claims> {
  const rules = { issuer, audience, algorithms: ['ES256'], typ: 'at+jwt', clockTolerance: 5, requiredClaims: ['exp'] };
  return (await jwtVerify<Claims>(token, keys, rules)).payload;
}

/** What only the platform knows: whether the device, its certificate or the token was stopped (RFC 7662). */
async function isLive(token: string): Promise<boolean> {
  const body = new URLSearchParams({ token, client_id: self });
  const answer = await ask(metadata.mtls_endpoint_aliases.introspection_endpoint, { method: 'POST', body });
  if (!answer.ok) throw new Error(`introspection: ${answer.status}`);
  return (await answer.json() as { active: boolean }).active === true;
}

const app = express();
app.use(onlyDevices);
app.get('/', (_request, response) => {
  response.json(response.locals.device);
});

// Every certificate is taken, because the token says which one it must be; none is asked for again on a session of
// before, because none is resumed.
createServer({
  cert: file('server.pem'),
  key: file('server.key'),
  ca: file('tegata-chain.pem'),
  requestCert: true,
  rejectUnauthorized: false,
  secureOptions: constants.SSL_OP_NO_TICKET,
}, app).listen(8443);
