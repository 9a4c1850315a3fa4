// No 0, 1, l or o: nobody has to guess what they read. Thirty-two signs, so each carries exactly five bits.
const SIGNS = 'abcdefghijkmnpqrstuvwxyz23456789';

/** A transport password of 80 random bits, like `k7me-2hxa-pv9d-qn4t`. `random(n)`: n fresh bytes. */
export function transportPassword(random) {
  const signs = Array.from(random(16), (byte) => SIGNS[byte % SIGNS.length]).join('');
  return signs.match(/.{4}/g).join('-');
}
