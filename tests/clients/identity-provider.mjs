// npm's oidc-provider as a tenant's identity provider, and products that people sign in to there. One line of JSON in,
// one out: {"person", "stores", "algorithm"} signs somebody in by the code flow with PKCE, {"rotate": true} changes the
// signing keys, {"redirect": URL} answers every request with a redirect.
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { createInterface } from 'node:readline';
import Provider from 'oidc-provider';
import * as client from 'openid-client';
import { Agent, fetch as undici } from 'undici';

// Standard output is for answers.
console.info = console.error;

const asked = JSON.parse(process.argv[2]);
const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'EdDSA'];
const CALLBACK = 'https://app.invalid/callback';
const dispatcher = new Agent({ connect: { ca: readFileSync(asked.ca) } });
const fetch = (url, options) => undici(url, { ...options, dispatcher });
const stores = new Map();
let answer = (request, response) => response.writeHead(503).end();

const server = createServer(
  { cert: readFileSync(asked.cert), key: readFileSync(asked.key) },
  (request, response) => answer(request, response),
);
await new Promise((listening) => server.listen(asked.port ?? 0, '127.0.0.1', listening));
const issuer = `https://localhost:${server.address().port}`;
open();
say({ issuer });

for await (const line of createInterface({ input: process.stdin })) {
  const wanted = JSON.parse(line);
  if (wanted.rotate) {
    open();
    say({});
  } else if (wanted.redirect) {
    answer = (request, response) => response.writeHead(302, { location: wanted.redirect }).end();
    say({});
  } else {
    say(await signIn(wanted));
  }
}

function open() {
  const provider = new Provider(issuer, {
    jwks: { keys: keys() },
    clients: ALGORITHMS.map((algorithm) => ({
      client_id: `app-${algorithm}`,
      client_secret: 'secret',
      redirect_uris: [CALLBACK],
      id_token_signed_response_alg: algorithm,
    })),
    enabledJWA: { idTokenSigningAlgValues: ALGORITHMS },
    scopes: ['openid'],
    claims: { openid: ['sub', 'stores'] },
    conformIdTokenClaims: false,
    findAccount: (context, id) => ({
      accountId: id,
      claims: () => ({ sub: id, stores: stores.get(id) }),
    }),
    interactions: { url: (context, interaction) => `/interaction/${interaction.uid}` },
    loadExistingGrant,
    extraTokenClaims: (context, token) => ({ stores: stores.get(token.accountId) }),
    features: {
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (context, resource, app) => ({
          scope: '',
          audience: resource,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: app.idTokenSignedResponseAlg } },
        }),
        useGrantedResource: () => true,
      },
    },
  });
  const serve = provider.callback();
  answer = (request, response) =>
    request.url.startsWith('/interaction/') ? logIn(provider, request, response) : serve(request, response);
}

function keys() {
  const pairs = [
    generateKeyPairSync('rsa', { modulusLength: 2048 }),
    generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    generateKeyPairSync('ed25519'),
  ];
  return pairs.map((pair) => ({ ...pair.privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig' }));
}

// The login page of somebody who has nothing to type: whom the application hints at is signed in.
async function logIn(provider, request, response) {
  const { params } = await provider.interactionDetails(request, response);
  await provider.interactionFinished(request, response, { login: { accountId: params.login_hint } });
}

// Everybody has agreed to everything.
async function loadExistingGrant(context) {
  const { client: app, session, provider } = context.oidc;
  const grant = new provider.Grant({ clientId: app.clientId, accountId: session.accountId });
  grant.addOIDCScope('openid');
  await grant.save();
  return grant;
}

async function signIn({ person, stores: works, algorithm = 'RS256', resource }) {
  stores.set(person, works);
  const config = await client.discovery(
    new URL(issuer),
    `app-${algorithm}`,
    { client_secret: 'secret', id_token_signed_response_alg: algorithm },
    client.ClientSecretBasic('secret'),
    { [client.customFetch]: fetch },
  );
  const verifier = client.randomPKCECodeVerifier();
  const start = client.buildAuthorizationUrl(config, {
    redirect_uri: CALLBACK,
    scope: 'openid',
    login_hint: person,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    ...(resource && { resource }),
  });
  const callback = await browse(start);
  const tokens = await client.authorizationCodeGrant(
    config,
    callback,
    { pkceCodeVerifier: verifier },
    resource && { resource },
  );
  return { id_token: tokens.id_token, access_token: tokens.access_token };
}

// A browser: follows redirects with its cookies until it would leave for the application.
async function browse(url) {
  const cookies = new Map();
  while (!url.href.startsWith(CALLBACK)) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(url, { redirect: 'manual', headers: { cookie } });
    for (const set of response.headers.getSetCookie()) {
      const [name, value] = set.split(';')[0].split(/=(.*)/s);
      cookies.set(name, value);
    }
    const location = response.headers.get('location');
    if (!location) throw new Error(`${response.status} at ${url}: ${await response.text()}`);
    url = new URL(location, url);
  }
  return url;
}

function say(line) {
  console.log(JSON.stringify(line));
}
