// npm's oidc-provider as a tenant's identity provider, and products that people sign in to there. One line of JSON in,
// one out: {"person", "stores", "algorithm"} signs somebody in by the code flow with PKCE, {"rotate": true} changes the
// signing keys, {"redirect": URL} answers every request with a redirect. {"client", "ca"} registers one more client whose
// people sign in by a page, and whose server that CA vouches for; {"stop": ID} ends whatever sessions a person has.
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
// The sessions that were begun, by the names that ID tokens have of them, and whose they are.
const seen = new Map();
let answer = (request, response) => response.writeHead(503).end();
let own = [];
let reachOwn;
let provider;

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
  } else if (wanted.client) {
    own = [wanted.client];
    const agent = new Agent({ connect: { ca: readFileSync(wanted.ca) } });
    reachOwn = (url, options) => undici(url, { ...options, dispatcher: agent });
    open();
    say({});
  } else if (wanted.stop) {
    say(await stop(wanted.stop));
  } else if (wanted.redirect) {
    answer = (request, response) => response.writeHead(302, { location: wanted.redirect }).end();
    say({});
  } else {
    say(await signIn(wanted));
  }
}

function open() {
  provider = new Provider(issuer, {
    jwks: { keys: keys() },
    clients: [
      ...ALGORITHMS.map((algorithm) => ({
        client_id: `app-${algorithm}`,
        client_secret: 'secret',
        redirect_uris: [CALLBACK],
        id_token_signed_response_alg: algorithm,
      })),
      ...own,
    ],
    ...(reachOwn && { fetch: reachOwn }),
    enabledJWA: { idTokenSigningAlgValues: ALGORITHMS },
    scopes: ['openid', 'profile'],
    claims: { openid: ['sub', 'stores', 'amr'], profile: ['name'] },
    conformIdTokenClaims: false,
    findAccount: (context, id) => ({
      accountId: id,
      claims: () => ({ sub: id, stores: stores.get(id) ?? ['本店'], name: '鈴木 一郎' }),
    }),
    interactions: { url: (context, interaction) => `/interaction/${interaction.uid}` },
    loadExistingGrant,
    extraTokenClaims: (context, token) => ({ stores: stores.get(token.accountId) }),
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: { enabled: true, logoutSource: askToSignOut },
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
  provider.on('authorization_code.saved', ({ sid, accountId }) => sid && seen.set(sid, accountId));
  const serve = provider.callback();
  answer = (request, response) =>
    request.url.startsWith('/interaction/') ? logIn(request, response) : serve(request, response);
}

function keys() {
  const pairs = [
    generateKeyPairSync('rsa', { modulusLength: 2048 }),
    generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    generateKeyPairSync('ed25519'),
  ];
  return pairs.map((pair) => ({ ...pair.privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig' }));
}

// The login page of somebody who has nothing to type: whom the application hints at is signed in. People of one's own client
// type who they are, which is proof enough here.
async function logIn(request, response) {
  const { params, uid } = await provider.interactionDetails(request, response);
  const isOwn = own.some((one) => one.client_id === params.client_id);
  if (isOwn && request.method === 'GET') {
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
    response.end(
      `<!doctype html><html lang="${params.ui_locales}"><title>Aoba</title><form method="post" action="/interaction/${uid}">` +
        '<label for="person">ID</label><input id="person" name="person"><button id="log-in">OK</button></form></html>',
    );
    return;
  }
  let accountId = params.login_hint;
  if (isOwn) accountId = new URLSearchParams(await readAll(request)).get('person');
  await provider.interactionFinished(request, response, { login: { accountId, amr: ['pwd', 'otp', 'mfa'] } });
}

async function readAll(request) {
  let text = '';
  for await (const part of request) text += part;
  return text;
}

function askToSignOut(context, form) {
  context.body = `<!doctype html><html lang="ja"><title>Aoba</title>${form}<button id="leave" form="op.logoutForm" name="logout" value="yes">OK</button></html>`;
}

// What an administrator of the provider does: the client hears that all sessions of a person have ended.
async function stop(accountId) {
  const client = await provider.Client.find(own[0].client_id);
  const sids = [...seen].filter(([, who]) => who === accountId).map(([sid]) => sid);
  for (const sid of sids) await client.backchannelLogout(accountId, sid);
  return { sent: sids.length };
}

// Everybody has agreed to everything.
async function loadExistingGrant(context) {
  const { client: app, session, provider } = context.oidc;
  const grant = new provider.Grant({ clientId: app.clientId, accountId: session.accountId });
  grant.addOIDCScope('openid profile');
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
