// Drives one Chromium.
//   node chromium.mjs HOME
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import axe from 'axe-core';
import { chromium } from 'playwright-core';
import { obeyLines, refuseViolations, until } from './lines.mjs';

const DESKTOP = { width: 1024, height: 768 };
const WIDE = { width: 1440, height: 900 };
const PHONE = { width: 390, height: 844 };
const PATIENCE_MS = 20_000;
// Slow 3G, as browsers' own tools have it.
const SLOW = { offline: false, latency: 400, downloadThroughput: 50_000, uploadThroughput: 50_000 };
const ARGUMENTS = [
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-gpu',
  '--disable-quic',
  '--disable-sync',
  '--no-first-run',
  // Where names lead that no DNS knows.
  ...(process.env.BROWSER_HOSTS ? [`--host-resolver-rules=${process.env.BROWSER_HOSTS}`] : []),
];

const [home] = process.argv.slice(2);
const downloads = [];
let complaints = [];
let context;
let page;
let userAgent;
const fetched = new Map();

const commands = {
  start: (command) => {
    userAgent = command.userAgent ?? undefined;
    return open();
  },
  async reopen() {
    await context.close();
    await open();
  },
  go: ({ url }) => page.goto(url, { waitUntil: 'load' }).then(nothing),
  see: ({ selector }) => page.waitForSelector(selector, { state: 'visible' }).then(nothing),
  reach: ({ selector }) => page.waitForSelector(selector, { state: 'attached' }).then(nothing),
  click: ({ selector }) => page.click(selector),
  type: ({ selector, value }) => page.fill(selector, value).then(nothing),
  press: async ({ keys }) => {
    for (const key of keys) await page.keyboard.press(key);
  },
  focused: () => page.evaluate(() => document.activeElement?.id),
  shows: ({ selector }) => page.locator(selector).first().isVisible(),
  slowDown,
  traffic: () => [...fetched.values()].filter(({ bytes }) => bytes !== undefined),
  choose: ({ selector, value }) => page.selectOption(selector, value).then(nothing),
  text: ({ selector }) => page.textContent(selector),
  value: ({ selector }) => page.inputValue(selector),
  address: () => page.url(),
  run: ({ script }) => page.evaluate(script),
  addAuthenticator,
  download,
  picture,
  complaints() {
    const all = complaints;
    complaints = [];
    return all;
  },
  close: () => context?.close(),
};

await obeyLines(commands, () => `at ${page?.url()}\n${complaints.join('\n')}`);
await context?.close();

async function open() {
  context = await chromium.launchPersistentContext(join(home, 'profile'), {
    executablePath: '/usr/bin/chromium',
    // Only root has to do without the sandbox.
    chromiumSandbox: process.getuid() !== 0,
    args: ARGUMENTS,
    env: { ...process.env, HOME: home },
    acceptDownloads: true,
    userAgent,
    locale: 'ja-JP',
    viewport: DESKTOP,
  });
  context.setDefaultTimeout(PATIENCE_MS);
  page = context.pages()[0] ?? (await context.newPage());
  page.on('download', (file) => downloads.push(file));
  // Leaving a page that still holds a password asks first.
  page.on('dialog', (dialog) => dialog.accept());
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    // A refused probe is an error to the console and an answer to the page.
    if (message.type() === 'error' && !/Failed to load resource/.test(message.text())) complaints.push(message.text());
  });
}

async function slowDown() {
  const session = await context.newCDPSession(page);
  await session.send('Network.enable');
  await session.send('Network.setCacheDisabled', { cacheDisabled: true });
  await session.send('Network.emulateNetworkConditions', SLOW);
  session.on('Network.requestWillBeSent', ({ requestId, request }) => fetched.set(requestId, { url: request.url }));
  session.on('Network.loadingFinished', ({ requestId, encodedDataLength: bytes }) => Object.assign(fetched.get(requestId) ?? {}, { bytes }));
}

/** An authenticator that holds passkeys, verifies its user, and is touched at once. */
async function addAuthenticator() {
  const session = await context.newCDPSession(page);
  await session.send('WebAuthn.enable');
  const options = {
    protocol: 'ctap2',
    transport: 'internal',
    hasResidentKey: true,
    hasUserVerification: true,
    isUserVerified: true,
    automaticPresenceSimulation: true,
  };
  await session.send('WebAuthn.addVirtualAuthenticator', { options });
}

async function download() {
  const file = await until(() => downloads.shift(), 'a file', PATIENCE_MS);
  const folder = join(home, 'Downloads');
  mkdirSync(folder, { recursive: true });
  const name = file.suggestedFilename();
  const path = join(folder, name);
  await file.saveAs(path);
  return { path, name };
}

async function picture({ folder, name }) {
  for (const [size, viewport] of Object.entries({ wide: WIDE, desktop: DESKTOP, phone: PHONE })) {
    await page.setViewportSize(viewport);
    // Pictures of later steps load when they are shown.
    await page.waitForFunction(() => [...document.images].every((image) => image.complete || !image.checkVisibility()));
    await page.screenshot({ path: join(folder, `${name}.${size}.png`), fullPage: true });
    await checkAccessibility(`${name} (${size})`);
  }
  await page.setViewportSize(DESKTOP);
}

/** WCAG 2.2 A and AA, and good practice. */
async function checkAccessibility(where) {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document));
  refuseViolations(where, violations.map(({ id, help, nodes }) => ({ id, help, nodes: nodes.map((node) => node.html) })));
}

function nothing() {}
