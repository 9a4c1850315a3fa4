// Lets enrolled devices into a product in Express and nobody else: jose, undici.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { TLSSocket } from 'node:tls';
import type { Request, RequestHandler } from 'express';
import {
  createRemoteJWKSet, customFetch, errors, jwtVerify, type FetchImplementation, type JWTVerifyGetKey,
  type JWTVerifyOptions,
} from 'jose';
import { Agent, fetch } from 'undici';

/** A setting from the environment: `rezept.env` has them all. */
export function setting(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}

/** Where a gate stands before the product, the names of those gates. */
export const gates = (process.env.TEGATA_GATES ?? '').split(' ').filter(Boolean);

export interface Device {
  device: string;
  tenant: string;
  site: string;
  generation: number;
}

interface TokenClaims extends Device {
  cnf?: { 'x5t#S256'?: string };
}

interface AssertionClaims extends Device {
  htm?: string;
  path?: string;
}

interface Metadata {
  issuer: string;
  jwks_uri: string;
  tegata_gate_jwks_uri?: string;
  mtls_endpoint_aliases: { introspection_endpoint: string };
}

/** Why somebody does not pass, in words without secrets: they go into the answer and the log. */
class Refused extends Error {
  constructor(readonly status: number, readonly error: string | undefined, description: string) {
    super(description);
  }
}
const badToken = (description: string) => new Refused(401, 'invalid_token', description);
const badAssertion = (description: string) => new Refused(400, 'invalid_request', description);
const unavailable = () => new Refused(503, 'temporarily_unavailable', 'the platform cannot be asked');

const issuer = setting('TEGATA_ISSUER');
const audience = setting('TEGATA_AUDIENCE');
const identity = (name: string) => readFileSync(`${setting('TEGATA_IDENTITY')}/${name}`);
const dispatcher = new Agent({
  connect: {
    ca: readFileSync(setting('TEGATA_TLS_CA')),
    ...(gates.length === 0 && { cert: identity('chain.pem'), key: identity('key.pem') }),
  },
  headersTimeout: 3000,
});
const ask = (url: string, options: object = {}) => fetch(url, { ...options, dispatcher });
const metadata = await (await ask(`${issuer}/.well-known/oauth-authorization-server`)).json() as Metadata;
if (metadata.issuer !== issuer) throw new Error(`TEGATA_ISSUER is ${issuer}, the platform is ${metadata.issuer}`);
const keys = keySet(gates.length === 0 ? metadata.jwks_uri : metadata.tegata_gate_jwks_uri);

function keySet(url: string | undefined): JWTVerifyGetKey {
  if (!url) throw new Error('the platform does not publish the keys of gates');
  // So long a key that was withdrawn is believed.
  const rules = { cacheMaxAge: 60_000, [customFetch]: ask as unknown as FetchImplementation };
  return createRemoteJWKSet(new URL(url), rules);
}

/** Lets a request through that its device may make, which is in `response.locals.device` then. */
export const onlyDevices: RequestHandler = async (request, response, next) => {
  try {
    response.locals.device = gates.length === 0 ? await byToken(request) : await byAssertion(request);
  } catch (error) {
    const { status, error: code, message } = error instanceof Refused ? error : unavailable();
    console.error(`refused status=${status} error=${code ?? '-'} description="${message}" certificate=${presented(request) ?? '-'}`);
    if (status === 503) response.set('Retry-After', '1');
    // RFC 6750 section 3.1: no error code for whoever sent no token.
    else response.set('WWW-Authenticate', code ? `Bearer error="${code}", error_description="${message}"` : 'Bearer');
    response.status(status).set('Cache-Control', 'no-store').json({ error: code, error_description: message });
    return;
  }
  next();
};

/** A token that is bound to the certificate of its connection, and lives. */
async function byToken(request: Request): Promise<Device> {
  const token = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
  if (!token) throw new Refused(401, undefined, 'no access token');
  const rules = { issuer, typ: 'at+jwt', maxTokenAge: '1h' };
  const claims = await verified<TokenClaims>('the access token', token, rules, badToken);
  const bound = claims.cnf?.['x5t#S256'];
  if (!bound) throw badToken('the access token is bound to no certificate');
  const certificate = presented(request);
  if (!certificate) throw badToken('no client certificate on the connection: does a proxy before the product end TLS?');
  if (certificate !== bound) throw badToken("the access token is bound to another certificate than the connection's");
  if (!(await isLive(token))) throw badToken('the access token, its device or its certificate was stopped');
  return claims;
}

/** What the gate before the product says, signed, about this very request. */
async function byAssertion(request: Request): Promise<Device> {
  const assertion = request.get('Tegata-Assertion');
  if (!assertion) {
    throw badAssertion('Tegata-Assertion is missing: the request did not pass the gate, or the proxy drops the header');
  }
  const rules = { issuer: gates, typ: 'tegata-assertion+jwt', maxTokenAge: 60 };
  const claims = await verified<AssertionClaims>('Tegata-Assertion', assertion, rules, badAssertion);
  if (claims.htm !== request.method || claims.path !== request.originalUrl.split('?')[0]) {
    throw badAssertion('Tegata-Assertion is for another request');
  }
  return claims;
}

/** The signature, and what all that is signed says about itself. */
async function verified<Claims>(
  what: string, text: string, rules: JWTVerifyOptions, refused: (description: string) => Refused,
): Promise<Claims> {
  try {
    const common = { audience, algorithms: ['ES256'], clockTolerance: 5, requiredClaims: ['exp', 'iat'] };
    return (await jwtVerify<Claims>(text, keys, { ...common, ...rules })).payload;
  } catch (error) {
    const why = cause(error);
    throw why ? refused(`${what} ${why}`) : unavailable();
  }
}

/** Nothing where it is not the fault of what was sent. */
function cause(error: unknown): string | undefined {
  if (error instanceof errors.JWTExpired) return 'has expired';
  if (error instanceof errors.JWTClaimValidationFailed) {
    const causes: Record<string, string> = {
      iss: 'is of another issuer',
      aud: 'is for another product',
      iat: 'is not valid yet: compare the clocks',
      nbf: 'is not valid yet: compare the clocks',
    };
    return error.reason === 'check_failed' && causes[error.claim] || 'is malformed or of another type';
  }
  if (error instanceof errors.JWSSignatureVerificationFailed || error instanceof errors.JWKSNoMatchingKey) {
    return 'is signed by no present key';
  }
  const malformed = [errors.JWSInvalid, errors.JWTInvalid, errors.JOSEAlgNotAllowed, errors.JOSENotSupported];
  return malformed.some((kind) => error instanceof kind) ? 'is malformed or of another type' : undefined;
}

/** SHA-256 of the certificate that the connection proved to hold. */
function presented(request: Request): string | undefined {
  const certificate = (request.socket as TLSSocket).getPeerX509Certificate?.();
  return certificate && createHash('sha256').update(certificate.raw).digest('base64url');
}

/** What only the platform knows: whether the device, its certificate or the token was stopped (RFC 7662). */
async function isLive(token: string): Promise<boolean> {
  const body = new URLSearchParams({ token, client_id: setting('TEGATA_CLIENT_ID') });
  const answer = await ask(metadata.mtls_endpoint_aliases.introspection_endpoint, { method: 'POST', body });
  if (!answer.ok) throw unavailable();
  return (await answer.json() as { active: boolean }).active === true;
}
