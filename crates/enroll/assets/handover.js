// From the old certificate to the new one without closing the browser.
import { askOnce } from './probe.js';
import { byId } from './view.js';

// The connection may still be closing at the first, and each refusal costs one.
const ATTEMPTS = 20;
const PAUSE_MS = 250;

/**
 * Makes the browser let go of the certificate that this page came with. `release()` asks the server to end the
 * connection and to refuse the old certificate for a moment; the request that meets the refusal fails, and a later one is made
 * with a fresh choice. Resolves to whether this host now sees `thumbprint`; the page says what to do where it does not.
 */
export async function letGo(thumbprint, { release, ask = () => askOnce('/probe'), pause = sleep }) {
  let switched = false;
  try {
    await release();
    for (let attempt = 0; attempt < ATTEMPTS && !switched; attempt++) {
      await pause(PAUSE_MS);
      switched = (await ask()).thumbprint === thumbprint;
    }
  } catch {
    // Refused or cut off: the browser keeps its choice until it is closed, and the page says so. Unless it has let go
    // by itself, as where the new profile took the old certificate away.
    switched = (await ask()).thumbprint === thumbprint;
  }
  byId('keeps-old').hidden = switched;
  return switched;
}

const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
