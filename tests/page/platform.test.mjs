// Which way in a browser is led, from what it says of itself.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isGuestOnMac, isWrongBrowser, platformOf, profileFor } from '../../crates/enroll/assets/platform.js';

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
