// The devices of this shop: one of them is reported lost, in two steps.
import { Refusal, post } from './api.js';
import { sweep } from './sealed.js';
import { byId, date, fill, language, say, show, tell } from './view.js';

let chosen;
sweep();

for (const button of document.querySelectorAll('[data-lost]')) {
  button.addEventListener('click', () => confirm(button.dataset));
}
byId('keep').addEventListener('click', () => show('ready'));
byId('stop').addEventListener('click', stop);

function confirm({ lost, label, number, own }) {
  chosen = { device: lost, own: own !== undefined };
  fill({ label, number });
  byId('own-warning').hidden = !chosen.own;
  byId('stop-problem').hidden = true;
  byId('stop').disabled = false;
  show('confirm');
}

async function stop() {
  const button = byId('stop');
  button.disabled = true;
  say('progress', 'progress-stopping');
  try {
    const stopped = await post('/api/v1/loss-reports', chosen, { language: language() });
    fill({ 'stopped-at': date(stopped.stopped_at, 'medium'), 'proved-at': date(stopped.proved_at ?? stopped.stopped_at, 'medium') });
    byId('proved').hidden = stopped.proved_at === null;
    byId('unproved').hidden = stopped.proved_at !== null;
    show('stopped');
  } catch (failure) {
    const refusal = failure instanceof Refusal ? failure : Refusal.local('unreadable', true);
    tell(byId('stop-problem'), refusal);
    button.disabled = !refusal.retry;
  }
  say('progress', 'progress-stopped');
}
