// The click that starts a ceremony, and what happens when it fails.
import { ceremony } from './ceremony.js';
import { Refusal } from './api.js';
import { startInstallation } from './install.js';
import { byId, say, tell } from './view.js';

/**
 * Makes `#start` run one ceremony for `subject` with a key of one of the kinds `keys`. `submit(csr)` and `deliver(thumbprint)` speak with the server; `kept`
 * is a request that an earlier page has begun with; the rest is passed on to the installation.
 */
export function offerCeremony({ subject, keys, submit, deliver, kept, ...installation }) {
  const rite = ceremony({ subject, keys, submit, kept });
  warnBeforeLosing(rite);
  byId('start').addEventListener('click', () => begin(rite, deliver, installation));
}

async function begin(rite, deliver, installation) {
  const button = byId('start');
  const problem = byId('start-problem');
  button.disabled = true;
  problem.hidden = true;
  say('progress', 'progress-working');
  try {
    const parcel = await rite.run();
    startInstallation({ parcel, deliver: () => deliver(parcel.thumbprint), ...installation });
  } catch (failure) {
    const refusal = failure instanceof Refusal ? failure : Refusal.local('unsupported', false);
    tell(problem, refusal);
    say('progress', refusal.retry ? 'progress-retry' : 'progress-stopped');
    button.disabled = !refusal.retry;
  }
}

/** Closing the page now would lose the key or the only copy of its password, and the invitation is used up. */
function warnBeforeLosing(rite) {
  addEventListener('beforeunload', (event) => {
    const { now, kept } = document.body.dataset;
    // While it waits for approval, the browser may have the key in its keeping.
    const isKept = now === 'waiting' && kept === 'yes';
    if ((rite.holdsKey && !isKept) || now === 'install') event.preventDefault();
  });
}
