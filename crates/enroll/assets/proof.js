// The last step, whichever way the certificate came: it is seen at work, and the page turns green.
import { waitForProof } from './probe.js';
import { byId, say, show, tell } from './view.js';

/**
 * Lets the reader ask whether `thumbprint` is at work, and asks by itself where `atOnce`. `waiting`: the text meanwhile.
 * `others`: how often another certificate may answer. `proved(thumbprint)`: what else has to happen before the page is done.
 */
export function offerProof({ probePattern, thumbprint, atOnce, waiting, others, proved }) {
  const done = async () => {
    await proved?.(thumbprint);
    show('done');
  };
  const ask = () => prove({ probePattern, thumbprint, waiting, others, done });
  const button = byId('check');
  button.addEventListener('click', ask);
  button.disabled = false;
  if (atOnce) ask();
  else say('proof', 'proof-ready');
}

async function prove({ probePattern, thumbprint, waiting, others, done }) {
  const button = byId('check');
  const problem = byId('proof-problem');
  button.disabled = true;
  problem.hidden = true;
  say('proof', waiting);
  const outcome = await waitForProof({
    pattern: probePattern,
    thumbprint,
    others,
    onRefusal: (refusal) => { if (refusal) tell(problem, refusal); else problem.hidden = true; },
  });
  if (outcome === 'other') problem.hidden = true;
  if (outcome === 'proved') return done();
  button.disabled = false;
  say('proof', `proof-${outcome}`);
}
