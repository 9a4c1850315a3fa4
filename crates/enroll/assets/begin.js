// The click that starts a ceremony, and what happens when it fails.
import { ceremony } from './ceremony.js';
import { Refusal } from './api.js';
import { startInstallation } from './install.js';
import { LIFE_MS } from './parcel.js';
import { keep } from './sealed.js';
import { byId, now, say, tell } from './view.js';

/**
 * Makes `#start` run one ceremony for `subject` with a key of one of the kinds `keys`. `submit(csr, request)` and `deliver(thumbprint)` speak
 * with the server; `kept` is a request that an earlier page has begun with. `keepAs`: under which name this browser keeps what it
 * has begun, and `more()` what it needs with it; the rest is passed on to the installation.
 */
export function offerCeremony({ subject, keys, submit, deliver, kept, keepAs, more, keepsRequest = true, ...installation }) {
  const keeping = keepsRequest ? async (request) => {
    const isKept = await keep(keepAs, { ...more(), request }, Date.now() + LIFE_MS);
    document.body.dataset.kept = isKept ? 'yes' : 'no';
  } : undefined;
  const rite = ceremony({ subject, keys, submit, kept, keeping });
  warnBeforeLosing(rite);
  byId('start').addEventListener('click', () => begin(rite, { deliver, keepAs, more }, installation));
}

async function begin(rite, { deliver, keepAs, more }, installation) {
  const button = byId('start');
  const problem = byId('start-problem');
  button.disabled = true;
  problem.hidden = true;
  say('progress', 'progress-working');
  try {
    const parcel = await rite.run();
    startInstallation({ parcel, deliver: () => deliver(parcel.thumbprint), keepAs, more: more(), ...installation });
  } catch (failure) {
    const refusal = failure instanceof Refusal ? failure : Refusal.local('unsupported', false);
    tell(problem, refusal);
    say('progress', refusal.retry ? 'progress-retry' : 'progress-stopped');
    button.disabled = !refusal.retry;
  }
}

/** Closing the page now would lose the key or the only copy of its password, unless the browser has them in its keeping. */
function warnBeforeLosing(rite) {
  addEventListener('beforeunload', (event) => {
    if (document.body.dataset.kept !== 'yes' && (rite.holdsKey || now() === 'install')) event.preventDefault();
  });
}
