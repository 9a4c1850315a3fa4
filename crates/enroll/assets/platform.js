// Which store, which steps and which way in apply. A guess from what the browser says of itself; the page lets people
// correct it.

/** Whose steps: a platform, or `firefox`, which on a computer keeps certificates of its own. */
export function storeOf(browser) {
  const platform = platformOf(browser);
  const onComputer = ['windows', 'macos', 'linux'].includes(platform);
  return onComputer && /Firefox\//.test(browser.userAgent) ? 'firefox' : platform;
}

/** One of `windows`, `macos`, `ios`, `android`, `chromeos`, `linux`. */
export function platformOf({ userAgent, maxTouchPoints = 0 }) {
  if (/iPhone|iPad|iPod|CriOS|FxiOS|EdgiOS/.test(userAgent)) return 'ios';
  // An iPad calls itself a Macintosh; no Macintosh has a touch screen.
  if (/Macintosh/.test(userAgent)) return maxTouchPoints > 1 ? 'ios' : 'macos';
  if (/Android/.test(userAgent)) return 'android';
  if (/CrOS/.test(userAgent)) return 'chromeos';
  if (/Windows/.test(userAgent)) return 'windows';
  return 'linux';
}

// Applications that show pages in a browser of their own, by what they add to its name. LINE, LINE WORKS, Facebook and
// Messenger, Instagram, Threads, X, WeChat, KakaoTalk, TikTok, Snapchat, Pinterest, LinkedIn, Yahoo! JAPAN, SmartNews, Google,
// Gmail, Outlook, Teams, Slack, Chatwork, Zoom, and whatever is built with Electron.
const IN_APP = new RegExp([
  '\\bLine/', 'WorksMobile', 'FBAN', 'FBAV', 'FB_IAB', 'FBIOS', 'Instagram', 'Barcelona', 'Twitter', 'MicroMessenger', 'KAKAOTALK',
  'musical_ly', 'Bytedance', 'TikTok', 'Snapchat', 'Pinterest/', 'LinkedInApp', 'YJApp', 'Yahoo! ?JAPAN', 'jp\\.co\\.yahoo', 'SmartNews',
  'GSA/', 'Gmail', 'Outlook-(?:iOS|Android)', 'TeamsMobile', '\\bTeams/', 'Slack', 'Chatwork', 'ZoomApps', 'Electron/',
].join('|'), 'i');

// Android marks the browser within an application; earlier versions called theirs 4.0.
const ANDROID_WEB_VIEW = /; wv\)|Version\/4\.0 Chrome\//;

// Browsers of an iPhone or iPad that are not Safari, which alone has the certificates of the device.
const NOT_SAFARI = /CriOS|FxiOS|Focus\/|EdgiOS|OPiOS|OPT\/|OPX\/|DuckDuckGo|Ddg\/|Brave\/|YaBrowser|Vivaldi|Coast\//;

/**
 * Why a certificate put on the device would not reach this browser: `in-app`, the small browser inside another application;
 * `not-safari`, another browser than Safari on an iPhone or iPad; or undefined.
 */
export function wrongBrowser({ userAgent, maxTouchPoints }) {
  if (IN_APP.test(userAgent) || ANDROID_WEB_VIEW.test(userAgent)) return 'in-app';
  const platform = platformOf({ userAgent, maxTouchPoints });
  if (platform !== 'ios') return undefined;
  if (NOT_SAFARI.test(userAgent)) return 'not-safari';
  // Safari says its name; a page shown by an application does not.
  return /Safari\//.test(userAgent) ? undefined : 'in-app';
}

export const isWrongBrowser = (browser) => wrongBrowser(browser) !== undefined;

/** The browser to go to instead: `safari`, `chrome`, or `desktop` for any of a computer. */
export function goesTo(browser) {
  const platform = platformOf(browser);
  if (platform === 'ios') return 'safari';
  return platform === 'android' ? 'chrome' : 'desktop';
}

/** Whether the application opens a link in the usual browser when its address asks for it: LINE does. */
export const opensElsewhere = ({ userAgent }) => /\bLine\//.test(userAgent);

/**
 * What a profile for this device orders: `{ by, hardwareBound }`, or undefined where it takes no profile, or where the key
 * would not reach this browser. `scep`: whether the server serves SCEP, for whatever does not take ACME.
 *
 * ACME payloads came with iOS 16 and macOS 13.1, keys in the Secure Enclave with iOS 16 and macOS 14. What a Mac says of its
 * version has stood still since 2020, but Safari 18 runs on no Mac older than macOS 13, and Safari 26 on none older than
 * macOS 14. Keys that came by ACME reach no other browser of a Mac; those that came by SCEP lie in the keychain.
 */
export function profileFor(platform, { userAgent }, { scep = false } = {}) {
  const older = scep ? { by: 'scep', hardwareBound: false } : undefined;
  const acme = (hardwareBound) => ({ by: 'acme', hardwareBound });
  if (platform === 'ios') return mobileVersion(userAgent) < 16 ? older : acme(true);
  if (platform !== 'macos') return undefined;
  const safari = isSafari(userAgent) ? safariVersion(userAgent) : 0;
  return safari < 18 ? older : acme(safari >= 26);
}

/** Whether this is a browser of a Mac to which keys that the Mac made do not come. */
export function isGuestOnMac(platform, { userAgent }) {
  return platform === 'macos' && !isSafari(userAgent);
}

/** Of iOS or iPadOS; where an iPad calls itself a Macintosh, Safari's is the same. Unknown is taken for new. */
function mobileVersion(userAgent) {
  const [, version] = /(?:iPhone|CPU) OS (\d+)_/.exec(userAgent) ?? [];
  return version ? Math.max(Number(version), safariVersion(userAgent)) : safariVersion(userAgent) || Infinity;
}

function isSafari(userAgent) {
  return /Safari\//.test(userAgent) && !/Chrom|Edg|OPR\/|Firefox|CriOS|FxiOS/.test(userAgent);
}

function safariVersion(userAgent) {
  return Number(/Version\/(\d+)/.exec(userAgent)?.[1] ?? 0);
}
