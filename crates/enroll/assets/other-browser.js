// Browsers that no certificate of the device reaches: where to go instead, with the link.
import { goesTo, opensElsewhere, wrongBrowser } from './platform.js';
import { byId, say } from './view.js';

/** Shows the way into another browser. `link`: what is to be opened there. Gives whether this browser needs it. */
export function offerOtherBrowser(browser, link) {
  const trouble = wrongBrowser(browser);
  if (!trouble) return false;
  const target = goesTo(browser);
  for (const part of document.querySelectorAll('[data-trouble]')) part.hidden = part.dataset.trouble !== trouble;
  for (const part of document.querySelectorAll('[data-browser]')) part.hidden = part.dataset.browser !== target;
  const field = byId('link');
  field.value = link;
  byId('link-copy').addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(link);
      say('link-copied', 'copy-done');
    } catch {
      // Small browsers often refuse: then a person does it.
      field.focus();
      field.select();
      say('link-copied', 'copy-by-hand');
    }
  });
  byId('open-elsewhere').hidden = !opensElsewhere(browser);
  return true;
}
