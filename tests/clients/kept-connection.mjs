// One kept-alive connection that is open before something happens and used after it; and, for each version of TLS,
// whether a session of before can be resumed.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { once } from 'node:events';

const asked = JSON.parse(process.argv[2]);
const identity = Object.fromEntries(['cert', 'key', 'ca'].map((name) => [name, readFileSync(asked[name])]));

const resumed = {};
for (const version of ['TLSv1.2', 'TLSv1.3']) {
  resumed[version] = await isResumed(version);
}
const agent = new Agent({ ...identity, keepAlive: true, maxSockets: 1 });
const before = await ask({ agent });
const [program, ...rest] = asked.act;
execFileSync(program, rest, { stdio: 'ignore' });
// The promise is a second after the acknowledgment.
await new Promise((resolve) => { setTimeout(resolve, 1000); });
const after = await ask({ agent });
agent.destroy();
console.log(JSON.stringify({
  before: before.status, after: after.status, refusal: after.refusal, kept: after.kept, resumed,
}));

/** Null where this version is not spoken. */
async function isResumed(version) {
  const tls = { ...identity, minVersion: version, maxVersion: version };
  const first = await ask({ agent: new Agent(tls) }).catch((error) => {
    if (/alert protocol version/.test(error.message)) return null;
    throw error;
  });
  return first && (await ask({ agent: new Agent({ ...tls, session: first.session }) })).resumed;
}

async function ask(options) {
  const sent = request(asked.url, { ...options, headers: asked.headers });
  let session;
  sent.once('socket', (socket) => socket.on('session', (ticket) => { session = ticket; }));
  sent.end();
  const [answer] = await once(sent, 'response');
  const resumed = answer.socket.isSessionReused();
  session ??= answer.socket.getSession();
  answer.resume();
  await once(answer, 'end');
  return {
    status: answer.statusCode, refusal: answer.headers['tegata-refusal'], kept: sent.reusedSocket, resumed, session,
  };
}
