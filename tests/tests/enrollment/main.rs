//! A member of staff, a browser, and nobody to help.

mod apple;
mod slow;
mod unfinished;

use std::path::Path;
use tegata_tests::{Browser, Curl, Download, RunningInstallation, run};

#[test]
fn staff_open_the_invitation_click_once_and_see_the_page_turn_green() {
    let installation = RunningInstallation::start();
    let mut browser = Browser::open(&installation);

    browser.go(&installation.portal);
    browser.see("main");
    browser.picture("home");
    browser.go(&installation.invitation);
    browser.reach("ready");
    assert!(!browser.address().contains('#'), "the code does not stay in the address bar");
    browser.picture("enroll-ready");
    enroll(&mut browser, Some("enroll"));

    browser.go(&format!("{}/", installation.device));
    browser.see("#device");
    browser.picture("device-good");
    let shown = browser.text("#device dl");
    let ledger = &installation.listed(&["device", "list"])[0];
    for name in ["tenant", "site", "label"] {
        let known = ledger[name].as_str().unwrap_or_else(|| panic!("{name} in {ledger}"));
        assert!(shown.contains(known), "the page shows the {name} of the ledger: {shown}");
    }
    assert_eq!((&ledger["state"], &ledger["generation"]), (&"active".into(), &1.into()), "{ledger}");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn somebody_without_mail_types_the_code_that_was_read_out() {
    let installation = RunningInstallation::start();
    let invited = installation.tell(&["invite", "--label", "調剤室", "--code"]);
    let code = invited["code"].as_str().expect("a code").to_owned();
    let mut browser = Browser::open(&installation);
    browser.go(&installation.portal);
    browser.type_in("#code", "0000-0000");
    browser.click("#code-form button");
    browser.reach("refused");
    assert_eq!(browser.text("#opening-problem [data-problem=code]"), "I-10");
    browser.picture("enroll-wrong-code");
    browser.go(&installation.portal);
    browser.type_in("#code", &code.to_lowercase().replace('-', " "));
    browser.click("#code-form button");
    browser.reach("ready");
    assert_eq!(browser.text("[data-fill=label]"), "調剤室");
    browser.click("#elsewhere summary");
    browser.see("#qr");
    browser.picture("enroll-ready-code");
    enroll(&mut browser, None);
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_page_makes_rsa_keys_where_the_profile_wants_them_and_they_work() {
    let mut installation = RunningInstallation::start();
    installation.kill();
    let profile = installation.data().join("ca-config/device.toml");
    let text = std::fs::read_to_string(&profile).expect("a profile");
    // RSA is in it for SCEP, but not first.
    let wanted = text.replace("\nkeys = [\"p256\", \"rsa\"]", "\nkeys = [\"rsa\", \"p256\"]");
    assert_ne!(text, wanted);
    std::fs::write(&profile, wanted).expect("a profile");
    installation.start_again();
    let mut browser = Browser::open(&installation);
    browser.go(&installation.invite("古い端末"));
    browser.reach("ready");
    let (file, password) = enroll(&mut browser, None);
    let shown = run("openssl", &["x509", "-in", &file.pem(&password), "-noout", "-text"]);
    assert!(shown.contains("Public-Key: (2048 bit)"), "{shown}");
}

#[test]
fn an_invitation_serves_one_device_and_says_so_to_the_next() {
    let installation = RunningInstallation::start();
    let mut browser = Browser::open(&installation);
    browser.go(&installation.invitation);
    browser.reach("ready");
    enroll(&mut browser, None);

    browser.reopen();
    browser.go(&installation.invitation);
    browser.reach("refused");
    assert_eq!(browser.text("#opening-problem [data-problem=code]"), "I-02");
    browser.picture("enroll-refused");
    browser.go(&format!("{}?lang=en#{}", link(&installation.invitation), "0".repeat(32)));
    browser.reach("refused");
    assert_eq!(browser.text("#opening-problem [data-problem=code]"), "I-01");
    browser.picture("enroll-refused-english");
    browser.go(&format!("{}/enroll", installation.portal));
    browser.reach("no-code");
    browser.picture("enroll-no-code");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn whoever_comes_without_a_certificate_or_with_a_revoked_one_reads_why() {
    let installation = RunningInstallation::start();
    let mut browser = Browser::open(&installation);
    let device_page = format!("{}/", installation.device);
    browser.go(&device_page);
    assert_eq!(browser.text(".problem .code strong"), "C-01");
    browser.picture("device-without-certificate");

    browser.go(&installation.invitation);
    browser.reach("ready");
    enroll(&mut browser, None);
    let device = only_device(&installation);
    installation.tell(&["device", "suspend", &device]);
    browser.reopen();
    browser.go(&device_page);
    assert_eq!(browser.text(".problem .code strong"), "C-07");
    assert!(browser.text("#why").contains("停止した日時"));
    let number = browser.text(".problem .code strong + strong");
    let found = installation.listed(&["device", "list", &number]);
    assert_eq!(
        found[0]["device"],
        device.as_str(),
        "support finds the device by the number on the page: {found}"
    );
    browser.picture("device-suspended");
    installation.tell(&["device", "revoke", "--yes", &device]);
    browser.go(&device_page);
    assert_eq!(browser.text(".problem .code strong"), "C-06");
    browser.picture("device-revoked");
    browser.go(&format!("{}/nowhere", installation.portal));
    assert_eq!(browser.text(".problem .code strong"), "R-03");
    browser.picture("no-such-page");
}

#[test]
fn staff_renew_on_the_device_page_and_the_old_works_until_the_new_has() {
    let installation = RunningInstallation::start();
    let mut browser = Browser::open(&installation);
    browser.go(&installation.invitation);
    browser.reach("ready");
    let (first, password) = enroll(&mut browser, None);
    let old = first.pem(&password);

    browser.go(&format!("{}/", installation.device));
    browser.see("#start");
    browser.click("#start");
    let second = browser.download();
    browser.reach("install");
    let password = browser.text("#password");
    browser.picture("renew-install");
    let new = second.pem(&password);
    assert_eq!(
        generation(&installation, &old),
        1,
        "an unfinished renewal leaves the old certificate at work"
    );

    browser.import(&second.path, &password);
    browser.click("#check");
    browser.reach("done");
    assert!(!browser.shows("#keeps-old"), "the browser let go of the old certificate");
    let named = browser.text("[data-state=done] [data-fill=certificate-name]");
    assert!(named.ends_with("月まで）"), "old and new are told apart by their names: {named}");
    browser.picture("renew-done");
    browser.go(&format!("{}/", installation.device));
    browser.see("#device");
    assert_eq!(
        browser.text("[data-fact=generation]"),
        "2",
        "the browser let go of the old one without being closed"
    );
    assert_eq!(generation(&installation, &new), 2);
    assert_eq!(generation(&installation, &old), 1, "the old certificate has its grace");

    browser.reopen();
    browser.go(&format!("{}/", installation.device));
    browser.see("#device");
    assert!(browser.text("#device dl").contains('2'), "the browser picks the newer one");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// From the ready page to the green one, as the page says, with at most one click on it.
fn enroll(browser: &mut Browser, pictures: Option<&str>) -> (Download, String) {
    browser.click("#start");
    let file = browser.download();
    browser.reach("install");
    let password = browser.text("#password");
    if let Some(name) = pictures {
        for platform in ["windows", "macos", "ios", "android", "chromeos", "linux"] {
            browser.choose("#platform", platform);
            browser.picture(&format!("{name}-install-{platform}"));
        }
    }
    assert!(Path::new(&file.name).extension().is_some_and(|kind| kind == "p12"), "{file:?}");
    browser.import(&file.path, &password);
    browser.reach("done");
    if let Some(name) = pictures {
        browser.picture(&format!("{name}-done"));
    }
    (file, password)
}

/// Which generation the device listener sees in this certificate, which must be a good one.
fn generation(installation: &RunningInstallation, pem: &str) -> u64 {
    let probe: Curl = installation.at_device("/probe").presenting(pem, pem);
    probe.send().expect(200).json()["generation"].as_u64().expect("a generation")
}

fn only_device(installation: &RunningInstallation) -> String {
    let list = installation.listed(&["device", "list"]);
    list[0]["device"].as_str().unwrap_or_else(|| panic!("a device in {list}")).to_owned()
}

fn link(invitation: &str) -> &str {
    invitation.split('#').next().unwrap_or_default()
}
