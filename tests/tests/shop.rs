//! The people of a shop see their own devices and stop one that is lost, with nobody's help; support undoes it.

use serde_json::{Value, json};
use tegata_tests::{Browser, CurlAnswer, DeviceIdentity, RunningInstallation};

#[test]
fn staff_stop_a_lost_device_in_two_steps_and_see_the_proof() {
    let installation = RunningInstallation::start();
    let lost = installation.enroll("調剤室タブレット");
    let mut browser = Browser::open(&installation);
    browser.enroll(&installation.invitation);
    browser.go(&format!("{}/", installation.device));
    browser.click("#to-shop");
    browser.see("#shop");
    browser.picture("shop");
    let row = |of: &DeviceIdentity| format!("[data-device='{}']", &of.device[..8]);
    assert!(browser.text(&format!("{} dd", row(&lost))).contains("使えます"));
    assert!(browser.text("li.own .facts").contains("Linux"), "what this browser says it runs on");
    browser.click(&format!("{} [data-lost]", row(&lost)));
    browser.reach("confirm");
    browser.picture("shop-confirm");
    assert!(browser.text("[data-state=confirm] [data-fill=label]").contains("調剤室タブレット"));
    browser.click("#keep");
    browser.reach("ready");
    assert_eq!(state_of(&installation, &lost), "active", "nothing happens at the first step");
    browser.click(&format!("{} [data-lost]", row(&lost)));
    browser.reach("confirm");
    browser.click("#stop");
    browser.reach("stopped");
    browser.picture("shop-stopped");
    let proved = browser.text("[data-state=stopped] [data-fill=proved-at]");
    assert_eq!(proved.matches(':').count(), 2, "to the second: {proved}");
    assert_eq!(state_of(&installation, &lost), "suspended");
    assert_eq!(probe(&installation, &lost).problem(), "C-07");

    browser.go(&format!("{}/shop?lang=en", installation.device));
    browser.see("#shop");
    browser.picture("shop-english");
    browser.click("li.own [data-lost]");
    browser.see("#own-warning");
    browser.picture("shop-confirm-own-english");
    assert_eq!(browser.complaints(), Vec::<String>::new());

    let why = installation.at_device("/").header("accept", "text/html").header("accept-language", "en");
    let why = why.as_device(&lost).send().text();
    assert!(why.contains("Reported lost from") && why.contains("受付PC"), "{why}");
    let number = &lost.device[..8];
    assert!(why.contains(number), "support begins with this");
    let shown = installation.tell(&["device", "show", number]);
    assert_eq!(shown["history"][0]["detail"]["note"], "reported lost");
    installation.tell(&["device", "resume", number]);
    assert_eq!(probe(&installation, &lost).status, 200);
}

#[test]
fn a_stolen_device_can_stop_two_others_a_day_and_no_more() {
    let installation = RunningInstallation::start();
    let [thief, a, b, c] = ["thief", "a", "b", "c"].map(|label| installation.enroll(label));
    for victim in [&a, &b] {
        let told = report(&installation, &thief, &victim.device).expect(200).json();
        assert_eq!(told["surfaces"], told["confirmed"], "{told}");
        assert!(told["proved_at"].is_string() && told["surfaces"].as_u64() > Some(0), "{told}");
    }
    assert_eq!(report(&installation, &thief, &c.device).problem(), "D-03");
    assert_eq!(report(&installation, &a, &c.device).problem(), "C-07", "who is stopped reports nobody");
    assert_eq!(report(&installation, &c, &a.device).problem(), "D-02");
    let own = json!({ "device": c.device, "own": true });
    assert_eq!(post(&installation, &c, &own).status, 200, "oneself, when it is said");
    assert_eq!(probe(&installation, &c).problem(), "C-07");
    installation.tell(&["tenant", "loss-reports", &tenant(&installation), "off"]);
    for victim in [&a, &b, &c] {
        installation.tell(&["device", "resume", &victim.device]);
    }
    assert_eq!(report(&installation, &a, &thief.device).problem(), "D-04");
    let page = installation.at_device("/shop").header("accept", "text/html");
    let page = page.as_device(&a).send().expect(200).text();
    assert!(!page.contains("data-lost"), "nothing is offered that is refused");
    assert_eq!(installation.command(&["check"]).code, 0);
}

#[test]
fn a_site_sees_no_devices_of_other_sites() {
    let installation = RunningInstallation::start();
    let own = installation.enroll("own");
    let gate = installation.enroll_gate("関所");
    installation.tell(&["site", "add", "二号店"]);
    installation.tell(&["tenant", "add", "別会社"]);
    installation.tell(&["site", "add", "駅前店", "--tenant", "別会社"]);
    let second = invite(&installation, &["--site", "二号店"]);
    let second = DeviceIdentity::enroll(&installation, &second, "second");
    let other = invite(&installation, &["--site", "駅前店"]);
    let other = DeviceIdentity::enroll(&installation, &other, "other");
    let page = installation.at_device("/shop").header("accept", "text/html");
    let page = page.as_device(&own).send().expect(200).text();
    assert!(page.contains(&own.device[..8]));
    let mut answers = Vec::new();
    for stranger in [&second, &other, &gate] {
        assert!(!page.contains(&stranger.device[..8]), "{page}");
        let answer = report(&installation, &own, &stranger.device);
        answers.push(said(&answer));
        assert_eq!(state_of(&installation, stranger), "active");
    }
    let nobody = report(&installation, &own, &"0".repeat(own.device.len()));
    answers.push(said(&nobody));
    answers.dedup();
    assert_eq!(answers.len(), 1, "who asks learns not even that they exist: {answers:?}");
    assert!(answers[0].1.contains("D-01"), "{answers:?}");
}

/// All that an answer says but its own number.
fn said(answer: &CurlAnswer) -> (u16, String) {
    let mut problem = answer.json();
    problem.as_object_mut().expect("a problem").remove("request_id");
    (answer.status, problem.to_string())
}

fn report(installation: &RunningInstallation, by: &DeviceIdentity, device: &str) -> CurlAnswer {
    post(installation, by, &json!({ "device": device }))
}

fn post(installation: &RunningInstallation, by: &DeviceIdentity, body: &Value) -> CurlAnswer {
    installation.at_device("/api/v1/loss-reports").json(body).as_device(by).send()
}

fn probe(installation: &RunningInstallation, identity: &DeviceIdentity) -> CurlAnswer {
    installation.at_device("/probe").as_device(identity).send()
}

fn state_of(installation: &RunningInstallation, identity: &DeviceIdentity) -> String {
    installation.tell(&["device", "show", &identity.device])["state"].as_str().expect("a state").to_owned()
}

fn tenant(installation: &RunningInstallation) -> String {
    installation.tell(&["tenant", "list"])[0]["name"].as_str().expect("a name").to_owned()
}

fn invite(installation: &RunningInstallation, place: &[&str]) -> String {
    let arguments = [&["invite", "--label", "よその端末"], place].concat();
    installation.tell(&arguments)["url"].as_str().expect("a link").to_owned()
}
