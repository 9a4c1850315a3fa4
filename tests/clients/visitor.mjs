// A person with a browser on an enrolled device, as far as forms and cookies go. The clients know nothing of it.
import { createHmac } from 'node:crypto';

const entities = { amp: '&', lt: '<', gt: '>', quot: '"' };
const text = (html) =>
  html.replace(/&(?:#(\d+)|#x([0-9a-f]+)|(\w+));/gi, (_, decimal, hex, name) =>
    name ? entities[name] : String.fromCodePoint(decimal ? Number(decimal) : Number.parseInt(hex, 16)),
  );

/** The first code of TOTP (RFC 6238) for a secret as people type it. */
function totp(secret) {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const bits = [...secret.replaceAll(' ', '')].map((c) => alphabet.indexOf(c).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => Number.parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30000)));
  const tag = createHmac('sha1', key).update(step).digest();
  const at = tag[19] & 15;
  return String((tag.readUInt32BE(at) & 0x7fffffff) % 1000000).padStart(6, '0');
}

export class Visitor {
  #cookies = new Map();
  #codes = [];

  /** `fetch` presents the certificate of the device; `codes` are recovery codes that are left. */
  constructor(fetch, codes = []) {
    this.fetch = fetch;
    this.#codes = codes;
  }

  get codes() {
    return this.#codes;
  }

  async open(url, form) {
    const headers = { accept: 'text/html', cookie: [...this.#cookies].map((pair) => pair.join('=')).join('; ') };
    const sent = form && { method: 'POST', body: new URLSearchParams(form) };
    if (form) headers.origin = new URL(url).origin;
    const answer = await this.fetch(url, { headers, redirect: 'manual', ...sent });
    for (const cookie of answer.headers.getSetCookie()) {
      const [name, value] = cookie.split(';')[0].split('=');
      value ? this.#cookies.set(name, value) : this.#cookies.delete(name);
    }
    const next = answer.headers.get('location') ?? answer.headers.get('refresh')?.replace(/^0; url=/, '');
    return { status: answer.status, next: next && new URL(next, url).href, html: await answer.text() };
  }

  /** Chooses a password and an app by a setup link; keeps the recovery codes for sign-ins. */
  async setUp(link, password) {
    const { origin, hash } = new URL(link);
    const code = hash.slice(1);
    const page = await this.open(`${origin}/setup`, { code });
    const secret = /id="totp-secret">([^<]+)</.exec(page.html)[1];
    const form = { code, password, again: password, totp: totp(secret) };
    const done = await this.open(`${origin}/setup/complete`, form);
    this.#codes = [...done.html.matchAll(/<li><code>([^<]+)</g)].map((found) => found[1]);
    if (this.#codes.length !== 10) throw new Error(`no recovery codes: ${done.html}`);
  }

  /** Goes where a client sends it, signs in where it is asked to, and gives the address that it is sent to in the end. */
  async authorize(url, login, password) {
    let at = String(url);
    const { origin } = new URL(at);
    for (let step = 0; step < 8; step += 1) {
      const page = await this.open(at);
      if (page.next) {
        if (new URL(page.next).origin !== origin) return page.next;
        at = page.next;
        continue;
      }
      const field = (name) => text(new RegExp(`name="${name}" value="([^"]*)"`).exec(page.html)[1]);
      const form = { form_token: field('form_token'), next: field('next'), login, password, code: this.#codes.pop() };
      const entered = await this.open(`${origin}/sign-in`, form);
      if (!entered.next) throw new Error(`not signed in: ${entered.html}`);
      at = entered.next;
    }
    throw new Error(`it never ends: ${at}`);
  }
}
