//! The same member of staff with Firefox, which keeps its certificates to itself and asks which one to present.

use serde_json::Value;
use tegata_tests::{Browser, Download, RunningInstallation};

#[test]
fn staff_with_firefox_enroll_enter_renew_and_read_why_they_are_stopped() {
    let installation = RunningInstallation::start();
    let mut browser = Browser::open_firefox(&installation);
    browser.go(&installation.invitation);
    browser.reach("ready");
    browser.click("#start");
    let (first, password) = parcel(&mut browser, "firefox-install");
    browser.import(&first.path, &password);
    let offered = browser.offered();
    assert_eq!(offered.len(), 1, "{offered:?}");
    let old = serial_of(&installation, 1);
    browser.present(&old);
    browser.reach("done");

    let device_page = format!("{}/?lang=en", installation.device);
    browser.go(&device_page);
    browser.present(&old);
    browser.see("#device");
    assert_eq!(browser.text("[data-fact=generation]"), "1");
    renew(&installation, &mut browser, &old);

    let (list, new) = (installation.listed(&["device", "list"]), serial_of(&installation, 2));
    let device = list[0]["device"].as_str().expect("a device");
    installation.tell(&["device", "revoke", "--yes", device]);
    browser.go(&device_page);
    assert_eq!(browser.text(".problem .code strong"), "C-06");
    assert!(device.starts_with(&browser.text(".problem .code strong + strong")));
    assert!(browser.text("#why").contains("Stopped on"), "{new}");
    browser.picture("firefox-revoked-english");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// On the device page, from the old certificate to the new one. Firefox keeps a choice until it is closed, whatever a
/// server says to it; the page tells so.
fn renew(installation: &RunningInstallation, browser: &mut Browser, old: &str) {
    browser.click("#start");
    let (second, password) = parcel(browser, "firefox-renew-install-english");
    browser.import(&second.path, &password);
    browser.click("#check");
    let new = serial_of(installation, 2);
    let both = browser.offered();
    assert_eq!(both.len(), 2, "both certificates are in the store: {both:?}");
    let number = browser.text("[data-fill=certificate-number]");
    let named: Vec<_> = both.iter().filter(|name| name.contains(number.trim_end_matches('…'))).collect();
    assert_eq!(named.len(), 1, "the page names the one to choose: {number} in {both:?}");
    browser.present(&new);
    browser.reach("done");
    browser.see("#keeps-old [data-platform=firefox]");
    assert!(browser.text("#keeps-old").contains(&number), "also where it says to close the browser");
    browser.picture("firefox-renew-done-english");

    let device_page = format!("{}/?lang=en", installation.device);
    browser.go(&device_page);
    browser.see("#device");
    assert_eq!(browser.text("[data-fact=generation]"), "1", "the old one goes on meanwhile");
    browser.reopen();
    browser.go(&device_page);
    assert_eq!(browser.offered().len(), 2, "{old} and {new}");
    browser.present(&new);
    browser.see("#device");
    assert_eq!(browser.text("[data-fact=generation]"), "2");
}

/// What the page offers once the certificate is there: the file, and the password that is shown.
fn parcel(browser: &mut Browser, picture: &str) -> (Download, String) {
    let file = browser.download();
    browser.reach("install");
    assert_eq!(browser.value("#platform"), "firefox", "its own steps are shown");
    browser.picture(picture);
    let password = browser.text("#password");
    (file, password)
}

/// The serial number of a generation of the only device.
fn serial_of(installation: &RunningInstallation, generation: u64) -> String {
    let list = installation.listed(&["device", "list"]);
    let shown = installation.tell(&["device", "show", list[0]["device"].as_str().expect("a device")]);
    let certificates = shown["certificates"].as_array().expect("certificates");
    let found = certificates.iter().find(|known| known["generation"] == generation);
    found.and_then(|known: &Value| known["serial"].as_str()).expect("a serial number").to_owned()
}
