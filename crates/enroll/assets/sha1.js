// SHA-1 (FIPS 180-4) without promises: PKCS#12 key derivation calls it thousands of times in a row, and
// an asynchronous digest per call would cost seconds on a slow tablet.

export const BLOCK_BYTES = 64;

export function sha1(message) {
  const words = blocks(message);
  const state = Uint32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0);
  for (let at = 0; at < words.length; at += 16) compress(state, words.subarray(at, at + 16));
  return bigEndian(state);
}

/** HMAC (RFC 2104). The key must not be longer than one block. */
export function hmacSha1(key, message) {
  const block = new Uint8Array(BLOCK_BYTES);
  block.set(key);
  const inner = sha1(Uint8Array.of(...block.map((byte) => byte ^ 0x36), ...message));
  return sha1(Uint8Array.of(...block.map((byte) => byte ^ 0x5c), ...inner));
}

function compress(state, block) {
  const schedule = new Uint32Array(80);
  schedule.set(block);
  for (let t = 16; t < 80; t++) {
    schedule[t] = rotate(schedule[t - 3] ^ schedule[t - 8] ^ schedule[t - 14] ^ schedule[t - 16], 1);
  }
  let [a, b, c, d, e] = state;
  for (let t = 0; t < 80; t++) {
    const next = (rotate(a, 5) + choose(t, b, c, d) + e + schedule[t]) >>> 0;
    [e, d, c, b, a] = [d, c, rotate(b, 30), a, next];
  }
  [a, b, c, d, e].forEach((word, i) => { state[i] += word; });
}

function choose(t, b, c, d) {
  if (t < 20) return ((b & c) | (~b & d)) + 0x5a827999;
  if (t < 40) return (b ^ c ^ d) + 0x6ed9eba1;
  if (t < 60) return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
  return (b ^ c ^ d) + 0xca62c1d6;
}

function blocks(message) {
  const size = Math.ceil((message.length + 9) / BLOCK_BYTES) * BLOCK_BYTES;
  const bytes = new Uint8Array(size);
  bytes.set(message);
  bytes[message.length] = 0x80;
  const view = new DataView(bytes.buffer);
  view.setUint32(size - 4, message.length * 8);
  return Uint32Array.from({ length: size / 4 }, (_, i) => view.getUint32(4 * i));
}

function bigEndian(words) {
  const view = new DataView(new ArrayBuffer(words.length * 4));
  words.forEach((word, i) => view.setUint32(4 * i, word));
  return new Uint8Array(view.buffer);
}

const rotate = (word, by) => (word << by) | (word >>> (32 - by));
