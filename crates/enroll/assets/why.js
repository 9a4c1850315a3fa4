// What only the device itself can tell somebody who was refused: its clock, and which browser this is.
import { offerOtherBrowser } from './other-browser.js';
import { sweep } from './sealed.js';
import { byId, date } from './view.js';

sweep();

/** Less than this is no reason to be refused. */
const TOLERANCE_MS = 3 * 60_000;

const clock = byId('clock');
if (clock) {
  const truth = clock.dataset.now;
  clock.hidden = Math.abs(Date.now() - new Date(truth)) < TOLERANCE_MS;
  byId('true-time').textContent = date(truth, 'short');
  byId('wrong-browser').hidden = !offerOtherBrowser(navigator, location.origin + location.pathname);
}
