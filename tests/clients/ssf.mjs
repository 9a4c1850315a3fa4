// A receiver's requests about its stream (SSF 1.0), one after the other: each answer with its status and what it says.
import { fetchWith } from './mtls.mjs';

const { cert, key, ca, requests } = JSON.parse(process.argv[2]);
const asMyself = fetchWith({ cert, key, ca });
const answers = [];
for (const { method, url, body } of requests) {
  const options = body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const answer = await asMyself(url, { method, ...options });
  const text = await answer.text();
  answers.push({ status: answer.status, said: text ? JSON.parse(text) : null });
}
process.stdout.write(JSON.stringify(answers));
