// The portal's enrolment page: an invitation's code becomes a certificate on this device.
import { post, Refusal } from './api.js';
import { offerCeremony } from './begin.js';
import { forget, keep, recall } from './kept.js';
import { isWrongBrowser, platformOf } from './platform.js';
import { offerProfile } from './profile.js';
import { codeOf, offerTyping } from './typed.js';
import { byId, date, fill, language, now, show, tell } from './view.js';
import { patiently } from './waiting.js';
import { offerWays } from './ways.js';

const api = (path, body) => post(`/api/v1/${path}`, body, { language: language() });

start(location.hash.slice(1).trim());

function start(code) {
  addEventListener('hashchange', () => location.reload());
  offerTyping();
  if (!code) return show('no-code');
  keepCodeInLanguageLink(code);
  if (!isWrongBrowser(navigator)) return open(code);
  // The code stays in the address here, so that "open in another browser" takes it along.
  byId('continue-anyway').addEventListener('click', () => open(code));
  byId('other-browser').href = `?openExternalBrowser=1#${code}`;
  return show('wrong-browser');
}

async function open(text) {
  const code = codeOf(text);
  // Neither the history nor somebody looking over the shoulder needs the code.
  history.replaceState(null, '', location.pathname + location.search);
  show('opening');
  try {
    if (!code) throw Refusal.local('cut-link', false);
    if (!globalThis.crypto?.subtle) throw Refusal.local('unsupported', false);
    const invitation = await api('invitations/open', { code });
    welcome(code, invitation, await recall(code));
  } catch (refusal) {
    refuse(text, refusal);
  }
}

function welcome(code, invitation, waited) {
  const { tenant, site, label, subject, keys, expires_at: expires, probe_pattern: probePattern, qr, scep } = invitation;
  const tickets = { code, progress: invitation.progress };
  byId('qr').src = `data:image/svg+xml,${encodeURIComponent(qr)}`;
  byId('profile-code').value = code;
  fill({ tenant, site, label, expires: date(expires, 'short') });
  offerWays({ profiles: true, scep });
  offerProfile({
    progress: () => api('invitations/progress', { ticket: tickets.progress }),
    proof: { probePattern },
    permitted: invitation.approval ? () => permitted(code, tickets, waited) : undefined,
  });
  offerCeremony({
    subject,
    keys,
    names: [site, label],
    probePattern,
    probeAtOnce: true,
    kept: waited?.request,
    submit: (csr, request) => submit(tickets.code, csr, request),
    deliver: (thumbprint) => api('deliveries', { ...right(tickets.code), thumbprint }),
  });
  show('ready');
  // Whoever waited before goes on where they were.
  if (waited) byId(waited.claim ? 'profile-start' : 'start').click();
}

/** Waits until somebody has approved of a device that will make its key by itself: what they give stands for the code. */
async function permitted(code, tickets, waited) {
  let claim = waited?.claim;
  const path = 'approvals/profile';
  const ask = () => api(path, claim ? { claim } : { code, platform: byId('profile-platform').value });
  try {
    const given = await patiently({
      hand: ask,
      ask,
      waits: (answer) => {
        claim = answer.claim;
        return wait(code, { claim }, answer);
      },
    });
    await forget(code);
    approval = undefined;
    Object.assign(tickets, given);
    byId('profile-code').value = given.code;
    show('ready');
  } catch (failure) {
    await endWait(code, failure);
    throw failure;
  }
}

/** The approval that was waited for, once there was one: a code that was typed may be over by then. */
let approval;
const right = (code) => (approval ? { approval } : { code });

async function submit(code, csr, request) {
  try {
    const issued = await patiently({
      hand: () => api('enrollments', { code, csr, platform: platformOf(navigator) }),
      ask: (id) => api('approvals', { approval: id }),
      waits: (answer) => wait(code, { request }, answer),
    });
    await forget(code);
    return issued;
  } catch (failure) {
    await endWait(code, failure);
    throw failure;
  }
}

/** A connection that breaks before anybody was asked is told where the button is. */
async function endWait(code, failure) {
  if (now() !== 'waiting') return;
  await forget(code);
  refuse(code, failure);
}

async function wait(code, mine, { approval: id, number, expires_at: expires }) {
  approval = id;
  const isKept = await keep(code, { ...mine, approval: id, expires });
  document.body.dataset.kept = isKept ? 'yes' : 'no';
  byId('waiting-kept').hidden = !isKept;
  byId('waiting-not-kept').hidden = isKept;
  fill({ number, 'waiting-until': date(expires, 'short') });
  show('waiting');
}

function refuse(code, failure) {
  const refusal = failure instanceof Refusal ? failure : Refusal.local('unreadable', true);
  tell(byId('opening-problem'), refusal);
  const again = byId('open-again');
  again.hidden = !refusal.retry;
  again.onclick = () => open(code);
  show('refused');
}

/** Changing the language reloads the page, and the code is no longer in the address. */
function keepCodeInLanguageLink(code) {
  byId('language')?.addEventListener('click', (event) => {
    event.currentTarget.hash = code;
  });
}
