// The few things the pages do to their document. Every text is in the document already, in the reader's
// language: scripts only show, hide and fill in.

export const byId = (id) => document.getElementById(id);

export const language = () => document.documentElement.lang;

/** The page's state. */
export const now = () => document.body.dataset.now;

/** Shows what belongs to one of the page's states and hides the rest; a screen reader is led to the heading. */
export function show(state) {
  for (const part of document.querySelectorAll('[data-state]')) part.hidden = !part.dataset.state.split(' ').includes(state);
  document.body.dataset.now = state;
  const heading = [...document.querySelectorAll('main h1, main h2')].find((candidate) => !candidate.closest('[hidden]'));
  heading?.setAttribute('tabindex', '-1');
  heading?.focus({ preventScroll: true });
  scrollTo(0, 0);
}

/** Puts values wherever the document asks for them by name. */
export function fill(values) {
  for (const [name, value] of Object.entries(values)) {
    for (const place of document.querySelectorAll(`[data-fill="${name}"]`)) place.textContent = value;
  }
}

/** A text that the server put into the document for later use. */
export function text(name) {
  return document.querySelector(`[data-text="${name}"]`).textContent;
}

/** Tells progress in one line that screen readers follow. */
export function say(id, name) {
  const line = byId(id);
  line.textContent = text(name);
  line.dataset.said = name;
}

/** In the reader's words and time zone. `timeStyle` adds the time of day. */
export function date(rfc3339, timeStyle) {
  return new Intl.DateTimeFormat(language(), { dateStyle: 'long', timeStyle }).format(new Date(rfc3339));
}

/** The month of a moment, such as `2027年12月`. */
export function month(rfc3339) {
  return new Intl.DateTimeFormat(language(), { year: 'numeric', month: 'long' }).format(new Date(rfc3339));
}

/** Says whom to call, wherever the page tells the reader to. */
export function showContact(contact) {
  if (!contact) return;
  fill({ 'contact-name': contact.name });
  for (const link of document.querySelectorAll('[data-contact-phone]')) {
    link.textContent = contact.phone;
    link.setAttribute('href', `tel:${contact.phone.replace(/[^0-9+]/g, '')}`);
  }
  for (const place of document.querySelectorAll('[data-contact]')) place.hidden = false;
}

/** Where to go on, from the server's own ledger: nothing that came with the address leads anywhere. */
export function showProduct(product) {
  if (!product || new URL(product.url).protocol !== 'https:') return;
  fill({ 'product-name': product.name });
  byId('product').setAttribute('href', product.url);
  byId('product').hidden = false;
}

/** Fills a problem box with a refusal, from the server or from the page itself. */
export function tell(box, refusal) {
  const { title, detail, code } = refusal.local ? localProblem(refusal.local) : refusal;
  // A screen reader need not hear the same refusal at every attempt.
  if (!box.hidden && box.dataset.code === code) return;
  box.dataset.code = code;
  showContact(refusal.contact);
  box.querySelector('[data-problem="title"]').textContent = title;
  box.querySelector('[data-problem="detail"]').textContent = detail ?? '';
  box.querySelector('[data-problem="code"]').textContent = code ?? '';
  box.hidden = false;
}

function localProblem(name) {
  const source = document.querySelector(`[data-local-problem="${name}"]`);
  return {
    title: source.querySelector('dt').textContent,
    detail: source.querySelector('dd').textContent,
    code: source.dataset.code,
  };
}
