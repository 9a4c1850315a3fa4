//! An iPad, an iPhone and a Mac: the system makes the key, and the page only waits.

use serde_json::Value;
use tegata_tests::acme::refusal;
use tegata_tests::apple::{self, acme_of};
use tegata_tests::{Browser, CurlAnswer, Guise, RunningInstallation};

/// In the order of the list.
const PLATFORMS: [&str; 7] = ["windows", "macos", "ios", "android", "chromeos", "linux", "firefox"];

#[test]
fn an_ipads_page_gives_a_profile_and_turns_green_by_itself() {
    let installation = RunningInstallation::start();
    let mut browser = Browser::open_as(&installation, Guise::IPad);
    browser.go(&installation.invitation);
    browser.reach("ready");
    browser.see("#profile-start");
    assert!(!browser.shows("#start"), "a file with a password is the last resort");
    browser.picture("apple-ipad-ready");
    browser.click("#other-way summary");
    browser.see("#start");
    browser.picture("apple-ipad-last-resort");
    let profile = profile(&installation, &mut browser);
    assert_eq!(acme_of(&profile)["HardwareBound"], true);
    browser.reach("profile");
    assert!(browser.shows(".steps[data-platform=ios]") && !browser.shows(".steps[data-platform=macos]"));
    browser.picture("apple-ipad-profile");

    let (chain, key) = install(&installation, &profile).expect("a certificate");
    browser.see("#after-issue");
    browser.picture("apple-ipad-issued");
    browser.receive(&chain, &key);
    browser.reach("done");
    browser.picture("apple-ipad-done");
    assert!(!browser.shows("[data-fill=file-name]"), "no file is left over that could be deleted");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_mac_in_safari_gets_a_profile_even_for_a_code_that_somebody_typed() {
    let installation = RunningInstallation::start();
    let invited = installation.tell(&["invite", "--label", "事務室の Mac", "--code"]);
    let mut browser = Browser::open_as(&installation, Guise::Mac);
    browser.go(&format!("{}/?lang=en", installation.portal));
    browser.type_in("#code", invited["code"].as_str().expect("a code"));
    browser.click("#code-form button");
    browser.reach("ready");
    browser.picture("apple-mac-ready");
    browser.click("#other-way summary");
    browser.picture("apple-mac-other-ways");
    browser.click("#profile-soft button");
    let soft = read_next(&installation, &mut browser);
    assert_eq!(acme_of(&soft)["HardwareBound"], false, "for Macs without a Secure Enclave");
    browser.reach("profile");
    browser.picture("apple-mac-profile");
    browser.click("#profile-again");
    let profile = read_next(&installation, &mut browser);
    assert_eq!(acme_of(&profile)["HardwareBound"], true);
    let (chain, key) = install(&installation, &profile).expect("a certificate");
    browser.receive(&chain, &key);
    browser.reach("done");
    install(&installation, &soft).expect_err("the invitation is used up, for both profiles");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_mac_in_chrome_and_an_old_iphone_get_a_profile_that_leads_to_scep() {
    let installation = RunningInstallation::start();
    for guise in [Guise::MacChrome, Guise::OldIPhone] {
        let mut browser = Browser::open_as(&installation, guise);
        browser.go(&installation.invite("事務室"));
        browser.reach("ready");
        browser.see("#profile-start");
        assert!(!browser.shows("#start") && !browser.shows("#use-safari"), "{guise:?}");
        let profile = profile(&installation, &mut browser);
        browser.reach("profile");
        assert_eq!(profile["PayloadContent"][1]["PayloadType"], "com.apple.security.scep");
        let (chain, key) =
            apple::follow(&installation, &profile, &format!("{guise:?}")).expect("a certificate");
        browser.see("#after-issue");
        browser.receive(&chain, &key);
        browser.reach("done");
        assert_eq!(browser.complaints(), Vec::<String>::new());
    }
}

#[test]
fn where_there_is_no_scep_they_go_the_way_of_the_file() {
    let mut installation = RunningInstallation::start();
    installation.reconfigure(|text| text.replace("[scep]\nenabled = true", "[scep]\nenabled = false"));
    for (guise, is_told_of_safari) in [(Guise::MacChrome, true), (Guise::OldIPhone, false)] {
        let mut browser = Browser::open_as(&installation, guise);
        browser.go(&installation.invite("事務室"));
        browser.reach("ready");
        browser.see("#start");
        assert!(!browser.shows("#profile-form"), "{guise:?}");
        assert_eq!(browser.shows("#use-safari"), is_told_of_safari, "{guise:?}");
        browser.picture(&format!("apple-file-{guise:?}"));
        browser.click("#start");
        let file = browser.download();
        assert_ne!(file.name, "tegata.mobileconfig");
        browser.reach("install");
        let password = browser.text("#password");
        browser.import(&file.path, &password);
        browser.reach("done");
    }
}

#[test]
fn a_person_who_corrects_the_device_by_keyboard_gets_the_right_guide() {
    let installation = RunningInstallation::start();
    let mut browser = Browser::open_as(&installation, Guise::ChromeOs);
    browser.go(&installation.invitation);
    browser.reach("ready");
    browser.picture("chromeos-ready");
    tab_to(&mut browser, "platform");
    for wanted in PLATFORMS {
        choose_by_keyboard(&mut browser, wanted);
        let is_apple = ["ios", "macos"].contains(&wanted);
        assert_eq!(browser.shows("#profile-form"), is_apple, "{wanted}");
        assert_eq!(browser.shows("#start"), !is_apple, "{wanted}");
    }
    choose_by_keyboard(&mut browser, "chromeos");
    tab_to(&mut browser, "start");
    browser.press(&["Enter"]);
    let file = browser.download();
    browser.reach("install");
    tab_to(&mut browser, "platform");
    for wanted in PLATFORMS {
        choose_by_keyboard(&mut browser, wanted);
        for guide in PLATFORMS {
            let steps = format!("[data-state=install] .steps[data-platform={guide}]");
            assert_eq!(browser.shows(&steps), guide == wanted, "{guide} for {wanted}");
        }
    }
    let password = browser.text("#password");
    browser.import(&file.path, &password);
    browser.reach("done");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_page_that_waits_for_a_profile_goes_back_when_this_is_no_such_device() {
    let installation = RunningInstallation::start();
    let mut browser = Browser::open_as(&installation, Guise::IPad);
    browser.go(&installation.invitation);
    browser.reach("ready");
    profile(&installation, &mut browser);
    browser.reach("profile");
    browser.choose("#platform", "windows");
    browser.take_file();
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn an_ipads_device_page_renews_with_the_next_profile_which_works_once() {
    let installation = RunningInstallation::start();
    let mut browser = Browser::open_as(&installation, Guise::IPad);
    browser.go(&installation.invitation);
    browser.reach("ready");
    let first = profile(&installation, &mut browser);
    let (chain, key) = install(&installation, &first).expect("a certificate");
    browser.receive(&chain, &key);
    browser.reach("done");

    browser.go(&format!("{}/", installation.device));
    browser.see("#profile-start");
    browser.picture("apple-ipad-device-page");
    let second = profile(&installation, &mut browser);
    browser.reach("profile");
    browser.picture("apple-ipad-renew-profile");
    assert_eq!(first["PayloadIdentifier"], second["PayloadIdentifier"], "it takes the place of the first");
    assert_ne!(acme_of(&first)["PayloadUUID"], acme_of(&second)["PayloadUUID"]);
    let (chain, key) = install(&installation, &second).expect("the next certificate");
    let refused = install(&installation, &second).expect_err("a copy of the profile, in other hands");
    assert_eq!(refusal(&refused).1, "K-06");
    browser.receive(&chain, &key);
    browser.see("#after-issue");
    // Chromium keeps both certificates; an iPad would have only the new one.
    browser.reach("done");
    assert!(!browser.shows("#keeps-old"), "the browser let go of the old certificate");
    browser.go(&format!("{}/", installation.device));
    assert_eq!(browser.text("[data-fact=generation]"), "2");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// What the page's form brings, as the system reads it.
fn profile(installation: &RunningInstallation, browser: &mut Browser) -> Value {
    browser.click("#profile-start");
    read_next(installation, browser)
}

fn read_next(installation: &RunningInstallation, browser: &mut Browser) -> Value {
    let file = browser.download();
    assert_eq!(file.name, "tegata.mobileconfig");
    apple::read(installation, &std::fs::read(file.path).expect("a profile"))
}

/// The chain and the key, in PEM.
fn install(installation: &RunningInstallation, profile: &Value) -> Result<(String, String), Box<CurlAnswer>> {
    apple::follow(installation, profile, "device")
}

fn tab_to(browser: &mut Browser, id: &str) {
    for _ in 0..20 {
        if browser.focused() == id {
            return;
        }
        browser.press(&["Tab"]);
    }
    panic!("the keyboard does not reach #{id}");
}

fn choose_by_keyboard(browser: &mut Browser, platform: &str) {
    let place = PLATFORMS.iter().position(|entry| *entry == platform).expect("a platform");
    browser.press(&["Home"]);
    browser.press(&vec!["ArrowDown"; place]);
    assert_eq!(browser.focused(), "platform", "choosing does not carry the reader off");
}
