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

/** Whether it is the code of a link, which nobody types. */
export const isLinked = (code) => code !== undefined && LINKED.test(code);

/**
 * Lets the form on the page open the invitation. A code goes behind the #, which no server and no log sees. What cannot be one is
 * said beside the field, and stays in it.
 */
export function offerTyping() {
  const field = byId('code');
  const complaint = byId('code-length');
  field?.addEventListener('input', () => complain(field, complaint, false));
  byId('code-form')?.addEventListener('submit', (event) => {
    event.preventDefault();
    const code = codeOf(field.value);
    if (!code) return complain(field, complaint, true);
    // What was typed is shown again as it was, should it be wrong.
    const shown = isLinked(code) ? code : field.value.trim();
    return location.assign(`/enroll${location.search}#${shown}`);
  });
}

/** Shows what somebody has typed once more, to be corrected. */
export function offerAgain(text) {
  const field = byId('code');
  field.value = text;
  field.setAttribute('aria-invalid', 'true');
}

function complain(field, complaint, isWrong) {
  complaint.hidden = !isWrong;
  field.setAttribute('aria-invalid', String(isWrong));
  if (isWrong) field.focus();
}
