// Connections that are open before a revocation, one of HTTP/2 and one of HTTP/1.1, and what becomes of them; and a TLS
// session kept from before.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect } from 'node:http2';
import { Agent, request } from 'node:https';

const asked = JSON.parse(process.argv[2]);
const identity = Object.fromEntries(['cert', 'key', 'ca'].map((name) => [name, readFileSync(asked[name])]));

const session = await sessionOfAFirstRequest();
const held = connect(asked.origin, identity);
const before = await status(held);
const agent = new Agent({ keepAlive: true, timeout: 60_000 });
const waiting = await overHttp1({ agent });
const ended = Promise.all([ending(held), ending(waiting.socket)]);
const [program, ...rest] = asked.revoke;
execFileSync(program, rest, { stdio: 'ignore' });
// The promise is a second after the acknowledgment.
const late = new Promise((resolve) => { setTimeout(() => resolve(['open', 'open']), 1000); });
const [http2, http1] = await Promise.race([ended, late]);
held.destroy();
agent.destroy();
const resuming = await overHttp1({ session });
console.log(JSON.stringify({ before, http2, http1, resumed: resuming.resumed, resuming: resuming.status }));

function ending(connection) {
  return new Promise((resolve) => { connection.once('close', () => resolve('closed')); });
}

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
    const sent = request(`${asked.origin}/probe`, { ...identity, agent: false, ...extra }, (response) => {
      const { socket } = response;
      const resumed = socket.isSessionReused();
      response.resume();
      response.on('end', () => resolve({ status: response.statusCode, resumed, session: kept, socket }));
    });
    sent.on('socket', (socket) => socket.on('session', (ticket) => { kept = ticket; }));
    sent.on('error', reject);
    sent.end();
  });
}
