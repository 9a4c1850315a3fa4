// The portal's enrollment page: an invitation's code becomes a certificate on this device.
import { post, Refusal } from './api.js';
import { offerCeremony } from './begin.js';
import { startInstallation } from './install.js';
import { offerOtherBrowser } from './other-browser.js';
import { platformOf } from './platform.js';
import { offerProfile } from './profile.js';
import { forget, keep, recall, recallAll, sweep } from './sealed.js';
import { codeOf, isLinked, offerAgain, offerTyping } from './typed.js';
import { byId, date, fill, language, now, show, showContact, showProduct, tell } from './view.js';
import { patiently } from './waiting.js';
import { offerSteps, offerWays } from './ways.js';

/** The invitation was used. */
const USED = 'I-02';
/** What a code that was typed wrongly is answered with. */
const MISTYPED = ['I-01', 'I-10', 'I-11', 'P-05'];
const PAGE = 'enroll';

const api = (path, body) => post(`/api/v1/${path}`, body, { language: language() });

start(location.hash.slice(1).trim());

async function start(code) {
  addEventListener('hashchange', () => location.reload());
  offerTyping();
  await sweep();
  if (!code) return withoutCode();
  keepCodeInLanguageLink(code);
  if (!offerOtherBrowser(navigator, location.href)) return open(code);
  // The code stays in the address here, so that "open in another browser" takes it along.
  byId('continue-anyway').addEventListener('click', () => open(code));
  byId('open-elsewhere').href = `?openExternalBrowser=1#${code}`;
  return show('wrong-browser');
}

/** A reload comes without the code, which left the address at once: what this browser has begun is gone on with. */
async function withoutCode() {
  const begun = (await recallAll()).filter(({ page, parcel }) => page === PAGE && parcel);
  const latest = begun.sort((a, b) => b.until - a.until)[0];
  return latest ? resume(latest) : show('no-code');
}

async function open(text) {
  const code = codeOf(text);
  // Neither the history nor somebody looking over the shoulder needs the code.
  history.replaceState(null, '', location.pathname + location.search);
  show('opening');
  try {
    if (!code) throw Refusal.local('cut-link', false);
    if (!globalThis.crypto?.subtle) throw Refusal.local('unsupported', false);
    const kept = await recall(code);
    if (kept?.parcel) return resume(kept);
    return await openFor(code, kept);
  } catch (refusal) {
    return refuse(text, refusal);
  }
}

async function openFor(code, kept) {
  try {
    return welcome(code, await api('invitations/open', { code }), { kept });
  } catch (refusal) {
    if (refusal.code !== USED) throw refusal;
    // Perhaps its device was never used: then this key, or another one, may go on with it.
    const begun = await api('invitations/open', { code, replace: true }).catch(() => { throw refusal; });
    if (kept?.request) return welcome(code, begun, { kept });
    describe(begun);
    byId('replace').onclick = () => welcome(code, begun, { replace: true });
    return show('begun');
  }
}

function describe({ tenant, site, label, contact, product, expires_at: expires }) {
  fill({ tenant, site, label });
  if (expires) fill({ expires: date(expires, 'short') });
  showContact(contact);
  showProduct(product);
}

/** `kept`: what this browser has begun with; `replace`: whether a new key takes the place of one that was lost. */
function welcome(code, invitation, { kept, replace }) {
  const { site, label, subject, keys, probe_pattern: probePattern, qr, scep } = invitation;
  const tickets = { code, progress: invitation.progress };
  byId('qr').src = `data:image/svg+xml,${encodeURIComponent(qr)}`;
  byId('profile-code').value = code;
  describe(invitation);
  // A profile is for an invitation that nobody has used.
  offerWays({ profiles: !replace && !kept?.request, scep });
  offerProfile({
    progress: () => api('invitations/progress', { ticket: tickets.progress }),
    proof: { probePattern },
    permitted: invitation.approval ? () => permitted(code, tickets, kept) : undefined,
  });
  offerCeremony({
    subject,
    keys,
    names: [site, label],
    probePattern,
    probeAtOnce: true,
    kept: kept?.request,
    submit: (csr, request) => submit(tickets.code, csr, request, replace),
    deliver: (thumbprint) => api('deliveries', { ...right(tickets.code), thumbprint }),
    keepAs: code,
    more: () => ({ page: PAGE, code, right: right(tickets.code), invitation }),
    startOver: () => startOver(code),
  });
  show('ready');
  // Whoever was here before goes on where they were.
  if (kept?.claim) byId('profile-start').click();
  else if (kept?.request) byId('start').click();
}

/** Goes on with a certificate that this browser has got and nobody has seen at work yet. */
function resume({ parcel, until, code, right: proof, invitation }) {
  const { site, label, probe_pattern: probePattern } = invitation;
  describe(invitation);
  offerSteps();
  startInstallation({
    parcel,
    names: [site, label],
    probePattern,
    probeAtOnce: true,
    deliver: () => api('deliveries', { ...proof, thumbprint: parcel.thumbprint }),
    keepAs: code,
    more: { page: PAGE, code, right: proof, invitation },
    until,
    isResumed: true,
    startOver: () => startOver(code),
  });
}

/** With a fresh page, in which nothing is left of the key before. */
function startOver(code) {
  history.replaceState(null, '', `${location.pathname}${location.search}#${code}`);
  location.reload();
}

/** Waits until somebody has approved of a device that will make its key by itself: what they give stands for the code. */
async function permitted(code, tickets, kept) {
  let claim = kept?.claim;
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

async function submit(code, csr, request, replace) {
  try {
    return await patiently({
      hand: () => api('enrollments', { code, csr, replace, platform: platformOf(navigator) }),
      ask: (id) => api('approvals', { approval: id }),
      waits: (answer) => wait(code, { request }, answer),
    });
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
  const isKept = await keep(code, { page: PAGE, ...mine, approval: id }, Date.parse(expires));
  document.body.dataset.kept = isKept ? 'yes' : 'no';
  byId('waiting-kept').hidden = !isKept;
  byId('waiting-not-kept').hidden = isKept;
  fill({ number, 'waiting-until': date(expires, 'short') });
  show('waiting');
}

function refuse(text, failure) {
  const refusal = failure instanceof Refusal ? failure : Refusal.local('unreadable', true);
  tell(byId('opening-problem'), refusal);
  const again = byId('open-again');
  again.hidden = !refusal.retry;
  again.onclick = () => open(text);
  const code = refusal.code ?? byId('opening-problem').dataset.code;
  const isMistyped = !isLinked(codeOf(text)) && text.length < 20 && (MISTYPED.includes(code) || refusal.local === 'cut-link');
  show('refused');
  byId('type-again').hidden = !isMistyped;
  if (isMistyped) offerAgain(text);
}

/** Changing the language reloads the page, and the code is no longer in the address. */
function keepCodeInLanguageLink(code) {
  byId('language')?.addEventListener('click', (event) => {
    event.currentTarget.hash = code;
  });
}
