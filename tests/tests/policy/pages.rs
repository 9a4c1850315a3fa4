//! The pages of whoever is refused by a rule, or waits until somebody has approved.

use super::{another_day, at_page, clear, code, set};
use serde_json::{Value, json};
use tegata_tests::{Browser, Guise, RunningInstallation, apple, csr};

#[test]
fn the_page_waits_survives_being_closed_and_goes_on_by_itself() {
    let installation = RunningInstallation::start();
    set(&installation, &["--approval", "yes"]);
    let mut browser = Browser::open(&installation);
    let invitation = installation.invite("調剤室");
    browser.go(&invitation);
    browser.reach("ready");
    browser.click("#start");
    browser.reach("waiting");
    browser.see("#waiting-kept");
    browser.picture("enroll-waiting");
    let number = browser.text("[data-fill=number]");
    let waiting = installation.listed(&["approvals", "list"]);
    assert!(waiting[0]["approval"].as_str().expect("an identifier").starts_with(&number.replace('-', "")));
    assert_eq!((&waiting[0]["platform"], &waiting[0]["site_name"]), (&json!("linux"), &json!("本店")));

    browser.reopen();
    browser.go(&invitation.replace("/enroll#", "/enroll?lang=en#"));
    browser.reach("waiting");
    assert_eq!(browser.text("[data-fill=number]"), number, "the same key waits");
    browser.picture("enroll-waiting-english");
    assert_eq!(installation.listed(&["approvals", "list"]).as_array().map(Vec::len), Some(1));
    installation.tell(&["approvals", "approve", &number]);
    browser.reach("install");
    let file = browser.download();
    let password = browser.text("#password");
    browser.import(&file.path, &password);
    browser.reach("done");
    assert_eq!(installation.listed(&["device", "list"])[0]["label"], "調剤室");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn the_page_says_why_and_what_to_do_for_each_rule_in_both_languages() {
    let installation = RunningInstallation::start();
    let mut browser = Browser::open(&installation);
    let another_day = another_day();
    for (rules, expected, ja, en) in [
        (&["--network", "192.0.2.0/24"][..], "E-01", "店舗のネットワーク", "your store's network"),
        (&["--platform", "ios,windows"], "E-02", "どの端末を使うか", "which devices to use"),
        (&["--hours", &another_day], "E-03", "日本時間", "Japan time"),
        (&["--devices", "0"], "E-04", "台数", "stop a device"),
    ] {
        set(&installation, rules);
        for (language, says) in [("ja", ja), ("en", en)] {
            browser.reopen();
            let invitation = installation.invite("調剤室");
            browser.go(&invitation.replace("/enroll#", &format!("/enroll?lang={language}#")));
            browser.reach("ready");
            browser.click("#start");
            browser.see("#start-problem");
            assert_eq!(browser.text("#start-problem [data-problem=code]"), expected);
            let told = browser.text("#start-problem");
            assert!(told.contains(says), "{told}");
            browser.picture(&format!("enroll-{expected}-{language}"));
        }
        clear(&installation);
    }
    rule_lifted(&installation, &mut browser);
    set(&installation, &["--approval", "yes"]);
    for language in ["ja", "en"] {
        browser.reopen();
        let invitation = installation.invite("調剤室");
        browser.go(&invitation.replace("/enroll#", &format!("/enroll?lang={language}#")));
        browser.reach("ready");
        browser.click("#start");
        browser.reach("waiting");
        let number = browser.text("[data-fill=number]");
        installation.tell(&["approvals", "decline", &number, "--reason", "not ours"]);
        browser.reach("refused");
        assert_eq!(browser.text("#opening-problem [data-problem=code]"), "E-06");
        browser.picture(&format!("enroll-E-06-{language}"));
    }
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn an_ipads_page_waits_for_approval_and_then_sends_the_profile_by_itself() {
    let installation = RunningInstallation::start();
    set(&installation, &["--approval", "yes"]);
    for (guise, language) in [(Guise::IPad, "ja"), (Guise::OldIPhone, "en")] {
        let mut browser = Browser::open_as(&installation, guise);
        let invitation =
            installation.invite("待合室").replace("/enroll#", &format!("/enroll?lang={language}#"));
        browser.go(&invitation);
        browser.reach("ready");
        browser.click("#profile-start");
        browser.reach("waiting");
        browser.see("#waiting-kept");
        let number = browser.text("[data-fill=number]");
        browser.picture(&format!("apple-waiting-{language}"));
        browser.reopen();
        browser.go(&invitation);
        browser.reach("waiting");
        assert_eq!(browser.text("[data-fill=number]"), number, "the same request waits");
        let waiting = installation.listed(&["approvals", "list"]);
        assert_eq!((waiting.as_array().map(Vec::len), &waiting[0]["platform"]), (Some(1), &json!("ios")));

        installation.tell(&["approvals", "approve", &number]);
        browser.reach("profile");
        let file = browser.download();
        assert_eq!(file.name, "tegata.mobileconfig");
        let profile = apple::read(&installation, &std::fs::read(file.path).expect("a profile"));
        let (chain, key) =
            apple::follow(&installation, &profile, &format!("{guise:?}")).expect("a certificate");
        browser.see("#after-issue");
        browser.receive(&chain, &key);
        browser.reach("done");
        assert_eq!(browser.complaints(), Vec::<String>::new());
    }
    installation.command(&["check"]).good();
}

#[test]
fn a_declined_person_on_an_ipad_reads_so_and_a_claim_opens_nothing() {
    let installation = RunningInstallation::start();
    set(&installation, &["--approval", "yes"]);
    let mut browser = Browser::open_as(&installation, Guise::IPad);
    browser.go(&installation.invite("待合室"));
    browser.reach("ready");
    browser.click("#profile-start");
    browser.reach("waiting");
    let number = browser.text("[data-fill=number]");
    installation.tell(&["approvals", "decline", &number, "--reason", "not ours"]);
    browser.reach("refused");
    assert_eq!(browser.text("#opening-problem [data-problem=code]"), "E-06");
    browser.picture("apple-declined");
    assert_eq!(browser.complaints(), Vec::<String>::new());

    let code = code(&installation.invite("待合室"));
    let ask = |body: Value| installation.at_portal("/api/v1/approvals/profile").json(&body).send();
    let asked = ask(json!({"code": code, "platform": "ios"})).expect(202).json();
    let claim = asked["claim"].as_str().expect("a claim");
    let form = |code: &str| installation.at_portal("/api/v1/profiles").form(&[("code", code)]).send();
    assert_eq!(form(claim).expect(404).problem(), "I-01", "a claim is no code");
    assert_eq!(at_page(&installation, claim, &csr::honest()).expect(404).problem(), "I-01");
    installation.tell(&["approvals", "approve", &asked["approval"].as_str().expect("an identifier")[..8]]);
    at_page(&installation, &code, &csr::honest()).expect(202);
    let given = ask(json!({"claim": claim})).expect(200).json();
    form(given["code"].as_str().expect("a ticket")).expect(200);
    at_page(&installation, given["code"].as_str().expect("a ticket"), &csr::honest()).expect(201);
    let late = at_page(&installation, given["code"].as_str().expect("a ticket"), &csr::honest());
    assert_eq!(late.expect(409).problem(), "I-02", "for one key");
    assert_eq!(ask(json!({"claim": claim})).expect(409).problem(), "I-02");
}

/// Once what is wrong is mended, the same page goes on: the link need not be looked for again.
fn rule_lifted(installation: &RunningInstallation, browser: &mut Browser) {
    set(installation, &["--devices", "0"]);
    browser.reopen();
    browser.go(&installation.invite("調剤室"));
    browser.reach("ready");
    browser.click("#start");
    browser.see("#start-problem");
    set(installation, &["--devices", "1"]);
    browser.click("#start");
    browser.reach("install");
    clear(installation);
}
