// What the enrollment page's PKCS#12 file costs the browser's processor, next to the hashes and ciphers in it made by the
// engine's own library. Prints {"us":…,"limit_us":…}, the median of some rounds in turn.
import { createCipheriv, createHash } from 'node:crypto';
import { pkcs12 } from '../../../crates/enroll/assets/pkcs12.js';

const ROUNDS = 9;
const PER_ROUND = 10;
// Key and vector for the key bag, the same for the certificates, one for the MAC; 24 octets of key are two digests.
const DERIVED_DIGESTS = 2 + 1 + 2 + 1 + 1;
const ITERATIONS = 2048;

const random = (size) => crypto.getRandomValues(new Uint8Array(size));
const contents = {
  // As long as they come: a P-256 key, a leaf, its issuing CA.
  key: random(138),
  certificate: random(1000),
  chain: [random(700)],
  name: '本店 受付PC (Tegata)',
  password: 'abcd-efgh-jkmn-pqrs',
  random,
};

pkcs12(contents);
leastWork();
const [ours, least] = [[], []];
for (let round = 0; round < ROUNDS; round++) {
  ours.push(cost(() => pkcs12(contents)));
  least.push(cost(leastWork));
}
console.log(JSON.stringify({ us: median(ours), limit_us: median(least) }));

function leastWork() {
  for (let digest = 0; digest < DERIVED_DIGESTS; digest++) {
    let last = Buffer.alloc(192, digest + 1);
    for (let i = 0; i < ITERATIONS; i++) last = createHash('sha1').update(last).digest();
  }
  for (const size of [contents.key.length, contents.certificate.length + contents.chain[0].length]) {
    const cipher = createCipheriv('des-ede3-cbc', random(24), random(8));
    cipher.update(Buffer.alloc(size));
    cipher.final();
  }
}

/** Microseconds of processor time each. */
function cost(work) {
  const before = process.cpuUsage();
  for (let i = 0; i < PER_ROUND; i++) work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / PER_ROUND;
}

function median(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}
