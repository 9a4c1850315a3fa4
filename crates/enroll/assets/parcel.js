// The parcel between enrollment and proof: kept by this browser for an hour at most, so that neither a reload nor a closed tab
// costs anybody their certificate, and gone once the certificate was seen at work.
import { forget, keep, recall, sweep } from './sealed.js';

/** On a computer that many share, nothing of a device lies about for longer. */
export const LIFE_MS = 60 * 60_000;

/**
 * Keeps a parcel under `name` from now on. `more`: what the page needs to go on with it. `over()` is called when its hour ends while the
 * page is open. Resolves to `{ isKept, wipe }`.
 */
export async function keepParcel(name, parcel, more, { until = Date.now() + LIFE_MS, over = () => {} } = {}) {
  const isKept = await keep(name, { ...more, parcel, until }, until);
  document.body.dataset.kept = isKept ? 'yes' : 'no';
  const wipe = async () => {
    clearTimeout(timer);
    document.removeEventListener('visibilitychange', look);
    document.body.dataset.kept = 'no';
    await forget(name);
  };
  const end = async () => {
    await wipe();
    over();
  };
  // A computer that slept does not count the time: what the clock says is looked at when somebody is back.
  const look = () => { if (Date.now() >= until) end(); };
  const timer = setTimeout(end, Math.max(0, until - Date.now()));
  document.addEventListener('visibilitychange', look);
  return { isKept, wipe };
}

/** The parcel that was kept under `name`, with whatever was kept with it. */
export async function recallParcel(name) {
  await sweep();
  const kept = await recall(name);
  return kept?.parcel ? kept : undefined;
}
