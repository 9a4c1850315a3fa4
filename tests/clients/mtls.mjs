// The one thing that a client of certificate-bound tokens must be told: how to present its certificate. Both OAuth
// libraries document this hook for it.
import { readFileSync } from 'node:fs';
import { Agent, fetch } from 'undici';

/** A fetch that presents the certificate and verifies servers by `ca` alone. */
export function fetchWith({ cert, key, ca }) {
  const read = (path) => readFileSync(path);
  const dispatcher = new Agent({ connect: { cert: read(cert), key: read(key), ca: read(ca) } });
  return (url, options) => fetch(url, { ...options, dispatcher });
}
