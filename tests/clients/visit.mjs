// A person's browser for a client in another language: sets the person up where `setup` is given, goes to `url` as often as it
// leads on, signing in where it is asked to, until an address begins with `until` or, where there is none, until a page stays.
// Prints where it came to, the page and what it needs to go on.
import { request } from 'undici';
import { fetchWith } from './mtls.mjs';
import { Visitor } from './visitor.mjs';

const asked = JSON.parse(process.argv[2]);
const toPlatform = fetchWith(asked.device);
const visitor = new Visitor((url, options) => (url.startsWith('http:') ? opened(url, options) : toPlatform(url, options)));
if (asked.setup) await visitor.setUp(asked.setup, asked.password);
if (asked.until) {
  console.log(JSON.stringify({ url: await visitor.authorize(asked.url, asked.login, asked.password) }));
} else {
  const first = await visitor.open(asked.url);
  const back = first.next && (await visitor.authorize(first.next, asked.login, asked.password));
  let page = back ? await visitor.open(back) : first;
  for (let step = 0; page.next && step < 5; step += 1) page = await visitor.open(page.next);
  console.log(JSON.stringify({ sent: first.next, back, status: page.status, html: page.html }));
}

/** As a browser opens a page: a script's `fetch` says that it is one, and products answer it otherwise. */
async function opened(url, { headers }) {
  const answer = await request(url, { headers });
  const told = new Headers();
  for (const [name, value] of Object.entries(answer.headers)) [value].flat().forEach((one) => told.append(name, one));
  return new Response(await answer.body.text(), { status: answer.statusCode, headers: told });
}
