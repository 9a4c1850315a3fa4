//! Head office runs its people by itself: it adds them, changes roles and sites, helps who cannot get in, and stops who has left.

use serde_json::{Value, json};
use tegata_tests::account::{PASSWORD, between, cookies};
use tegata_tests::installation::text_of;
use tegata_tests::{Account, Browser, DeviceIdentity, PersonSession, RunningInstallation};

/// On pages, as a person does it.
pub fn is_done_on_pages(installation: &RunningInstallation, desk: &DeviceIdentity, by: [&PersonSession; 4]) {
    let [admin, manager, support, _] = by;
    let site = site_of(installation, admin);
    let (works, chosen) = (format!("site-{site}"), ("role-staff", "on"));
    let new = [("login", "kobayashi"), ("name", "小林 五子"), chosen, (&*works, "on")];
    let refused = admin.send(installation, "/console/people", &new[..3]).expect(400).text();
    assert!(refused.contains("U-36") && refused.contains("value=\"小林 五子\""), "kept: {refused}");
    let above = [&new[..2], &[("role-operator", "on")]].concat();
    assert!(admin.send(installation, "/console/people", &above).expect(403).text().contains("U-20"));
    assert!(manager.send(installation, "/console/people", &new).status == 403);
    let link = link_of(&admin.send(installation, "/console/people", &new).expect(200).text());
    assert!(admin.send(installation, "/console/people", &new).expect(409).text().contains("U-31"));
    let person = text_of(&installation.tell(&["person", "show", "kobayashi"]), "person");
    let page = format!("/console/people/{person}");
    let to = |act: &str| format!("{page}/{act}");
    assert!(admin.at(installation, "/console/people").send().expect(200).text().contains(&page));
    // The first link is lost: a newer one takes its place.
    let newer = link_of(&admin.send(installation, &to("setup-link"), &[]).expect(200).text());
    assert_ne!(link, newer);
    let account = Account::set_up(installation, "kobayashi", (person.clone(), &newer));
    let own = account.sign_in(installation, desk);
    assert!(admin.send(installation, &to("setup-link"), &[]).expect(409).text().contains("U-61"));
    let shown = admin.at(installation, &page).send().expect(200).text();
    assert!(shown.contains("本部PC") && shown.contains("小林 五子"), "{shown}");
    assert!(!manager.at(installation, &page).send().expect(200).text().contains("id=\"change-form\""));

    let seen = between(&shown, "name=\"seen\" value=\"", "\"").to_owned();
    let renamed = [("seen", &*seen), ("name", "小林 花"), chosen, (&works, "on"), ("has_key", "true")];
    admin.send(installation, &to("change"), &renamed).expect(303);
    let late = admin.send(installation, &to("change"), &renamed).expect(412).text();
    assert!(late.contains("U-60") && late.contains("小林 花"), "as it is by now: {late}");
    let shown = admin.at(installation, &page).send().expect(200).text();
    let seen = between(&shown, "name=\"seen\" value=\"", "\"").to_owned();
    let promoted = [("seen", &*seen), ("name", "小林 花"), ("role-site-manager", "on"), (&works, "on")];
    assert!(manager.send(installation, &to("change"), &promoted).expect(403).text().contains("U-20"));
    admin.send(installation, &to("change"), &promoted).expect(303);
    assert_eq!(installation.tell(&["person", "show", "kobayashi"])["roles"], json!(["site-manager"]));

    // The app is not at hand.
    let why = [("reason", "携帯を家に忘れた"), ("ticket", "本部-12")];
    assert!(admin.send(installation, &to("emergency-code"), &why[..1]).expect(400).text().contains("U-21"));
    assert!(support.send(installation, &to("emergency-code"), &why).status == 403, "support gives none");
    let code = admin.send(installation, &to("emergency-code"), &why).expect(200).text();
    let code = between(&code, "id=\"code\">", "<").to_owned();
    assert_eq!(code.len(), 19, "{code}");
    let session = between(&shown, "data-session=\"", "\"").to_owned();
    admin.send(installation, &to(&format!("sessions/{session}/end")), &[]).expect(303);
    admin.send(installation, &to(&format!("sessions/{session}/end")), &[]).expect(303);
    assert_eq!(own.at(installation, "/account").send().status, 303, "signed out");
    let again = Account { secret: String::new(), ..account };
    let by_code = |code: &str| sign_in(installation, &again, desk, code);
    assert!(by_code(&code) && !by_code(&code), "once");

    // Somebody has left, and comes back without the phone.
    admin.send(installation, &to("disable"), &[("note", "退職")]).expect(303);
    assert!(admin.send(installation, &to("disable"), &[]).expect(409).text().contains("U-61"));
    admin.send(installation, &to("enable"), &[]).expect(303);
    let link = link_of(&admin.send(installation, &to("reset"), &[]).expect(200).text());
    let back = Account::set_up(installation, "kobayashi", (person, &link));
    let session = back.sign_in(installation, desk);
    admin.send(installation, &to("sign-out"), &[]).expect(303);
    assert_eq!(session.at(installation, "/account").send().status, 303);

    let itself = text_of(&installation.tell(&["person", "show", "honbu"]), "person");
    for act in ["disable", "reset", "emergency-code", "change"] {
        let answer = admin.send(installation, &format!("/console/people/{itself}/{act}"), &why_not(act));
        let text = answer.expect(403).text();
        assert!(text.contains("U-22"), "nobody does it to themselves: {act} {text}");
    }
    let written = admin.at(installation, "/api/v1/audit").send().expect(200).text();
    assert!(written.contains("本部-12") && !written.contains("小林"), "why, and no name");
}

/// By the API, as a program does it.
pub fn is_done_by_the_api(installation: &RunningInstallation, [admin, staff]: [&PersonSession; 2]) {
    let site = site_of(installation, admin);
    let new = json!({"login": "yamada", "name": "山田 六子", "roles": ["staff"], "sites": [site]});
    let post = |by: &PersonSession, path: &str, headers: &[(&str, &str)], body: &Value| {
        by.post(installation, &format!("/api/v1/people{path}"), headers, body)
    };
    assert_eq!(post(staff, "", &[], &new).expect(403).json()["code"], "U-20");
    for (part, value, code) in [
        ("roles", json!(["king"]), "U-35"),
        ("roles", json!([]), "U-35"),
        ("sites", json!([]), "U-36"),
        ("sites", json!(["00000000000000000000000000"]), "U-34"),
        ("login", json!("山 田"), "U-35"),
        ("days", json!(31), "R-01"),
    ] {
        let mut wrong = new.clone();
        wrong[part] = value;
        let answer = post(admin, "", &[], &wrong);
        assert!(answer.json()["code"] == code, "{part}: {}", answer.text());
    }
    let added = post(admin, "", &[], &new).expect(201).json();
    assert!(text_of(&added, "setup").contains("/setup#"), "{added}");
    let person = text_of(&added, "person");
    let one = || admin.at(installation, &format!("/api/v1/people/{person}")).send().expect(200);
    let seen = one().header("etag").to_owned();
    let change = json!({"name": "山田 七子", "external_key": "E-7"});
    let to = |act: &str| format!("/{person}/{act}");
    assert_eq!(
        post(admin, &to("change"), &[("if-match", "\"x\"")], &change).expect(412).json()["code"],
        "U-60"
    );
    post(admin, &to("change"), &[("if-match", &seen)], &change).expect(200);
    assert_eq!(one().json()["name"], "山田 七子");
    assert_ne!(one().header("etag"), seen);
    post(admin, &to("disable"), &[], &json!({"note": "x"})).expect(200);
    assert_eq!(one().json()["state"], "disabled");
    post(admin, &to("enable"), &[], &json!({})).expect(200);
    post(admin, &to("setup-link"), &[], &json!({"days": 1})).expect(201);
    let unset = post(admin, &to("emergency-code"), &[], &json!({"reason": "r", "ticket": "t"}));
    assert_eq!(unset.expect(409).json()["code"], "U-61", "there is no second factor to stand in for");
    post(admin, &to("disable"), &[], &json!({})).expect(200);
}

fn why_not(act: &str) -> Vec<(&'static str, &'static str)> {
    match act {
        "emergency-code" => vec![("reason", "r"), ("ticket", "t")],
        "change" => vec![("role-tenant-admin", "on")],
        _ => Vec::new(),
    }
}

fn site_of(installation: &RunningInstallation, by: &PersonSession) -> String {
    let sites = by.at(installation, "/api/v1/sites").send().expect(200).json();
    text_of(&sites[0], "site")
}

fn link_of(page: &str) -> String {
    between(page, "id=\"link\" readonly value=\"", "\"").replace("&#35;", "#")
}

/// Whether somebody gets in with a code that was told them.
fn sign_in(installation: &RunningInstallation, who: &Account, desk: &DeviceIdentity, code: &str) -> bool {
    let form = installation.at_device("/sign-in").as_device(desk).send().expect(200);
    let token = between(&form.text(), "name=\"form_token\" value=\"", "\"").to_owned();
    let typed = [("login", &*who.login), ("password", PASSWORD), ("code", code), ("form_token", &token)];
    let sent = installation.at_device("/sign-in").as_device(desk);
    let sent = sent.header("cookie", &cookies(&form)).header("origin", &installation.device);
    sent.form(&typed).send().status == 303
}

/// What head office sees of it, in both languages.
pub fn is_pictured(installation: &RunningInstallation, browser: &mut Browser) {
    for (language, suffix, login) in [("ja", "", "picture-1"), ("en", "-english", "picture-2")] {
        browser.go(&format!("{}/console/people/new?lang={language}", installation.device));
        browser.type_in("#name", "小林 五子");
        browser.type_in("#login", login);
        browser.picture(&format!("console-person-new{suffix}"));
        browser.click("#save");
        browser.see("#setup-link");
        browser.picture(&format!("console-person-link{suffix}"));
        browser.click("#setup-link .actions a");
        browser.see("#link-form");
        browser.picture(&format!("console-person{suffix}"));
    }
}
