// Drives one Firefox with a profile of its own, made beforehand in HOME/profile.
//   node firefox.mjs HOME
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import axe from 'axe-core';
import { obeyLines, refuseViolations, until } from './lines.mjs';
import { Marionette } from './marionette.mjs';

const WINDOW = { width: 1024, height: 768 };
const PATIENCE_MS = 45_000;

const [home] = process.argv.slice(2);
const profile = join(home, 'profile');
const downloads = join(home, 'Downloads');
const fetched = new Set();
let firefox;
// The page before the last address, as Firefox numbers them.
let left;

const commands = {
  start: open,
  async reopen() {
    await firefox.quit();
    await open();
  },
  go,
  see: ({ selector }) => until(() => isThere(selector, true), selector, PATIENCE_MS).then(nothing),
  reach: ({ selector }) => until(() => isThere(selector, false), selector, PATIENCE_MS).then(nothing),
  click: ({ selector }) => act('ElementClick', selector),
  async type({ selector, value }) {
    await act('ElementClear', selector);
    await act('ElementSendKeys', selector, { text: value });
  },
  choose: ({ selector, value }) => act('ElementClick', `${selector} option[value="${value}"]`),
  text: ({ selector }) => firefox.run('return document.querySelector(arguments[0]).textContent', selector),
  value: ({ selector }) => firefox.run('return document.querySelector(arguments[0]).value', selector),
  address: () => firefox.call('WebDriver:GetCurrentURL'),
  download,
  import: importParcel,
  offered: () => until(offered, 'the choice of a certificate', PATIENCE_MS),
  present,
  picture,
  complaints: () => firefox.runInside(COMPLAINTS),
  close: () => firefox?.quit(),
};

// A fresh profile says nothing of itself and asks nobody; a file is saved where the tests look for it.
const PREFERENCES = {
  'app.normandy.enabled': false,
  'browser.download.dir': downloads,
  'browser.download.folderList': 2,
  'browser.region.network.url': '',
  'browser.safebrowsing.malware.enabled': false,
  'browser.safebrowsing.phishing.enabled': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'extensions.update.enabled': false,
  'intl.accept_languages': 'ja-JP, ja',
  'marionette.port': 0,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'services.settings.server': '',
};

// Errors of scripts and of the policy, since the last time. What the browser says of itself stays out.
const COMPLAINTS = `
  const messages = Services.console.getMessageArray().filter((message) => message instanceof Ci.nsIScriptError);
  const errors = messages.filter(({ flags, category, sourceName }) =>
    (flags & Ci.nsIScriptError.warningFlag) === 0 && /content javascript|Content Security Policy|CSP/.test(category)
    && /^(https:|$)/.test(sourceName));
  Services.console.reset();
  return errors.map(({ errorMessage, sourceName }) => errorMessage + ' at ' + sourceName);
`;

// Reports each dialog that asks for a certificate once it listens, as long as Firefox runs: `asking` are the open ones.
// Most are over the tab that asked, but one that Firefox cannot lay to a tab, as of a connection opened on speculation,
// is over the whole window. `diary` is for the reader of a failure.
const WATCH = `
  const window = Services.wm.getMostRecentWindow('navigator:browser');
  const { gBrowser } = window;
  const watch = window.certificateWatch = { asking: [], diary: [] };
  const note = (text) => watch.diary.push(new Date().toISOString().slice(11, -1) + ' ' + text);
  const overTab = (document) => gBrowser.browsers.some((browser) =>
    gBrowser.getTabDialogBox(browser).getTabDialogManager().dialogs.some(({ frameContentWindow }) => frameContentWindow === document.defaultView));
  Services.obs.addObserver(({ ownerDocument: document }) => {
    const { l10nArgs } = document.getElementById('clientAuthSiteIdentification').dataset;
    note('asks over the ' + (overTab(document) ? 'tab ' : 'window ') + l10nArgs);
    watch.asking.push(document);
    document.defaultView.addEventListener('unload', () => {
      note('has been told ' + l10nArgs);
      watch.asking.splice(watch.asking.indexOf(document), 1);
    }, { once: true });
  }, 'cert-dialog-loaded');
  gBrowser.addTabsProgressListener({
    onLocationChange(tab, progress, request, location) {
      if (progress.isTopLevel) note('is at ' + location.spec);
    },
  });
`;

const STATE = `
  const { gBrowser, certificateWatch: { asking, diary } } = Services.wm.getMostRecentWindow('navigator:browser');
  const page = gBrowser.selectedBrowser.browsingContext;
`;

await obeyLines(commands, circumstances);

async function circumstances() {
  const look = `${STATE} return [...diary, asking.length + ' open', page.webProgress.isLoadingDocument ? 'loading' : 'loaded'];`;
  const lines = await firefox?.runInside(look).catch((error) => [error.message]);
  return lines?.join('\n');
}

async function open() {
  mkdirSync(downloads, { recursive: true });
  const lines = Object.entries(PREFERENCES).map(([name, value]) => `user_pref("${name}", ${JSON.stringify(value)});\n`);
  writeFileSync(join(profile, 'user.js'), lines.join(''));
  firefox = await Marionette.start({
    program: 'firefox-esr',
    folder: profile,
    environment: { ...process.env, HOME: home },
    capabilities: {},
  });
  await firefox.call('WebDriver:SetWindowRect', WINDOW);
  await firefox.runInside(WATCH);
}

/** As from the address bar: WebDriver's own way waits for pages that wait for their reader's choice of a certificate. */
async function go({ url }) {
  left = await firefox.runInside(`
    ${STATE}
    const triggeringPrincipal = Services.scriptSecurityManager.getSystemPrincipal();
    gBrowser.selectedBrowser.fixupAndLoadURIString(arguments[0], { triggeringPrincipal });
    return page.currentWindowGlobal.innerWindowId;
  `, url);
  await settled();
}

/**
 * Until another page than the one left is loaded, or the reader has to choose a certificate first. A change of process
 * begins with an empty page of its own.
 */
function settled() {
  const look = `
    ${STATE}
    const { innerWindowId, isInitialDocument } = page.currentWindowGlobal ?? {};
    const arrived = innerWindowId !== arguments[0] && isInitialDocument === false && !page.webProgress.isLoadingDocument;
    return asking.length > 0 || arrived;
  `;
  return until(() => firefox.runInside(look, left), 'the page', PATIENCE_MS);
}

function isThere(selector, visible) {
  const look = 'const found = document.querySelector(arguments[0]); return !!found && (!arguments[1] || found.checkVisibility())';
  return firefox.run(look, selector, visible);
}

async function act(name, selector, parameters = {}) {
  await until(() => isThere(selector, name !== 'ElementClick'), selector, PATIENCE_MS);
  const element = await firefox.call('WebDriver:FindElement', { using: 'css selector', value: selector });
  await firefox.call(`WebDriver:${name}`, { id: Object.values(element)[0], ...parameters });
}

async function download() {
  const finished = () => readdirSync(downloads).find((name) => !name.endsWith('.part') && !fetched.has(name));
  const name = await until(finished, 'a file', PATIENCE_MS);
  fetched.add(name);
  return { path: join(downloads, name), name };
}

/** What the button “Import…” of the certificate manager does with the file and the password. */
async function importParcel({ path, password }) {
  const error = await firefox.runInside(`
    const file = Cc['@mozilla.org/file/local;1'].createInstance(Ci.nsIFile);
    file.initWithPath(arguments[0]);
    return Cc['@mozilla.org/security/x509certdb;1'].getService(Ci.nsIX509CertDB).importPKCS12File(file, arguments[1]);
  `, path, password);
  if (error !== 0) throw new Error(`Firefox does not import the file: error ${error}`);
}

/** The certificates among which Firefox lets its reader choose, as it names them; nothing while it does not ask. */
function offered() {
  return firefox.runInside(`${STATE} return asking[0] && [...asking[0].getElementById('nicknames').menupopup.children].map((item) => item.label);`);
}

/** Chooses the certificate whose name has `text` in it, and leaves everything else as it stands. */
async function present({ text }) {
  const names = await until(offered, 'the choice of a certificate', PATIENCE_MS);
  const place = names.findIndex((name) => name.includes(text));
  if (place < 0) throw new Error(`${text} is not among ${names.join(', ')}`);
  await firefox.runInside(`
    ${STATE}
    const [document] = asking;
    document.getElementById('nicknames').selectedIndex = arguments[0];
    document.getElementById('certAuthAsk').acceptDialog();
  `, place);
  await settled();
}

async function picture({ folder, name }) {
  await until(() => firefox.run('return [...document.images].every((image) => image.complete || !image.checkVisibility())'), 'the pictures', PATIENCE_MS);
  const image = await firefox.call('WebDriver:TakeScreenshot', { full: true });
  writeFileSync(join(folder, `${name}.firefox.png`), Buffer.from(image, 'base64'));
  // In the same sandbox as the question, which the page's policy does not touch.
  const violations = await firefox.run(`
    ${axe.source}
    const told = ({ id, help, nodes }) => ({ id, help, nodes: nodes.map((node) => node.html) });
    return window.axe.run(document).then(({ violations }) => violations.map(told));
  `);
  refuseViolations(name, violations);
}

function nothing() {}
