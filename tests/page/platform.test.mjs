// Which way in a browser is led, from what it says of itself.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { goesTo, isGuestOnMac, isWrongBrowser, opensElsewhere, platformOf, profileFor, wrongBrowser } from '../../crates/enroll/assets/platform.js';

const WEBKIT = 'AppleWebKit/605.1.15 (KHTML, like Gecko)';
const MAC = `Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) ${WEBKIT}`;
const iPhone = (system, rest) => ({ userAgent: `Mozilla/5.0 (iPhone; CPU iPhone OS ${system} like Mac OS X) ${WEBKIT} ${rest}`, maxTouchPoints: 5 });
const safariOnMac = (version) => ({ userAgent: `${MAC} Version/${version} Safari/605.1.15`, maxTouchPoints: 0 });
const chromeOnMac = { userAgent: 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36', maxTouchPoints: 0 };
const firefoxOnMac = { userAgent: 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:140.0) Gecko/20100101 Firefox/140.0', maxTouchPoints: 0 };
const iPadAsMac = (version) => ({ ...safariOnMac(version), maxTouchPoints: 5 });

test('an iPhone or iPad gets a key in its hardware from iOS 16 on, and a file before', () => {
  for (const [browser, profile] of [
    [iPhone('17_5', 'Version/17.5 Mobile/15E148 Safari/604.1'), { by: 'acme', hardwareBound: true }],
    [iPhone('16_0', 'Version/16.0 Mobile/15E148 Safari/604.1'), { by: 'acme', hardwareBound: true }],
    // Since iOS 26 the system's version stands still and Safari's does not.
    [iPhone('18_6', 'Version/26.0 Mobile/15E148 Safari/604.1'), { by: 'acme', hardwareBound: true }],
    [iPhone('15_8', 'Version/15.6 Mobile/15E148 Safari/604.1'), undefined],
    [iPadAsMac('16.4'), { by: 'acme', hardwareBound: true }],
    [iPadAsMac('15.4'), undefined],
  ]) {
    assert.equal(platformOf(browser), 'ios');
    assert.deepEqual(profileFor('ios', browser), profile, browser.userAgent);
    assert.equal(isWrongBrowser(browser), false);
  }
  assert.equal(isWrongBrowser(iPhone('17_5', 'CriOS/120.0 Mobile/15E148 Safari/604.1')), true);
});

test('Safari on a Mac gets what every Mac that runs it can do; other browsers of a Mac get a file, and are told of Safari', () => {
  for (const [version, profile] of [['17.6', undefined], ['18.1', { by: 'acme', hardwareBound: false }], ['26.0', { by: 'acme', hardwareBound: true }]]) {
    const browser = safariOnMac(version);
    assert.equal(platformOf(browser), 'macos');
    assert.deepEqual(profileFor('macos', browser), profile, version);
    assert.equal(isGuestOnMac('macos', browser), false);
  }
  for (const browser of [chromeOnMac, firefoxOnMac]) {
    assert.equal(platformOf(browser), 'macos');
    assert.equal(profileFor('macos', browser), undefined);
    assert.equal(isGuestOnMac('macos', browser), true);
  }
});

test('whoever says that this is another device is led as that device', () => {
  const linux = { userAgent: 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36' };
  assert.deepEqual(profileFor('ios', linux), { by: 'acme', hardwareBound: true });
  for (const platform of ['windows', 'android', 'chromeos', 'linux']) assert.equal(profileFor(platform, safariOnMac('26.0')), undefined);
});

test('where there is a door for SCEP, older devices and other browsers of a Mac get a profile too', () => {
  const scep = { by: 'scep', hardwareBound: false };
  const older = iPhone('15_8', 'Version/15.6 Mobile/15E148 Safari/604.1');
  assert.deepEqual(profileFor('ios', older, { scep: true }), scep);
  for (const browser of [chromeOnMac, safariOnMac('17.6')]) assert.deepEqual(profileFor('macos', browser, { scep: true }), scep);
  assert.deepEqual(profileFor('macos', safariOnMac('26.0'), { scep: true }), { by: 'acme', hardwareBound: true });
  assert.equal(profileFor('windows', chromeOnMac, { scep: true }), undefined);
});

const onAndroid = (rest, build = 'Build/AP2A; wv') => ({ userAgent: `Mozilla/5.0 (Linux; Android 14; Pixel 8 ${build}) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/126.0.0.0 Mobile Safari/537.36 ${rest}`, maxTouchPoints: 5 });
const onWindows = (rest) => ({ userAgent: `Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36${rest}`, maxTouchPoints: 0 });

test('whoever follows the link inside another application is sent to a browser that has the certificates of the device', () => {
  for (const [name, browser, target] of [
    ['LINE on an iPhone', iPhone('17_5', 'Mobile/15E148 Safari Line/14.9.0'), 'safari'],
    ['LINE on Android', onAndroid('Line/14.9.0/IAB'), 'chrome'],
    ['Facebook on an iPhone', iPhone('17_5', 'Mobile/15E148 [FBAN/FBIOS;FBAV/470.0;FBDV/iPhone15,2]'), 'safari'],
    ['Facebook on Android', onAndroid('[FB_IAB/FB4A;FBAV/470.0;]'), 'chrome'],
    ['Instagram', iPhone('17_5', 'Mobile/15E148 Instagram 337.0.0 (iPhone15,2; iOS 17_5; ja_JP)'), 'safari'],
    ['Yahoo! JAPAN on an iPhone', iPhone('17_5', 'Mobile/15E148 YJApp-IOS jp.co.yahoo.ipn.appli/4.120.0'), 'safari'],
    ['Yahoo! JAPAN on Android', { userAgent: 'Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36 YJApp-ANDROID jp.co.yahoo.android.yjtop/3.180.0' }, 'chrome'],
    ['the Google application', iPhone('17_5', 'GSA/320.0 Mobile/15E148 Safari/604.1'), 'safari'],
    ['Gmail, which shows pages without a name', iPhone('17_5', 'Mobile/15E148'), 'safari'],
    ['Gmail on an iPad that calls itself a Mac', { userAgent: MAC, maxTouchPoints: 5 }, 'safari'],
    ['any application on Android', onAndroid(''), 'chrome'],
    ['any application on an old Android', onAndroid('', 'Build/LMY48G'), 'chrome'],
    ['Teams on an iPhone', iPhone('17_5', 'Mobile/15E148 TeamsMobile-iOS'), 'safari'],
    ['Teams on Windows', onWindows(' Teams/24.4.0 Electron/29.1'), 'desktop'],
    ['Slack on Windows', onWindows(' Electron/30.0 Slack/4.38'), 'desktop'],
    ['Outlook', iPhone('17_5', 'Mobile/15E148 Outlook-iOS/724.37'), 'safari'],
    ['WeChat', onAndroid('MicroMessenger/8.0.49'), 'chrome'],
    ['SmartNews', iPhone('17_5', 'Mobile/15E148 SmartNews 24.6'), 'safari'],
  ]) {
    assert.equal(wrongBrowser(browser), 'in-app', name);
    assert.equal(goesTo(browser), target, name);
    assert.equal(opensElsewhere(browser), name.startsWith('LINE'), name);
  }
});

test('on an iPhone or iPad every other browser is sent to Safari', () => {
  for (const name of ['CriOS/126.0', 'FxiOS/127.0', 'EdgiOS/125.0', 'OPiOS/16', 'OPT/4.8', 'DuckDuckGo/7', 'Focus/127']) {
    const browser = iPhone('17_5', `${name} Mobile/15E148 Safari/604.1`);
    assert.deepEqual([wrongBrowser(browser), goesTo(browser)], ['not-safari', 'safari'], name);
  }
  const asMac = { userAgent: `${MAC} CriOS/126.0 Version/17.5 Safari/605.1.15`, maxTouchPoints: 0 };
  assert.deepEqual([wrongBrowser(asMac), platformOf(asMac)], ['not-safari', 'ios'], 'which asks for the page of a computer');
});

test('browsers that have the certificates of the device are left alone', () => {
  const phone = { userAgent: 'Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36' };
  const linux = { userAgent: 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0' };
  const safari = iPhone('17_5', 'Version/17.5 Mobile/15E148 Safari/604.1');
  for (const browser of [phone, linux, safari, safariOnMac('17.5'), iPadAsMac('17.5'), chromeOnMac, firefoxOnMac, onWindows(''), onWindows(' Edg/126.0.0.0')]) {
    assert.equal(wrongBrowser(browser), undefined, browser.userAgent);
  }
});
