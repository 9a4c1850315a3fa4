// From the old certificate to the new one without closing the browser.
import { askOnce } from './probe.js';
import { byId } from './view.js';

// The connection may still be closing at the first, and each refusal costs one.
const ATTEMPTS = 20;
const PAUSE_MS = 250;

// Connections that the browser opens on speculation may take all refusals and forget nothing. Then the server is asked
// again; not for ever, because some browsers keep their choice whatever happens.
const RELEASES = 4;

/**
 * Makes the browser let go of the certificate that this page came with. `release()` asks the server to end the
 * connections and to refuse the old certificate for a moment; the request that meets the refusal fails, and a later one
 * is made with a fresh choice. Resolves to whether this host now sees `thumbprint`; the page says what to do where it
 * does not.
 */
export async function letGo(thumbprint, { release, ask = () => askOnce('/probe'), pause = sleep }) {
  let presented = 'the old one';
  for (let attempt = 0, releases = 0; attempt < ATTEMPTS && presented !== thumbprint; attempt++) {
    // What is presented says how it stands, whatever becomes of this: the old certificate may be gone already.
    if (presented && releases++ < RELEASES) await release().catch(() => {});
    await pause(PAUSE_MS);
    presented = (await ask()).thumbprint;
  }
  const switched = presented === thumbprint;
  byId('keeps-old').hidden = switched;
  return switched;
}

const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
