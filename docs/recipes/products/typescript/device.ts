// A product in TypeScript that lets enrolled devices in and nobody else: Express, jose, undici.
import { constants } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer as createPlain } from 'node:http';
import { createServer } from 'node:https';
import express from 'express';
import { gates, onlyDevices, setting } from './tegata.js';

const app = express();
app.use(onlyDevices);
app.use((_request, response) => {
  response.json(response.locals.device);
});

function server() {
  // The gate, or the proxy before it, ends TLS.
  if (gates.length) return createPlain(app);
  const file = (name: string) => readFileSync(setting(name));
  return createServer({
    cert: file('TLS_CERTIFICATE'),
    key: file('TLS_KEY'),
    ca: file('TEGATA_CLIENT_CA'),
    // Every certificate is taken, because the token says which one it must be.
    requestCert: true,
    rejectUnauthorized: false,
    // A resumed session is not verified again.
    secureOptions: constants.SSL_OP_NO_TICKET,
  }, app);
}

server().listen(Number(setting('PORT')), setting('HOST'));
