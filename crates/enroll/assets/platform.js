// Which store and which steps apply. A guess from what the browser says of itself; the page lets people correct it.

/** Whose steps: a platform, or `firefox`, which on a computer keeps certificates of its own. */
export function storeOf(browser) {
  const platform = platformOf(browser);
  const onComputer = ['windows', 'macos', 'linux'].includes(platform);
  return onComputer && /Firefox\//.test(browser.userAgent) ? 'firefox' : platform;
}

/** One of `windows`, `macos`, `ios`, `android`, `chromeos`, `linux`. */
export function platformOf({ userAgent, maxTouchPoints = 0 }) {
  if (/iPhone|iPad|iPod/.test(userAgent)) return 'ios';
  // An iPad calls itself a Macintosh; no Macintosh has a touch screen.
  if (/Macintosh/.test(userAgent)) return maxTouchPoints > 1 ? 'ios' : 'macos';
  if (/Android/.test(userAgent)) return 'android';
  if (/CrOS/.test(userAgent)) return 'chromeos';
  if (/Windows/.test(userAgent)) return 'windows';
  return 'linux';
}

/**
 * Whether a certificate put on the device would not reach this browser: the small browsers inside messaging
 * applications have no certificates, and on an iPhone or iPad only Safari has them.
 */
export function isWrongBrowser({ userAgent, maxTouchPoints }) {
  if (/\bLine\/|FBAN|FBAV|Instagram|MicroMessenger|; wv\)/.test(userAgent)) return true;
  return platformOf({ userAgent, maxTouchPoints }) === 'ios' && /CriOS|FxiOS|EdgiOS|GSA\//.test(userAgent);
}
