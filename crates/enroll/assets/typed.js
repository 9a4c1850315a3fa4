// The short code that somebody types, where no link arrived.
import { byId } from './view.js';

// Crockford's base32 in lower case: 160 bits in a link, 40 in what is typed.
const LINKED = /^[0-9a-hjkmnp-tv-z]{32}$/;
const TYPED = /^[0-9a-hjkmnp-tv-z]{8}$/;

/**
 * The code in its plain form, or undefined: any case, with or without spaces and hyphens, in the full-width letters of a
 * Japanese keyboard, with O, I or L for the digits they look like, behind the # of a whole link, escaped, and with what
 * stands around it in a sentence, such as a full stop.
 */
export function codeOf(text) {
  const plain = decoded(text).normalize('NFKC').toLowerCase();
  const shown = plain.slice(plain.lastIndexOf('#') + 1).replace(/^[^0-9a-z]+/, '');
  const [linked] = /^[0-9a-z]*/.exec(shown);
  if (LINKED.test(linked)) return linked;
  const joined = shown.replace(/[\s‐−ー-]/g, '').replace(/[^0-9a-z]+$/, '');
  if (LINKED.test(joined)) return joined;
  const typed = joined.replace(/o/g, '0').replace(/[il]/g, '1');
  return TYPED.test(typed) ? typed : undefined;
}

/** A link's fragment may have been escaped on its way. */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Lets the form on the page open the invitation. A code goes behind the #, which no server and no log sees. */
export function offerTyping() {
  const field = byId('code');
  byId('code-form')?.addEventListener('submit', (event) => {
    event.preventDefault();
    location.assign(`/enroll${location.search}#${field.value.trim()}`);
  });
}
