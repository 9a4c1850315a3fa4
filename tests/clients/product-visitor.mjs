// A person who opens a product behind a gate with sessions: forms and cookies, and nothing else.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'undici';
import { Visitor } from './visitor.mjs';

const asked = JSON.parse(process.argv[2]);
const [cert, key, ca] = [asked.device.cert, asked.device.key, asked.device.ca].map((path) => readFileSync(path));
const dispatcher = new Agent({ connect: { cert, key, ca } });

/** What a browser sends when somebody opens a page; `fetch` would say that a script does. */
async function navigate(url, { method = 'GET', headers, body }) {
  const sent = { ...headers, 'sec-fetch-mode': 'navigate' };
  if (body) sent['content-type'] = 'application/x-www-form-urlencoded';
  const answer = await request(url, { method, headers: sent, body: body?.toString(), dispatcher });
  const pairs = Object.entries(answer.headers).flatMap(([name, values]) => [values].flat().map((value) => [name, value]));
  return { status: answer.statusCode, headers: new Headers(pairs), text: () => answer.body.text() };
}

const visitor = new Visitor(navigate, existsSync(asked.codes) ? JSON.parse(readFileSync(asked.codes)) : []);
if (asked.setup) await visitor.setUp(asked.setup, asked.password);
const led = await visitor.open(asked.product);
if (led.status !== 303) throw new Error(`no way to the sign-in: ${led.html}`);
const back = await visitor.open(await visitor.authorize(led.next, asked.login, asked.password));
if (back.next !== asked.product) throw new Error(`it comes back to ${back.next}: ${back.html}`);
const { html } = await visitor.open(back.next);
writeFileSync(asked.codes, JSON.stringify(visitor.codes));
console.log(html);
