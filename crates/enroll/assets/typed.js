// The short code that somebody types, where no link arrived.
import { byId } from './view.js';

// Crockford's base32 in lower case: 160 bits in a link, 40 in what is typed.
const LINKED = /^[0-9a-hjkmnp-tv-z]{32}$/;
const TYPED = /^[0-9a-hjkmnp-tv-z]{8}$/;

/**
 * The code in its plain form, or undefined: any case, with or without spaces and hyphens, in the full-width letters of a
 * Japanese keyboard, and with O, I or L for the digits they look like.
 */
export function codeOf(text) {
  const plain = text.normalize('NFKC').toLowerCase().replace(/[\s‐−ー-]/g, '');
  if (LINKED.test(plain)) return plain;
  const typed = plain.replace(/o/g, '0').replace(/[il]/g, '1');
  return TYPED.test(typed) ? typed : undefined;
}

/** Lets the form on the page open the invitation. A code goes behind the #, which no server and no log sees. */
export function offerTyping() {
  const field = byId('code');
  byId('code-form')?.addEventListener('submit', (event) => {
    event.preventDefault();
    location.assign(`/enroll${location.search}#${field.value.trim()}`);
  });
}
