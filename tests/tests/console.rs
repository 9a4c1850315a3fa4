//! The call about a lost terminal, and head office at its desk: the console in a browser, and its API.

#[path = "console/health.rs"]
mod health;
#[path = "console/inviting.rs"]
mod inviting;
#[path = "console/managing.rs"]
mod managing;
#[path = "console/programs.rs"]
mod programs;
#[path = "console/transfers.rs"]
mod transfers;

use serde_json::{Value, json};
use std::thread::spawn;
use std::time::Duration;
use tegata_tests::account::{PASSWORD, between};
use tegata_tests::installation::text_of;
use tegata_tests::stopwatch::eventually;
use tegata_tests::{Account, Browser, DeviceIdentity, PersonSession, RunningInstallation, totp};

const STORE: &str = "本店";

/// A browser that counts what its person clicks.
struct CountingBrowser(Browser, u32);

impl CountingBrowser {
    fn click(&mut self, selector: &str) {
        self.1 += 1;
        self.0.click(selector);
    }
}

#[test]
fn a_lost_tablet_is_found_stopped_and_proved_within_six_clicks() {
    let installation = RunningInstallation::start();
    let _gate = installation.gate();
    let lost = installation.enroll("調剤室タブレット");
    installation.enroll("受付のタブレット");
    let support =
        Account::add(&installation, "sasaki", "佐々木 望", &["--role", "support-lead", "--site", STORE]);
    let mut browser = Browser::open(&installation);
    browser.enroll(&installation.invitation);
    browser.go(&format!("{}/console", installation.device));
    browser.see("#sign-in");
    browser.type_in("#login", &support.login);
    browser.type_in("#password", PASSWORD);
    browser.type_in("#totp-code", &totp::code(&support.secret, 1));
    let mut counted = CountingBrowser(browser, 0);
    counted.click("#by-password button[type=submit]");
    counted.0.see("#why-you-act");
    counted.0.picture("console-why-you-act");
    counted.0.type_in("#ticket", "T-1024");
    counted.0.type_in("#reason", "タブレットの紛失");
    counted.0.type_in("#q", "本店の調剤室");
    counted.click("#begin");
    counted.0.see(".hit");
    counted.0.picture("console-found");
    assert!(counted.0.text(".hits").contains("調剤室タブレット"));
    counted.click(".hit");
    counted.0.see("#suspend");
    counted.0.picture("console-device");
    counted.click("#suspend");
    counted.0.see("#change[data-over]");
    counted.0.picture("console-receipts");
    let receipts = counted.0.text("#receipts");
    for kind in ["トークンの発行", "OCSP", "CRL", "ゲート", "1/1", " ms"] {
        assert!(receipts.contains(kind), "{kind}: {receipts}");
    }
    counted.click("#to-sheet");
    counted.0.see("#sheet");
    counted.0.picture("console-incident-sheet");
    let sheet = counted.0.text("#sheet");
    for said in ["T-1024", "タブレットの紛失", "佐々木 望", "調剤室タブレット", " ms"] {
        assert!(sheet.contains(said), "{said}: {sheet}");
    }
    assert!(counted.1 <= 6, "{} clicks", counted.1);
    assert_eq!(probe(&installation, &lost), "C-07");
    let CountingBrowser(mut browser, _) = counted;
    by_keys_alone(&installation, &mut browser, &lost, &support.person);
    let shown = installation.tell(&["device", "show", &lost.device]);
    assert!(shown.to_string().contains("T-1024") && shown.to_string().contains(&support.person), "{shown}");
    installation.command(&["check"]).good();
    assert!(!installation.log().contains("紛失"));
}

/// Undone, and done again without a mouse; in English, too.
fn by_keys_alone(
    installation: &RunningInstallation,
    browser: &mut Browser,
    lost: &DeviceIdentity,
    person: &str,
) {
    browser.go(&format!("{}/console/devices/{}?lang=en", installation.device, lost.device));
    browser.see("#resume");
    browser.picture("console-device-suspended-english");
    browser.click("#resume");
    browser.see("#change[data-over]");
    browser.picture("console-resumed-english");
    assert_eq!(probe(installation, lost), "");
    browser.go(&format!("{}/console", installation.device));
    browser.see("#find");
    assert_eq!(browser.focused(), "q");
    for text in ["ﾁｮｳｻﾞｲ", "調剤室　ﾀﾌﾞﾚｯﾄ"] {
        browser.type_in("#q", text);
    }
    browser.see(".hit");
    browser.press(&["ArrowDown", "Enter"]);
    browser.see("#suspend");
    browser.press(&["s"]);
    browser.see("#change[data-over]");
    assert_eq!(probe(installation, lost), "C-07");
    browser.go(&format!("{}/console?lang=en&q={}", installation.device, &lost.device[..8]));
    browser.see(".hit");
    browser.picture("console-found-english");
    browser.go(&format!("{}/console?q=C-07%20{}", installation.device, &lost.device[..8]));
    browser.see("#rule");
    browser.picture("console-why");
    assert!(browser.text("#why").contains("停止を解除する") && browser.text(".hits").contains("調剤室"));
    let listed = format!("{}/console/devices", installation.device);
    browser.go(&listed);
    browser.see("#devices");
    browser.picture("console-devices");
    browser.go(&format!("{}/console/sites?lang=en", installation.device));
    browser.picture("console-sites-english");
    browser.go(&format!("{}/console/people", installation.device));
    browser.picture("console-people");
    for (page, shown) in [("today", "#today"), ("figures", "#fleet-figure"), ("health", "#passes")] {
        for language in ["ja", "en"] {
            browser.go(&format!("{}/console/{page}?lang={language}", installation.device));
            browser.see(shown);
            browser.picture(&format!("console-{page}-{language}"));
        }
    }
    browser.go(&format!("{}/console/invitations", installation.device));
    browser.see("#no-site");
    browser.go(&format!("{}/console/sites", installation.device));
    browser.click("#sites tbody a");
    browser.click("#sites tbody td:last-child a");
    browser.see("#make");
    browser.type_in("#label", "待合室のタブレット");
    browser.picture("console-invitations");
    browser.click("#make");
    browser.see("#invited");
    browser.picture("console-invited");
    pictures_of_lists(installation, browser, person);
    managing::is_pictured(installation, browser);
    transfers::pictures(installation, browser);
    assert_eq!(browser.complaints(), Vec::<String>::new());
    browser.slow_down();
    browser.go(&format!("{}/console?q=本店", installation.device));
    browser.see(".hit");
    let bytes: u64 = browser.traffic().iter().map(|(_, bytes)| bytes).sum();
    assert!(bytes < 60_000, "{bytes} bytes for a first load");
}

/// Who could enter, what happened, and what is on file; in both languages.
fn pictures_of_lists(installation: &RunningInstallation, browser: &mut Browser, person: &str) {
    for (language, suffix) in [("ja", ""), ("en", "-english")] {
        let sites = format!("{}/console/sites?lang={language}", installation.device);
        browser.go(&sites);
        browser.click("#sites tbody a");
        browser.click("#sites tbody a");
        browser.see("#devices");
        browser.click("#to-entrances");
        browser.see("#entrances .list");
        browser.picture(&format!("console-entrances{suffix}"));
        browser.go(&sites);
        browser.click("#sites tbody td:last-child a");
        browser.see("#trail .history");
        browser.picture(&format!("console-trail{suffix}"));
        browser.go(&format!("{}/console/people/{person}/check?lang={language}", installation.device));
        browser.type_in("#said", "だれか");
        browser.click("#check");
        browser.see("#answer");
        browser.picture(&format!("console-checking{suffix}"));
    }
}

#[test]
fn head_office_acts_by_role_and_nobody_overwrites_another() {
    let mut installation = RunningInstallation::start();
    let [desk, lost] = ["本部PC", "受付PC"].map(|label| installation.enroll(label));
    let add = |login: &str, name: &str, role: &str, site: &str| {
        let account = Account::add(&installation, login, name, &["--role", role, "--site", site]);
        account.sign_in(&installation, &desk)
    };
    let [admin, second] = [("honbu", "本部 一郎"), ("honbu2", "本部 次郎")]
        .map(|(login, name)| add(login, name, "tenant-admin", STORE));
    let manager = add("tencho", "店長 三郎", "site-manager", STORE);
    let staff = add("sato", "佐藤 花子", "staff", STORE);
    let support = add("sasaki", "佐々木 望", "support", STORE);
    let auditor = add("kansa", "監査 四郎", "auditor", STORE);

    roles_are_kept(&installation, &lost, [&admin, &manager, &staff, &support, &auditor]);
    three_at_once_lose_nothing(&installation, &lost, [&admin, &second, &manager]);
    a_request_with_a_key_is_done_once(&installation, &lost, &admin);
    a_name_is_changed_once_it_was_seen(&installation, &lost, &manager);
    lists_come_in_pages_and_as_a_file(&installation, &admin, &manager);
    health::is_seen_by_the_vendor_alone(&installation, &auditor, [&admin, &manager]);
    health::is_drawn_with_the_table_behind_it(&installation, [&auditor, &admin], &lost);
    health::says_what_there_is_to_do_today(&installation, &auditor, [&admin, &staff]);
    whoever_invited_does_not_approve(&installation, &admin, &second);
    who_could_enter_is_told_by_site_and_day(&installation, &lost, &admin, &manager);
    managing::is_done_on_pages(&installation, &desk, [&admin, &manager, &support, &staff]);
    managing::is_done_by_the_api(&installation, [&admin, &staff]);
    support_hears_yes_or_no(&installation, &support);
    a_company_reads_its_own_log(&installation, &lost, &admin, [&manager, &support]);
    assert_eq!(staff.at(&installation, "/console/reviews").send().status, 403, "staff answer for nobody");
    installation.tell(&["policy", "clear"]);
    inviting::of_a_list_all_are_invited_or_none(&installation, [&admin, &manager, &staff]);
    inviting::a_kitting_code_is_made_watched_and_ended(&installation, [&admin, &staff]);
    inviting::a_device_moves_to_another_site(&installation, &lost, [&admin, &manager]);
    let link = installation.tell(&["invite", "--site", STORE, "--label", "訪問タブレット"]);
    let roaming = DeviceIdentity::enroll(&installation, &text_of(&link, "url"), "visits");
    inviting::a_copied_certificate_is_noticed(&installation, [&lost, &roaming], [&admin, &manager]);
    programs::act_for_people_within_their_scopes(&mut installation, [&admin, &staff], &lost);
    let description = installation.at_portal("/api/v1/openapi.json").send().expect(200).json();
    let described = &description["paths"]["/api/v1/devices/{device}/suspend"]["post"];
    assert_eq!(described["servers"][0]["url"], *installation.device, "{described}");
    let elsewhere = installation.at_portal("/console").send().expect(303);
    assert_eq!(elsewhere.header("location"), format!("{}/console", installation.device));
    whoever_answers_for_people_says_who_still_works_here(&mut installation, [&admin, &manager]);
    transfers::are_planned_approved_and_reported(&installation, &desk, [&admin, &second, &manager]);
    installation.command(&["check"]).good();
}

fn whoever_answers_for_people_says_who_still_works_here(
    installation: &mut RunningInstallation,
    [admin, manager]: [&PersonSession; 2],
) {
    installation.tell(&["person", "policy", "--review-days", "180"]);
    // Reviews open with the first round after that.
    installation.start_again();
    let listed = || installation.listed(&["person", "review", "list"]);
    eventually("the review of the site is open", Duration::from_secs(20), || {
        listed().to_string().contains("sato")
    });
    let page = |by: &PersonSession| by.at(installation, "/console/reviews").send();
    let shown = page(manager).expect(200).text();
    let review = between(&shown, "data-review=\"", "\"").to_owned();
    let id = |login: &str| text_of(&installation.tell(&["person", "show", login]), "person");
    let (sato, tencho, honbu) = (id("sato"), id("tencho"), id("honbu"));
    let asks = |page: &str, person: &str| page.contains(&format!("name=\"{person}\""));
    assert!(asks(&shown, &sato) && !asks(&shown, &tencho) && !asks(&shown, &honbu), "staff alone: {shown}");
    assert!(shown.contains("ほかの管理者が答えます") && shown.contains("本部の管理者が答えます"));
    let answer = |by: &PersonSession, answers: &[(&str, &str)]| {
        by.send(installation, &format!("/console/reviews/{review}"), answers)
    };
    for (answers, status, code) in [
        (&[(&*sato, "removed"), (&*tencho, "confirmed")][..], 403, "U-22"),
        (&[(&*sato, "removed"), (&*honbu, "removed")], 403, "U-20"),
        (&[(&*sato, "perhaps")], 400, "R-01"),
    ] {
        let refused = answer(manager, answers);
        assert!(refused.status == status && refused.text().contains(code), "{code}: {}", refused.text());
    }
    assert!(asks(&page(manager).text(), &sato), "all or nothing");
    answer(manager, &[(&sato, "later")]).expect(303);
    answer(manager, &[(&sato, "removed")]).expect(303);
    let late = answer(manager, &[(&sato, "confirmed")]).expect(404).text();
    assert!(late.contains("U-45") && late.contains("すでに答えが出て"), "an answer that came second: {late}");
    assert_eq!(
        installation.tell(&["person", "show", "sato"])["state"],
        "disabled",
        "whoever was answered for"
    );
    let shown = page(admin).expect(200).text();
    assert!(asks(&shown, &tencho) && !asks(&shown, &honbu) && !asks(&shown, &sato), "{shown}");
    answer(admin, &[(&tencho, "confirmed")]).expect(303);
    let english = admin.at(installation, "/console/reviews?lang=en").send().expect(200).text();
    assert!(english.contains("Another administrator answers for you"), "{english}");
}

fn path(device: &DeviceIdentity, act: &str) -> String {
    format!("/api/v1/devices/{}/{act}", device.device)
}

fn tag(installation: &RunningInstallation, by: &PersonSession, device: &DeviceIdentity) -> String {
    let shown = by.at(installation, &format!("/api/v1/devices/{}", device.device)).send().expect(200);
    shown.header("etag").to_owned()
}

fn probe(installation: &RunningInstallation, device: &DeviceIdentity) -> String {
    let answer = installation.at_device("/probe").as_device(device).send();
    if answer.status == 200 { String::new() } else { answer.problem() }
}

/// Each by docs/roles.md; a page and the API say the same.
fn roles_are_kept(
    installation: &RunningInstallation,
    lost: &DeviceIdentity,
    [admin, manager, staff, support, auditor]: [&PersonSession; 5],
) {
    let act =
        |by: &PersonSession, act: &str, body: Value| by.post(installation, &path(lost, act), &[], &body);
    for (by, code) in [(staff, "U-20"), (auditor, "U-20"), (support, "U-21")] {
        assert_eq!(act(by, "suspend", json!({})).problem(), code);
        let page =
            by.send(installation, &format!("/console/devices/{}/suspend", lost.device), &[("note", "x")]);
        assert!(page.status >= 400 && page.text().contains(code), "{}", page.text());
    }
    let of_another_site = act(admin, "paint", json!({}));
    assert_eq!(of_another_site.status, 404);
    let unsealed = admin.at(installation, &path(lost, "suspend")).json(&json!({})).send();
    assert_eq!(unsealed.problem(), "U-05", "a page of another site cannot know the token");
    let said = json!({"reason": "紛失の電話", "ticket": "T-7"});
    let asked = support.at(installation, "/api/v1/session/justification").method("PUT");
    asked.header("x-csrf-token", &support.form_token).json(&said).send().expect(204);
    let changed = act(support, "suspend", json!({})).expect(200).json();
    assert_eq!((&changed["state"], probe(installation, lost).as_str()), (&json!("suspended"), "C-07"));
    let event = changed["event"].as_u64().expect("an event");
    let change = || admin.at(installation, &format!("/api/v1/changes/{event}")).send().expect(200).json();
    eventually("everybody has confirmed it", Duration::from_secs(20), || change()["is_over"] == true);
    let change = change();
    assert_eq!((&change["reason"], &change["ticket"]), (&json!("紛失の電話"), &json!("T-7")), "{change}");
    let page = admin.at(installation, &format!("/console/changes/{event}")).send().expect(200).text();
    assert!(
        page.contains("すべてのサービスが確認しました") && page.contains("紛失の電話"),
        "without a script: {page}"
    );
    // Whoever comes second learns who was first.
    let page =
        manager.send(installation, &format!("/console/devices/{}/suspend", lost.device), &[("note", "x")]);
    let text = page.text();
    assert!(page.status == 409 && text.contains("D-11") && text.contains("佐々木 望"), "{text}");
    assert_eq!(act(manager, "resume", json!({})).problem(), "U-20", "a site manager lets nobody go on");
    let seen =
        auditor.at(installation, &format!("/console/devices/{}", lost.device)).send().expect(200).text();
    assert!(seen.contains("一時停止しました") && !seen.contains("<button class=\"button danger\""), "{seen}");
    act(admin, "resume", json!({"note": "見つかった"})).expect(200);
    let all = admin.at(installation, "/api/v1/devices").send().expect(200).json();
    let own = all["devices"].as_array().and_then(|all| all.iter().find(|one| one["label"] == "本部PC"));
    let own = text_of(own.expect("the device in hand"), "device");
    let own = admin.post(installation, &format!("/api/v1/devices/{own}/suspend"), &[], &json!({}));
    assert_eq!(own.problem(), "D-05", "the device in hand is stopped by whoever says so");
    assert_eq!(probe(installation, lost), "");
}

/// All saw the same device; one of them changes it.
fn three_at_once_lose_nothing(
    installation: &RunningInstallation,
    lost: &DeviceIdentity,
    people: [&PersonSession; 3],
) {
    let seen = tag(installation, people[0], lost);
    let asked =
        people.map(|by| by.asking(installation, &path(lost, "suspend"), &[("if-match", &seen)], &json!({})));
    let outcomes = asked.map(|asked| spawn(move || asked.send().status));
    let outcomes = outcomes.map(|outcome| outcome.join().expect("an answer"));
    assert_eq!(outcomes.iter().filter(|status| **status == 200).count(), 1, "{outcomes:?}");
    assert!(outcomes.iter().all(|status| [200, 409, 412].contains(status)), "{outcomes:?}");
    let stale = people[1].post(installation, &path(lost, "resume"), &[("if-match", &seen)], &json!({}));
    assert_eq!(stale.problem(), "D-12", "what was seen is not so any more");
    let now = tag(installation, people[1], lost);
    people[1].post(installation, &path(lost, "resume"), &[("if-match", &now)], &json!({})).expect(200);
}

fn a_request_with_a_key_is_done_once(
    installation: &RunningInstallation,
    lost: &DeviceIdentity,
    by: &PersonSession,
) {
    let key = [("idempotency-key", "call-1")];
    let ask = |body: Value| by.post(installation, &path(lost, "suspend"), &key, &body);
    let first = ask(json!({"note": "紛失"})).expect(200).json();
    assert_eq!(ask(json!({"note": "紛失"})).expect(200).json(), first, "the answer of before");
    assert_eq!(ask(json!({"note": "別件"})).problem(), "I-22");
    by.post(installation, &path(lost, "resume"), &[], &json!({})).expect(200);
}

fn a_name_is_changed_once_it_was_seen(
    installation: &RunningInstallation,
    lost: &DeviceIdentity,
    manager: &PersonSession,
) {
    let place = format!("/console/devices/{}", lost.device);
    let rename = |seen: &str, label: &str| {
        manager.send(installation, &format!("{place}/rename"), &[("seen", seen), ("label", label)])
    };
    assert!(rename("never", "窓口PC").expect(412).text().contains("D-12"));
    let seen = tag(installation, manager, lost);
    assert!(rename(seen.trim_matches('"'), "窓口\u{202e}PC").text().contains("I-34"));
    rename(seen.trim_matches('"'), "窓口PC").expect(303);
    let page = manager.at(installation, &place).send().expect(200).text();
    assert!(page.contains("「受付PC」から「窓口PC」に変えました"), "{page}");
    let found = manager.at(installation, "/console/find?q=窓口").send().expect(200).text();
    assert!(found.contains("窓口PC"), "{found}");
}

fn lists_come_in_pages_and_as_a_file(
    installation: &RunningInstallation,
    admin: &PersonSession,
    manager: &PersonSession,
) {
    installation.tell(&["site", "add", "駅前店"]);
    let link = installation.tell(&["invite", "--site", "駅前店", "--label", "=駅前,レジ"]);
    let elsewhere = DeviceIdentity::enroll(installation, &text_of(&link, "url"), "station");
    let all = |by: &PersonSession| {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = format!("/api/v1/devices?limit=1&sort=place{cursor}");
            let page = by.at(installation, &page).send().expect(200).json();
            found.extend(page["devices"].as_array().expect("devices").clone());
            let Some(next) = page["next"].as_str() else { return found };
            cursor = format!("&cursor={next}");
        }
    };
    assert_eq!((all(admin).len(), all(manager).len()), (3, 2), "a site manager sees the own site");
    let hidden = format!("/api/v1/devices/{}", elsewhere.device);
    assert_eq!(manager.at(installation, &hidden).send().problem(), "D-10");
    let page = manager.at(installation, &format!("/console/devices/{}", elsewhere.device));
    assert!(page.header("accept", "text/html").send().expect(404).text().contains("D-10"));
    let csv = admin.at(installation, "/console/devices.csv").send().expect(200).text();
    assert!(csv.starts_with("\u{feff}会社,店舗,端末,") && csv.contains("\"'=駅前,レジ\""), "{csv}");
    assert_eq!(csv.lines().count(), 4);
    let stale = admin.at(installation, "/console/devices?state=suspended").send().expect(200).text();
    assert!(stale.contains("当てはまる端末はありません"), "{stale}");
    assert_eq!(admin.at(installation, "/api/v1/devices?state=painted").send().problem(), "R-01");
    views_are_kept(installation, admin, manager);
    let people = admin.at(installation, "/api/v1/people").send().expect(200).json();
    assert!(people.as_array().is_some_and(|people| people.len() >= 6), "{people}");
    let sites = admin.at(installation, "/api/v1/sites").send().expect(200).json();
    assert_eq!(sites.as_array().map(Vec::len), Some(2));
}

/// Each keeps their own.
fn views_are_kept(installation: &RunningInstallation, admin: &PersonSession, manager: &PersonSession) {
    let view = [("name", "停止中の端末"), ("query", "state=suspended&sort=changed")];
    let shown = admin.send(installation, "/console/views", &view).expect(303);
    assert!(shown.header("location").contains("state=suspended&sort=changed"));
    let page = admin.at(installation, "/console/devices").send().expect(200).text();
    assert!(page.contains("sort=changed") && page.contains("停止中の端末"), "{page}");
    let kept = |by: &PersonSession| by.at(installation, "/api/v1/views").send().expect(200).json();
    assert_eq!(kept(admin), json!([{"name": "停止中の端末", "query": "state=suspended&sort=changed"}]));
    assert_eq!(kept(manager), json!([]));
    let unfit = admin.send(installation, "/console/views", &[("name", "a\u{202e}b"), ("query", "")]);
    assert!(unfit.expect(400).text().contains("D-20"));
    admin.send(installation, "/console/views/forget", &[("name", "停止中の端末")]).expect(303);
    assert_eq!(kept(admin), json!([]));
    let weeks = admin.at(installation, "/api/v1/expiries").send().expect(200).json();
    assert_eq!(weeks.as_array().map(Vec::len), Some(13), "{weeks}");
    let page = admin.at(installation, "/console/calendar").send().expect(200).text();
    assert!(page.contains("期限のカレンダー") && page.matches("<tr>").count() == 14, "{page}");
    let lasting = admin.at(installation, "/api/v1/devices?lasts_days=300").send().expect(200).json();
    assert_eq!(lasting["devices"].as_array().map(Vec::len), Some(3), "{lasting}");
    let twice = admin.at(installation, "/api/v1/devices?namesakes=true").send().expect(200).json();
    assert_eq!(twice["devices"], json!([]), "no name is there twice");
}

fn who_could_enter_is_told_by_site_and_day(
    installation: &RunningInstallation,
    lost: &DeviceIdentity,
    admin: &PersonSession,
    manager: &PersonSession,
) {
    let sites = admin.at(installation, "/api/v1/sites").send().expect(200).json();
    let site = |name: &str| {
        let found = sites.as_array().and_then(|sites| sites.iter().find(|site| site["name"] == name));
        text_of(found.expect("the site"), "site")
    };
    let (store, station) = (site(STORE), site("駅前店"));
    let asked = |by: &PersonSession, of: &str, date: &str| {
        by.at(installation, &format!("/api/v1/sites/{of}/entrances?limit=1{date}")).send()
    };
    let first = asked(manager, &store, "").expect(200).json();
    let rest = format!("&cursor={}", first["next"].as_str().expect("another page"));
    let second = asked(manager, &store, &rest).expect(200).json();
    let both = [&first["entrances"][0], &second["entrances"][0]];
    let found = both.iter().find(|one| one["device"] == *lost.device).expect("the tablet");
    let spells = found["spells"].as_array().map_or(0, Vec::len);
    assert!(spells > 1, "stopped and let go on today: {found}");
    assert_eq!(asked(manager, &station, "").problem(), "I-28", "of another site");
    assert_eq!(asked(admin, &station, "&date=2099-01-01").problem(), "R-01", "nobody knows that yet");
    let before = asked(admin, &store, "&date=2020-01-01").expect(200).json();
    assert_eq!(before["entrances"], json!([]));
    let page = format!("/console/entrances?site={store}");
    let page = admin.at(installation, &page).send().expect(200).text();
    assert!(page.contains("窓口PC") && page.contains("現在"), "{page}");
    let csv = admin.at(installation, "/console/entrances.csv").send().expect(200).text();
    assert!(csv.starts_with("\u{feff}日付,会社,店舗,") && csv.contains("\"'=駅前,レジ\""), "{csv}");
    assert_eq!(csv.lines().count(), 4, "of all sites: {csv}");
    let day = csv.lines().nth(1).and_then(|line| line.split(',').next()).expect("a day");
    let told = installation.tell(&["device", "entrances", "--day", day, "--site", STORE]);
    assert_eq!(told.as_array().map(Vec::len), Some(2), "{told}");
    let future = installation.command(&["device", "entrances", "--day", "2099-01-01"]);
    assert!(future.stderr.contains("still to come"), "{}", future.stderr);
}

fn support_hears_yes_or_no(installation: &RunningInstallation, support: &PersonSession) {
    let people = support.at(installation, "/api/v1/people").send().expect(200).json();
    let person = people.as_array().and_then(|all| all.iter().find(|one| one["name"] == "佐藤 花子"));
    let person = text_of(person.expect("the person"), "person");
    let ask = |what: &str, said: &str| {
        let path = format!("/api/v1/people/{person}/check");
        support.post(installation, &path, &[], &json!({"what": what, "said": said}))
    };
    assert_eq!(ask("name", "佐藤　花子").expect(200).json()["matches"], true);
    assert_eq!(ask("login", "suzuki").expect(200).json()["matches"], false);
    let page = format!("/console/people/{person}/check");
    let page = support.send(installation, &page, &[("what", "login"), ("said", "ＳＡＴＯ")]);
    assert!(page.expect(200).text().contains("一致しました。"));
    for _ in 0..2 {
        ask("login", "sato").expect(200);
    }
    assert_eq!(ask("name", "佐藤 花子").problem(), "U-23", "nobody finds out by asking");
}

fn a_company_reads_its_own_log(
    installation: &RunningInstallation,
    lost: &DeviceIdentity,
    admin: &PersonSession,
    [manager, support]: [&PersonSession; 2],
) {
    let page = admin.at(installation, "/console/trail").send().expect(200).text();
    for said in ["登録内容を照合しました", "佐々木 望", "紛失の電話 [T-7]", "端末を承認しました"]
    {
        assert!(page.contains(said), "{said}: {page}");
    }
    let of_device =
        |by: &PersonSession| by.at(installation, &format!("/api/v1/audit?device={}", lost.device)).send();
    let entries = of_device(admin).expect(200).json();
    let entries = entries["entries"].as_array().expect("entries");
    assert!(entries.iter().all(|entry| entry["device"] == *lost.device), "{entries:?}");
    let because = |entry: &&Value| entry["because"] == json!({"reason": "紛失の電話", "ticket": "T-7"});
    assert_eq!(entries.iter().filter(because).count(), 1);
    assert_eq!(of_device(manager).problem(), "U-20");
    let csv = admin.at(installation, "/console/trail.csv").send().expect(200).text();
    assert!(csv.starts_with("\u{feff}番号,日時（日本時間）,") && csv.contains("窓口PC"), "{csv}");
    assert!(csv.contains("一覧をファイルに書き出しました"), "taking it away is an entry, too: {csv}");
    assert_eq!(support.at(installation, "/console/trail.csv").send().problem(), "U-20");
    let before = admin.at(installation, "/api/v1/audit?until=2020-01-01").send().expect(200).json();
    assert_eq!(before, json!({"entries": [], "next": null}));
}

fn whoever_invited_does_not_approve(
    installation: &RunningInstallation,
    admin: &PersonSession,
    second: &PersonSession,
) {
    installation.tell(&["policy", "set", "--approval", "yes"]);
    let sites = admin.at(installation, "/api/v1/sites").send().expect(200).json();
    let site = sites.as_array().and_then(|sites| sites.iter().find(|site| site["name"] == STORE));
    let site = text_of(site.expect("the site"), "site");
    let body = json!({"label": "待合室"});
    let made = admin.post(installation, &format!("/api/v1/sites/{site}/invitations"), &[], &body);
    let link = text_of(&made.expect(201).json(), "url");
    let (_, code) = link.split_once('#').expect("a code");
    let asked = json!({"code": code, "csr": tegata_tests::csr::honest()});
    installation.at_portal("/api/v1/enrollments").json(&asked).send();
    let waiting = second.at(installation, "/api/v1/approvals/waiting").send().expect(200).json();
    let approval = text_of(&waiting[0], "approval");
    let page = admin.at(installation, "/console/approvals").send().expect(200).text();
    assert!(page.contains("ほかの管理者が承認してください"), "{page}");
    let approve = format!("/api/v1/approvals/{approval}/approve");
    assert_eq!(admin.post(installation, &approve, &[], &json!({})).problem(), "U-22");
    let page = second.at(installation, "/console/approvals").send().expect(200).text();
    assert!(page.contains(&format!("data-approval=\"{approval}\"")), "{page}");
    let done = second.send(installation, &format!("/console/approvals/{approval}/approve"), &[]);
    done.expect(303);
    assert_eq!(second.post(installation, &approve, &[], &json!({})).problem(), "E-09");
    assert_eq!(between(&page, "<h1>", "</h1>"), "承認待ちの端末");
}
