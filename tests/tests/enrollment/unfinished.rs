//! Somebody whose page was closed, reloaded or opened in the wrong place before the certificate was in the browser.

use tegata_tests::{Browser, Guise, RunningInstallation};

#[test]
fn a_reload_or_closed_tab_loses_nothing_and_another_browser_starts_over() {
    let installation = RunningInstallation::start();
    let tenant = installation.tell(&["tenant", "list"])[0]["name"].as_str().expect("a name").to_owned();
    let say = |what: &[&str]| installation.tell(&[&["tenant"], what].concat());
    say(&["contact", &tenant, "--name", "本部システム担当", "--phone", "０３-1234-5678"]);
    say(&["product", &tenant, "--name", "電子薬歴", "--url", "https://yakureki.example.jp/"]);
    let refused =
        installation.command(&["tenant", "product", &tenant, "--name", "x", "--url", "http://a.example"]);
    assert_eq!(refused.code, 2, "{refused:?}");

    let mut browser = Browser::open(&installation);
    browser.go(&installation.invitation);
    browser.reach("ready");
    browser.click("#start");
    let first = browser.download();
    browser.reach("install");
    browser.see("#parcel-kept");
    browser.picture("unfinished-install");
    let password = browser.text("#password");
    browser.go(&format!("{}/enroll", installation.portal));
    browser.reach("install");
    assert_eq!(browser.text("#password"), password, "a reload comes without the code");
    browser.reopen();
    browser.go(&installation.invitation);
    browser.reach("install");
    assert_eq!(browser.text("#password"), password, "the link goes on where it was left");
    assert_eq!(browser.text("[data-state=ready] [data-fill=label]"), "受付PC");

    browser.click("#start-over");
    browser.reach("begun");
    assert_eq!(browser.complaints(), Vec::<String>::new());
    let pem = installation.data().join("first.pem").display().to_string();
    std::fs::copy(first.pem(&password), &pem).expect("a copy of what the first browser got");
    drop(browser);

    let mut other = Browser::open(&installation);
    other.go(&installation.invitation);
    other.reach("begun");
    other.picture("unfinished-begun");
    other.click("#replace");
    other.take_file();
    other.see("#product");
    other.picture("unfinished-done");
    assert!(other.text("#product").contains("電子薬歴"));
    let devices = installation.tell(&["device", "list"]);
    assert_eq!(devices.as_array().map(Vec::len), Some(1), "no ghost device stays: {devices}");
    assert_eq!(devices[0]["generation"], 2, "{devices}");
    other.go(&installation.invitation);
    other.reach("refused");
    assert_eq!(other.text("#opening-problem [data-problem=code]"), "I-02");
    assert!(other.text("#opening-problem [data-contact]").contains("03-1234-5678"), "whom to call");
    other.picture("unfinished-refused");
    other.go(&format!("{}/enroll", installation.portal));
    other.reach("no-code");

    // The first file is worth nothing any more, and says why.
    let why = installation.at_device("/").header("accept", "text/html").presenting(&pem, &pem).send().text();
    assert!(why.contains("C-06") && why.contains("新しい証明書や別の端末に置き換えられた"), "{why}");
    assert!(why.contains("本部システム担当") && !why.contains("紛失"), "{why}");
    let stopped = devices[0]["device"].as_str().expect("a device");
    installation.tell(&["device", "revoke", "--yes", stopped, "--reason", "lost"]);
    other.go(&format!("{}/?lang=en", installation.device));
    let why = other.text(".problem");
    assert!(why.contains("lost or stolen"), "{why}");
    other.picture("device-lost-english");
    assert_eq!(other.complaints(), Vec::<String>::new());
    assert_eq!(installation.command(&["check"]).code, 0);
}

#[test]
fn a_person_inside_an_app_or_suspended_is_told_before_any_click() {
    let installation = RunningInstallation::start();
    for (guise, name) in
        [(Guise::Line, "line"), (Guise::ChromeOnIphone, "chrome-ios"), (Guise::AndroidApp, "android-app")]
    {
        let mut browser = Browser::open_as(&installation, guise);
        browser.go(&installation.invitation);
        browser.reach("wrong-browser");
        assert_eq!(browser.value("#link"), installation.invitation, "the link is whole");
        let target = if name == "android-app" { "chrome" } else { "safari" };
        assert!(browser.shows(&format!("[data-state=wrong-browser] [data-browser={target}]")), "{name}");
        assert_eq!(browser.shows("#open-elsewhere"), name == "line");
        browser.click("#link-copy");
        browser.see("#link-copied[data-said]");
        browser.picture(&format!("other-browser-{name}"));
        assert_eq!(browser.complaints(), Vec::<String>::new());
    }
    let tenant = installation.tell(&["tenant", "list"])[0]["name"].as_str().expect("a name").to_owned();
    installation.tell(&["tenant", "suspend", &tenant]);
    let mut browser = Browser::open(&installation);
    browser.go(&installation.invitation);
    browser.reach("refused");
    assert_eq!(browser.text("#opening-problem [data-problem=code]"), "C-13");
    browser.picture("enroll-suspended");
}

#[test]
fn a_wrongly_typed_code_stays_in_its_field_with_the_reason_beside_it() {
    let installation = RunningInstallation::start();
    let mut browser = Browser::open(&installation);
    browser.go(&installation.portal);
    browser.type_in("#code", "7K3");
    browser.click("#code-form button");
    browser.see("#code-length");
    assert_eq!(browser.value("#code"), "7K3");
    assert_eq!(browser.focused(), "code");
    browser.picture("home-short-code");
    browser.type_in("#code", "0000-0000");
    assert!(!browser.shows("#code-length"), "it goes once somebody types");
    browser.click("#code-form button");
    browser.reach("refused");
    assert_eq!(browser.value("#code"), "0000-0000", "to be corrected");
    browser.picture("enroll-wrong-code-kept");
    browser.type_in("#code", &installation.invitation);
    browser.click("#code-form button");
    browser.reach("ready");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}
