// A profile: the system takes it, the device makes its key by itself, and this page waits for the certificate.
import { Refusal } from './api.js';
import { countDown } from './countdown.js';
import { offerProof } from './proof.js';
import { byId, date, fill, say, show, tell } from './view.js';

const PAUSE_MS = 3_000;

/**
 * Follows what comes of the form `#profile-form`, which the browser sends by itself. `progress()` asks the server how far the
 * device is; `proof`: for the proof of the certificate that was issued. `permitted()`, where there is one, resolves once the form may
 * be sent.
 */
export function offerProfile({ progress, proof, permitted }) {
  let waiting;
  const form = byId('profile-form');
  form.addEventListener('submit', (event) => {
    if (permitted) {
      event.preventDefault();
      const asked = permitted;
      permitted = undefined;
      return void afterwards(asked, form, event.submitter, () => { permitted = asked; });
    }
    // After the browser has taken what is in the form.
    setTimeout(() => {
      countDown();
      if (waiting) return;
      show('profile');
      say('proof', 'proof-profile');
      waiting = follow({ progress, proof });
    });
  });
}

/** Sends the form as it was meant once it may be; `again`: after a refusal the next attempt asks anew. */
async function afterwards(permitted, form, submitter, again) {
  const problem = byId('start-problem');
  problem.hidden = true;
  try {
    await permitted();
    form.requestSubmit(submitter);
  } catch (failure) {
    again();
    tell(problem, failure instanceof Refusal ? failure : Refusal.local('unreadable', true));
  }
}

async function follow({ progress, proof }) {
  const { thumbprint, name, not_after: notAfter } = await issued(progress);
  fill({ 'certificate-name': name, 'not-after': date(notAfter) });
  byId('after-issue').hidden = false;
  byId('before-issue').hidden = true;
  say('proof', 'proof-issued');
  // The system puts the certificate where the browser looks a moment after the CA has issued it, and until then an older
  // one may answer.
  await new Promise((resolve) => { setTimeout(resolve, PAUSE_MS); });
  offerProof({ thumbprint, atOnce: true, waiting: 'proof-issued', others: 3, ...proof });
}

/** What the CA has issued, once it has. A refusal that waiting will not cure is told, and nothing more is asked. */
export async function issued(progress, { pause = untilNext } = {}) {
  const problem = byId('proof-problem');
  for (;;) {
    try {
      const answer = await progress();
      problem.hidden = true;
      if (answer.state === 'issued') return answer;
    } catch (failure) {
      const refusal = failure instanceof Refusal ? failure : Refusal.local('unreadable', true);
      tell(problem, refusal);
      if (!refusal.retry) return new Promise(() => {});
    }
    await pause();
  }
}

/** A moment, or less when the reader comes back from the settings to this page. */
function untilNext() {
  return new Promise((resolve) => {
    setTimeout(resolve, PAUSE_MS);
    document.addEventListener('visibilitychange', resolve, { once: true });
  });
}
