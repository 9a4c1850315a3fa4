// Asking the server, through the browser's own certificate choice, which certificate this browser presents.
import { refusalOf } from './api.js';

const FIRST_PAUSE_MS = 2_000;
const LONGEST_PAUSE_MS = 5_000;
const GIVE_UP_MS = 10 * 60_000;
// The browser's certificate chooser may be open meanwhile, and a person is reading it.
const PATIENCE_MS = 2 * 60_000;
const NO_CERTIFICATE = 'C-01';

/**
 * Asks until this certificate answers. Resolves to
 * `'proved'`; `'other'`: another certificate was presented more than `others` times, and asking on would only open the
 * chooser again and again; or `'silent'`: nothing in ten minutes. After every other answer `onRefusal` is told what stands in the way
 * now: a refusal that importing the certificate will not cure, or undefined.
 */
export async function waitForProof({ pattern, thumbprint, others = 0, onRefusal, now = Date.now, pause = sleep, ask = askOnce }) {
  const end = now() + GIVE_UP_MS;
  for (let wait = FIRST_PAUSE_MS; now() < end; wait = Math.min(wait * 1.25, LONGEST_PAUSE_MS)) {
    const answer = await ask(pattern);
    if (answer.thumbprint === thumbprint) return 'proved';
    if (answer.thumbprint && others-- <= 0) return 'other';
    onRefusal(isGrave(answer.refusal) ? answer.refusal : undefined);
    await pause(wait);
  }
  return 'silent';
}

/** `{thumbprint}`, `{refusal}`, or `{}` when the connection was not made. Never throws. */
export async function askOnce(pattern, { fetch = globalThis.fetch, crypto = globalThis.crypto } = {}) {
  try {
    const response = await fetch(probeUrl(pattern, crypto), {
      mode: 'cors',
      credentials: 'include',
      cache: 'no-store',
      redirect: 'error',
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    const answer = await response.json();
    return response.ok ? { thumbprint: answer.thumbprint } : { refusal: refusalOf(response, answer) };
  } catch {
    return {};
  }
}

/**
 * A browser keeps its choice of certificate, or of none, per host until it is closed: only a host it has never
 * met is asked afresh.
 */
export function probeUrl(pattern, crypto = globalThis.crypto) {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  const nonce = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return pattern.replace('{nonce}', nonce);
}

const isGrave = (refusal) => refusal?.code !== undefined && refusal.code !== NO_CERTIFICATE;

const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
