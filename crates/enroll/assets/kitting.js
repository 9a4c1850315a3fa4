// The page of whoever unpacks many devices: one code, one device after the other, each with a label to print.
import { post, Refusal } from './api.js';
import { offerCeremony } from './begin.js';
import { startInstallation } from './install.js';
import { offerOtherBrowser } from './other-browser.js';
import { recallParcel } from './parcel.js';
import { forget, sweep } from './sealed.js';
import { codeOf } from './typed.js';
import { byId, date, fill, language, now, show, showContact, tell, text } from './view.js';
import { patiently } from './waiting.js';
import { offerSteps } from './ways.js';

/** What goes on with the same key: a name that is taken or cannot be one, too fast. */
const CORRECTABLE = ['I-31', 'I-33', 'I-34'];

const api = (path, body) => post(`/api/v1/kitting/${path}`, body, { language: language() });

start(location.hash.slice(1).trim());

function start(link) {
  addEventListener('hashchange', () => location.reload());
  sweep();
  const code = codeOf(link);
  if (!code) return show('no-code');
  keepCodeInLanguageLink(code);
  if (!offerOtherBrowser(navigator, location.href)) return open(code);
  byId('continue-anyway').addEventListener('click', () => open(code));
  byId('open-elsewhere').href = `?openExternalBrowser=1#${code}`;
  return show('wrong-browser');
}

async function open(code) {
  // Neither the history nor somebody looking over the shoulder needs the code.
  history.replaceState(null, '', location.pathname + location.search);
  show('opening');
  try {
    if (!globalThis.crypto?.subtle) throw Refusal.local('unsupported', false);
    const batch = await api('open', { code });
    welcome(code, batch, await recallParcel(nameOf(code)));
  } catch (refusal) {
    refuse(code, refusal);
  }
}

/** Under which this browser keeps the device that is being set up. */
const nameOf = (code) => `kitting ${code}`;

/** `begun`: the device that this browser had not finished when its page was closed. */
function welcome(code, batch, begun) {
  const { tenant, site, places, taken, expires_at: expires, next_label: next } = batch;
  fill({ tenant, site, expires: date(expires, 'short'), next });
  showContact(batch.contact);
  document.querySelector('.made').hidden = false;
  count(taken, places);
  list(batch.devices);
  byId('sticker-qr').src = picture(batch.device_page_qr);
  offerNext(code);
  offerSteps();
  const installation = {
    probePattern: batch.probe_pattern,
    probeAtOnce: true,
    keepAs: nameOf(code),
    startOver: () => nextDevice(code),
    proved: () => noteProved(),
  };
  const deliver = (thumbprint) => api('deliveries', { code, thumbprint });
  if (begun) return resume(begun, batch, installation, deliver);
  if (taken >= places) return show('used-up');
  byId('qr').src = picture(batch.qr);
  byId('label').placeholder = next;
  byId('place-form').addEventListener('submit', (event) => event.preventDefault());
  const names = [site, next];
  let last;
  offerCeremony({
    subject: batch.subject,
    keys: batch.keys,
    ...installation,
    names,
    deliver,
    // The name that goes with a key is typed for each device: what is kept is what has both.
    keepsRequest: false,
    more: () => ({ made: last }),
    submit: async (csr) => {
      const made = await approved(code, csr, batch);
      names[1] = made.label;
      last = factsOf(made);
      noteDone(made, batch);
      return made;
    },
  });
  show('ready');
  // A scanner types into whatever has the focus.
  byId('label').focus({ preventScroll: true });
}

const factsOf = ({ number, label, device_number: deviceNumber, taken, places }) => ({ number, label, device_number: deviceNumber, taken, places });

/** Goes on with the device that was not finished. */
function resume({ parcel, until, made }, batch, installation, deliver) {
  const others = batch.devices.filter(({ number }) => number !== made.number);
  noteDone({ ...made, taken: batch.taken, places: batch.places }, { ...batch, devices: others });
  startInstallation({
    ...installation,
    parcel,
    names: [batch.site, made.label],
    deliver: () => deliver(parcel.thumbprint),
    more: { made },
    until,
    isResumed: true,
  });
}

/** The certificate, once somebody has approved where that is needed. The same key asks again and keeps its place. */
async function approved(code, csr, batch) {
  try {
    const hand = () => enroll(code, csr);
    return await patiently({ hand, ask: hand, waits: (answer) => wait(answer, batch) });
  } catch (failure) {
    // Another device has another key, and perhaps better luck.
    if (now() === 'waiting') stop(failure, batch);
    throw failure;
  }
}

async function wait({ number, expires_at: expires }, batch) {
  const label = byId('label').value.trim() || batch.next_label;
  fill({ number, 'waiting-label': label, 'waiting-until': date(expires, 'short') });
  list([...batch.devices, { number: batch.taken + 1, label, waits: true }]);
  show('waiting');
}

function stop(failure, batch) {
  list(batch.devices);
  tell(byId('stopped-problem'), failure instanceof Refusal ? failure : Refusal.local('unreadable', true));
  show('stopped');
}

async function enroll(code, csr) {
  const label = byId('label').value.trim() || undefined;
  try {
    return await api('enrollments', { code, csr, label });
  } catch (refusal) {
    if (CORRECTABLE.includes(refusal.code)) refusal.retry = true;
    throw refusal;
  }
}

/** What the page says of the device once it is done, on screen and on its label. */
function noteDone(made, batch) {
  const { number, label, device_number: deviceNumber, taken, places } = made;
  fill({ 'made-label': label, 'device-number': deviceNumber, 'made-number': number });
  const state = 'active';
  count(taken, places);
  list([...batch.devices, { number, label, device_number: deviceNumber, state, in_use: false }]);
  byId('next').hidden = taken >= places;
  byId('last').hidden = taken < places;
}

/** The newest line of the list is the device that was just seen at work. */
function noteProved() {
  byId('made').rows[0].cells[3].textContent = text('state-in-use');
}

/** Another device begins with a fresh page: no key and no password of the one before is left in it. */
function offerNext(code) {
  const again = async () => {
    await forget(nameOf(code));
    nextDevice(code);
  };
  byId('next').addEventListener('click', again);
  byId('another').addEventListener('click', again);
  byId('print').addEventListener('click', () => print());
  // The file goes to another device: nothing of it stays in this browser.
  byId('file-taken').addEventListener('click', async () => {
    await forget(nameOf(code));
    show('done');
  });
}

function nextDevice(code) {
  history.replaceState(null, '', `${location.pathname}${location.search}#${code}`);
  location.reload();
}

function count(taken, places) {
  fill({ taken, places, 'next-number': Math.min(taken + 1, places) });
  const bar = byId('bar');
  bar.max = places;
  bar.value = taken;
}

function list(devices) {
  const body = byId('made');
  body.replaceChildren(...devices.toReversed().map(row));
  byId('made-none').hidden = devices.length > 0;
  byId('made-table').hidden = devices.length === 0;
}

function row({ number, label, device_number: deviceNumber, state, waits, in_use: inUse }) {
  const line = document.createElement('tr');
  const how = ['revoked', 'retired', 'suspended'].includes(state) ? 'stopped' : (inUse && 'in-use') || (waits && 'waiting') || (state ? 'made' : 'making');
  for (const value of [number, label, deviceNumber ?? '', text(`state-${how}`)]) {
    line.insertCell().textContent = value;
  }
  return line;
}

function refuse(code, failure) {
  const refusal = failure instanceof Refusal ? failure : Refusal.local('unreadable', true);
  tell(byId('opening-problem'), refusal);
  const again = byId('open-again');
  again.hidden = !refusal.retry;
  again.onclick = () => open(code);
  show('refused');
}

const picture = (svg) => `data:image/svg+xml,${encodeURIComponent(svg)}`;

/** Changing the language reloads the page, and the code is no longer in the address. */
function keepCodeInLanguageLink(code) {
  byId('language')?.addEventListener('click', (event) => {
    event.currentTarget.hash = code;
  });
}
