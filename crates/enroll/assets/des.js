// Triple DES (FIPS 46-3) in CBC mode, encryption only. WebCrypto does not have it, and it is the one cipher
// that every operating system accepts in a PKCS#12 file.
// Blocks are arrays of bits, numbered from 1 in the tables as in the standard.

/** Encrypts with PKCS#7 padding. `key` is 24 bytes (EDE with three keys), `iv` is 8. */
export function tripleDesCbc(key, iv, plain) {
  const [first, second, third] = [0, 8, 16].map((at) => keySchedule(key.slice(at, at + 8)));
  const passes = [first, [...second].reverse(), third];
  const input = padded(plain);
  const out = new Uint8Array(input.length);
  let chain = iv;
  for (let at = 0; at < input.length; at += 8) {
    const mixed = chain.map((byte, i) => byte ^ input[at + i]);
    chain = fromBits(passes.reduce(desBlock, toBits(mixed)));
    out.set(chain, at);
  }
  return out;
}

/** One block through sixteen rounds; with the subkeys reversed it decrypts. */
function desBlock(block, subkeys) {
  const start = permute(block, INITIAL);
  let left = start.slice(0, 32);
  let right = start.slice(32);
  for (const subkey of subkeys) {
    const mixed = xor(left, feistel(right, subkey));
    left = right;
    right = mixed;
  }
  return permute([...right, ...left], FINAL);
}

function feistel(half, subkey) {
  const expanded = xor(permute(half, EXPANSION), subkey);
  return permute(S_BOXES.flatMap((box, i) => substitute(box, expanded.slice(6 * i, 6 * i + 6))), MIXING);
}

/** The outer two bits choose the row, the inner four the column. */
function substitute(box, [a, b, c, d, e, f]) {
  const value = box[(2 * a + f) * 16 + 8 * b + 4 * c + 2 * d + e];
  return [value >> 3, (value >> 2) & 1, (value >> 1) & 1, value & 1];
}

function keySchedule(key) {
  const chosen = permute(toBits(key), KEY_CHOICE);
  let left = chosen.slice(0, 28);
  let right = chosen.slice(28);
  return ROTATIONS.map((by) => {
    left = [...left.slice(by), ...left.slice(0, by)];
    right = [...right.slice(by), ...right.slice(0, by)];
    return permute([...left, ...right], SUBKEY_CHOICE);
  });
}

function padded(plain) {
  const size = 8 - (plain.length % 8);
  const out = new Uint8Array(plain.length + size).fill(size);
  out.set(plain);
  return out;
}

const permute = (bits, table) => table.map((position) => bits[position - 1]);
const xor = (a, b) => a.map((bit, i) => bit ^ b[i]);
const toBits = (bytes) => Array.from({ length: bytes.length * 8 }, (_, i) => (bytes[i >> 3] >> (7 - (i & 7))) & 1);
const fromBits = (bits) => Uint8Array.from({ length: bits.length / 8 }, (_, i) => parseInt(bits.slice(8 * i, 8 * i + 8).join(''), 2));
const numbers = (text) => text.trim().split(/\s+/).map(Number);

const INITIAL = [58, 60, 62, 64, 57, 59, 61, 63].flatMap((row) => Array.from({ length: 8 }, (_, i) => row - 8 * i));
const FINAL = INITIAL.map((_, i) => INITIAL.indexOf(i + 1) + 1);
const EXPANSION = Array.from({ length: 48 }, (_, i) => ((4 * Math.floor(i / 6) + (i % 6) + 31) % 32) + 1);
const MIXING = numbers('16 7 20 21 29 12 28 17 1 15 23 26 5 18 31 10 2 8 24 14 32 27 3 9 19 13 30 6 22 11 4 25');
const KEY_CHOICE = numbers(`
  57 49 41 33 25 17 9 1 58 50 42 34 26 18 10 2 59 51 43 35 27 19 11 3 60 52 44 36
  63 55 47 39 31 23 15 7 62 54 46 38 30 22 14 6 61 53 45 37 29 21 13 5 28 20 12 4`);
const SUBKEY_CHOICE = numbers(`
  14 17 11 24 1 5 3 28 15 6 21 10 23 19 12 4 26 8 16 7 27 20 13 2
  41 52 31 37 47 55 30 40 51 45 33 48 44 49 39 56 34 53 46 42 50 36 29 32`);
const ROTATIONS = numbers('1 1 2 2 2 2 2 2 1 2 2 2 2 2 2 1');
const S_BOXES = [
  'e4d12fb83a6c5907 0f74e2d1a6cb9538 41e8d62bfc973a50 fc8249175b3ea06d',
  'f18e6b34972dc05a 3d47f28ec01a69b5 0e7ba4d158c6932f d8a13f42b67c05e9',
  'a09e63f51dc7b428 d709346a285ecbf1 d6498f30b12c5ae7 1ad069874fe3b52c',
  '7de3069a1285bc4f d8b56f03472c1ae9 a690cb7df13e5284 3f06a1d8945bc72e',
  '2c417ab6853fd0e9 eb2c47d150fa3986 421bad78f9c5630e b8c71e2d6f09a453',
  'c1af92680d34e75b af427c9561de0b38 9ef528c3704a1db6 432c95fabe17608d',
  '4b2ef08d3c975a61 d0b7491ae35c2f86 14bdc37eaf680592 6bd814a7950fe23c',
  'd2846fb1a93e50c7 1fd8a374c56b0e92 7b419ce206adf358 21e74a8dfc90356b',
].map((rows) => Array.from(rows.replaceAll(' ', ''), (digit) => parseInt(digit, 16)));
