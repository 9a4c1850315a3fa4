// One HTTP/2 connection that is open before a revocation and used after it; and a TLS session kept from before.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect } from 'node:http2';
import { request } from 'node:https';

const asked = JSON.parse(process.argv[2]);
const identity = Object.fromEntries(['cert', 'key', 'ca'].map((name) => [name, readFileSync(asked[name])]));

const session = await sessionOfAFirstRequest();
const held = connect(asked.origin, identity);
const before = await status(held);
const [program, ...rest] = asked.revoke;
execFileSync(program, rest, { stdio: 'ignore' });
// The promise is a second after the acknowledgement.
await new Promise((resolve) => { setTimeout(resolve, 1000); });
const after = await status(held).catch((error) => `${error}`);
held.destroy();
const resuming = await overHttp1({ session });
console.log(JSON.stringify({ before, after, resumed: resuming.resumed, resuming: resuming.status }));

function status(connection) {
  return new Promise((resolve, reject) => {
    const stream = connection.request({ ':path': '/probe' });
    stream.on('response', (headers) => resolve(headers[':status']));
    stream.on('error', reject);
    stream.resume();
    stream.end();
  });
}

async function sessionOfAFirstRequest() {
  const { session: kept } = await overHttp1({});
  return kept;
}

function overHttp1(extra) {
  return new Promise((resolve, reject) => {
    let kept;
    const sent = request(`${asked.origin}/probe`, { ...identity, ...extra, agent: false }, (response) => {
      const resumed = response.socket.isSessionReused();
      response.resume();
      response.on('end', () => resolve({ status: response.statusCode, resumed, session: kept }));
    });
    sent.on('socket', (socket) => socket.on('session', (ticket) => { kept = ticket; }));
    sent.on('error', reject);
    sent.end();
  });
}
