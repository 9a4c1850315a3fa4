// Whom the gate let in: jose. Express middleware that puts the claims of Tegata-Assertion into `response.locals.asking`.
import { createRemoteJWKSet, jwtVerify } from 'jose';

const { TEGATA_ISSUER, TEGATA_AUDIENCE, TEGATA_GATES } = process.env;
const metadata = await (await fetch(`${TEGATA_ISSUER}/.well-known/openid-configuration`)).json();
const keys = createRemoteJWKSet(new URL(metadata.tegata_gate_jwks_uri), { cacheMaxAge: 60_000 });
const rules = {
  issuer: TEGATA_GATES.split(' '),
  audience: TEGATA_AUDIENCE,
  algorithms: ['ES256'],
  typ: 'tegata-assertion+jwt',
  clockTolerance: 5,
};

export async function onlyThroughTheGate(request, response, next) {
  try {
    const { payload } = await jwtVerify(request.get('Tegata-Assertion') ?? '', keys, rules);
    const path = request.originalUrl.split('?')[0];
    if (payload.htm !== request.method || payload.path !== path) throw new Error('it is about another request');
    response.locals.asking = payload;
    next();
  } catch (error) {
    console.error('refused: Tegata-Assertion:', error.code ?? error.message);
    response.status(401).set('WWW-Authenticate', 'Bearer').json({ error: 'not through the gate' });
  }
}

/** Text for a page. */
export const escaped = (text) => String(text).replace(/[&<>"]/g, (sign) => `&#${sign.codePointAt(0)};`);

/** A page with this body. */
export const page = (title, body) =>
  `<!doctype html><html lang="ja"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title><style>dd{overflow-wrap:anywhere}</style><main><h1>${title}</h1>${body}</main></html>`;
