//! The vendor's warehouse: many devices in a row with one code, never more than it says, and an end to it at once.

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;
use tegata_tests::installation::text_of;
use tegata_tests::stopwatch::eventually;
use tegata_tests::{Browser, CommandOutcome, CurlAnswer, Download, RunningInstallation, csr, tegata};

#[test]
fn a_script_enrolls_devices_by_asset_numbers_until_the_code_is_used_up() {
    let installation = RunningInstallation::start();
    let kitting = kitting(&installation, 3, &["--label", "棚卸-{n}"]);
    let first = enroll(&installation, &kitting.link, "a", Some("A-0815")).good().json();
    assert_eq!(
        (&first["label"], &first["number"], &first["taken"]),
        (&json!("A-0815"), &json!(1), &json!(1))
    );
    let twice = enroll(&installation, &kitting.link, "b", Some("A-0815"));
    assert_eq!(twice.code, 1, "{}", twice.said());
    assert!(twice.stderr.contains("I-31"), "{}", twice.stderr);
    let second = enroll(&installation, &kitting.link, "b", None).good().json();
    assert_eq!(
        (&second["label"], &second["places"]),
        (&json!("棚卸-2"), &json!(3)),
        "the key of before, another name"
    );
    enroll(&installation, &kitting.link, "c", None).good();
    let late = enroll(&installation, &kitting.link, "d", None);
    assert_eq!(late.code, 1);
    assert!(late.stderr.contains("I-30"), "{}", late.stderr);
    assert!(!installation.folder("kitted").join("d/cert.pem").exists());

    let shown = installation.tell(&["invite", "show", &kitting.id]);
    assert_eq!((&shown["state"], &shown["taken"]), (&json!("used up"), &json!(3)), "{shown}");
    let labels: Vec<_> =
        shown["made"].as_array().expect("a list").iter().map(|made| &made["label"]).collect();
    assert_eq!(labels, ["A-0815", "棚卸-2", "棚卸-3"]);
    let listed = installation.listed(&["invite", "list"]);
    assert!(listed.as_array().expect("a list").iter().any(|one| one["kitting"] == *kitting.id), "{listed}");
    let probe = installation
        .at_device("/probe")
        .presenting(&file(&installation, "a", "chain.pem"), &file(&installation, "a", "key.pem"));
    assert_eq!(probe.send().expect(200).json()["device"], first["device"]);
    let log = installation.log();
    let audited = audit(&installation);
    let secret = kitting.link.split('#').next_back().expect("a code");
    assert!(!log.contains(secret) && !audited.contains(secret), "the code is told once");
}

#[test]
fn of_ten_machines_that_want_four_places_at_once_four_get_one() {
    let installation = RunningInstallation::start();
    let kitting = kitting(&installation, 4, &[]);
    let outcomes: Vec<_> = thread::scope(|scope| {
        let started: Vec<_> = (0..10)
            .map(|place| {
                let (folder, trust) =
                    (kitted(&installation, &format!("machine-{place}")), &installation.tls_ca);
                let link = &kitting.link;
                scope.spawn(move || enroll_in(&folder, trust, link, None))
            })
            .collect();
        started.into_iter().map(|one| one.join().expect("an outcome")).collect()
    });
    let (good, refused): (Vec<_>, Vec<_>) = outcomes.iter().partition(|outcome| outcome.code == 0);
    assert_eq!(good.len(), 4);
    for outcome in refused {
        assert!(outcome.stderr.contains("I-30"), "{}", outcome.stderr);
    }
    let mut numbers: Vec<_> = good.iter().map(|outcome| outcome.json()["number"].as_u64()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 4, "each has a number of its own");
    assert_eq!(installation.listed(&["device", "list"]).as_array().map(Vec::len), Some(4));
}

#[test]
fn a_stolen_code_is_ended_at_once_and_takes_its_devices_along() {
    let installation = RunningInstallation::start();
    let kitting = kitting(&installation, 50, &["--per-minute", "2"]);
    let thief = enroll(&installation, &kitting.link, "thief-1", None).good().json();
    enroll(&installation, &kitting.link, "thief-2", None).good();
    let fast = enroll(&installation, &kitting.link, "thief-3", None);
    assert!(fast.stderr.contains("I-33"), "a stolen code is slow: {}", fast.stderr);

    let ended = installation.tell(&["invite", "revoke", &kitting.id]);
    assert_eq!((&ended["ended"], ended["left"].as_array().map(Vec::len)), (&json!(true), Some(2)), "{ended}");
    let after = enroll(&installation, &kitting.link, "thief-3", None);
    assert!(after.stderr.contains("I-04"), "{}", after.stderr);
    let probe = || {
        let (chain, key) =
            (file(&installation, "thief-1", "chain.pem"), file(&installation, "thief-1", "key.pem"));
        installation.at_device("/probe").presenting(&chain, &key).send()
    };
    probe().expect(200);
    let revoked =
        installation.tell(&["invite", "revoke", &kitting.id, "--devices", "--yes", "--note", "stolen"]);
    let devices = revoked["revoked"].as_array().expect("devices");
    assert!(devices.len() == 2 && devices.contains(&thief["device"]), "{revoked}");
    assert!(revoked["receipts"].as_array().is_some_and(|receipts| !receipts.is_empty()), "{revoked}");
    assert_eq!(probe().expect(401).problem(), "C-06");
    let again = installation.command(&["invite", "revoke", &kitting.id, "--devices", "--yes"]);
    assert_eq!(again.code, 1, "there is nothing left to end: {}", again.said());
}

#[test]
fn a_single_invitation_is_revoked_too_with_the_device_that_used_it() {
    let installation = RunningInstallation::start();
    let invited = installation.tell(&["invite", "--label", "受付PC"]);
    let (id, link) = (text_of(&invited, "invitation"), text_of(&invited, "url"));
    installation.tell(&["invite", "revoke", &id]);
    let refused = enroll(&installation, &link, "late", None);
    assert!(refused.stderr.contains("I-04"), "{}", refused.stderr);
    assert_eq!(installation.command(&["invite", "revoke", &id]).code, 1);
    assert_eq!(installation.command(&["invite", "revoke", "nonsense"]).code, 2);

    let used = installation.tell(&["invite", "--label", "レジ"]);
    let id = text_of(&used, "invitation");
    let device = enroll(&installation, &text_of(&used, "url"), "used", None).good().json();
    let held_up = installation.command(&["invite", "revoke", &id]);
    assert!(held_up.code == 1 && held_up.stderr.contains("--devices"), "{}", held_up.said());
    let revoked = installation.tell(&["invite", "revoke", &id, "--devices", "--yes"]);
    assert_eq!(revoked["revoked"], json!([device["device"]]));
}

#[test]
fn a_kitting_code_works_at_its_own_endpoints_and_networks_alone() {
    let installation = RunningInstallation::start();
    let elsewhere = kitting(&installation, 5, &["--network", "192.0.2.0/24"]);
    let refused = enroll(&installation, &elsewhere.link, "elsewhere", None);
    assert!(refused.stderr.contains("I-32"), "{}", refused.stderr);
    let near = kitting(&installation, 5, &["--network", "127.0.0.0/8", "--network", "::1"]);
    let code = near.code();
    let post = |path: &str, body: Value| installation.at_portal(path).json(&body);
    let request = csr::honest();
    assert_eq!(
        post("/api/v1/invitations/open", json!({ "code": code })).send().expect(404).problem(),
        "I-01"
    );
    let ordinary = json!({ "code": code, "csr": request });
    assert_eq!(post("/api/v1/enrollments", ordinary.clone()).send().expect(404).problem(), "I-01");
    let foreign =
        post("/api/v1/kitting/enrollments", ordinary.clone()).header("origin", "https://evil.example");
    assert_eq!(foreign.send().expect(403).problem(), "R-06");
    let as_form =
        installation.at_portal("/api/v1/kitting/enrollments").body("text/plain", ordinary.to_string());
    assert_eq!(as_form.send().expect(415).problem(), "R-07");
    for label in ["x".repeat(65), "a\nb".into()] {
        let body = json!({ "code": code, "csr": request, "label": label });
        assert_eq!(post("/api/v1/kitting/enrollments", body).send().expect(400).problem(), "I-34");
    }
    let hidden = json!({ "code": code, "csr": request, "label": "受付\u{202e}PC" });
    let hidden = post("/api/v1/kitting/enrollments", hidden).send().expect(400).json();
    assert!(hidden["detail"].as_str().is_some_and(|detail| detail.contains("U+202E")), "{hidden}");
    let taken = installation.tell(&["invite", "show", &near.id]);
    assert_eq!(taken["taken"], 0, "nothing of this took a place: {taken}");

    let made: CurlAnswer = post("/api/v1/kitting/enrollments", ordinary.clone()).send().expect(201);
    let again = post("/api/v1/kitting/enrollments", ordinary).send().expect(201);
    assert_eq!(made.json()["thumbprint"], again.json()["thumbprint"], "a lost answer is given again");
    let stranger = installation.enroll("stranger");
    let foreign = json!({ "code": code, "thumbprint": stranger.thumbprint });
    assert_eq!(post("/api/v1/kitting/deliveries", foreign).send().expect(400).problem(), "R-01");
    let own = json!({ "code": code, "thumbprint": made.json()["thumbprint"] });
    post("/api/v1/kitting/deliveries", own).send().expect(204);
    for wrong in [["--devices", "0"], ["--devices", "501"], ["--for", "8d"], ["--network", "10.0.0.1/8"]] {
        let command = [&["invite", "--kitting", "--devices", "5"][..], &wrong].concat();
        assert_eq!(installation.command(&command).code, 2, "{wrong:?}");
    }
}

#[test]
fn a_person_enrolls_three_devices_in_a_row_and_prints_their_labels() {
    let installation = RunningInstallation::start();
    let kitting = kitting(&installation, 3, &["--label", "棚卸-{n}"]);
    let mut browser = Browser::open(&installation);
    browser.go(&format!("{}/kitting", installation.portal));
    browser.reach("no-code");
    browser.picture("kitting-no-code");

    browser.go(&kitting.link);
    browser.reach("ready");
    assert!(!browser.address().contains('#'), "the code does not stay in the address bar");
    browser.picture("kitting-ready");
    browser.type_in("#label", "A-0815");
    let (file, password) = begin(&mut browser);
    browser.picture("kitting-install");
    // This one is the machine itself: the page goes on when it sees the certificate.
    browser.import(&file.path, &password);
    browser.reach("done");
    assert_eq!(browser.text(".sticker-name"), "A-0815");
    assert_eq!(browser.text(".counter [data-fill=taken]"), "1");
    browser.picture("kitting-done");

    browser.click("#next");
    browser.reach("ready");
    assert_eq!(browser.text("[data-fill=next-number]"), "2");
    browser.type_in("#label", "A-0815");
    browser.click("#start");
    browser.see("#start-problem");
    assert_eq!(browser.text("#start-problem [data-problem=code]"), "I-31");
    browser.picture("kitting-same-name");
    browser.type_in("#label", "");
    let (second, _) = begin(&mut browser);
    browser.click("#file-taken");
    browser.reach("done");
    assert_eq!(browser.text(".sticker-name"), "棚卸-2");

    browser.click("#next");
    browser.reach("ready");
    let (third, _) = begin(&mut browser);
    assert_ne!(second.name, third.name);
    browser.click("#file-taken");
    browser.reach("done");
    let number = browser.text(".sticker-number");
    browser.picture("kitting-last");
    assert!(browser.text("#last").contains("全部"));
    assert_eq!(installation.listed(&["device", "list", &number])[0]["label"], "棚卸-3", "support finds it");

    browser.go(&format!(
        "{}?lang=en#{}",
        kitting.link.split('#').next().expect("an address"),
        kitting.code()
    ));
    browser.reach("used-up");
    browser.picture("kitting-used-up-english");
    assert!(browser.text("#made-table").contains("At work"), "the first one was seen at work");
    installation.tell(&["invite", "revoke", &kitting.id]);
    browser.go(&format!("{}#{}", kitting.link.split('#').next().expect("an address"), kitting.code()));
    browser.reach("refused");
    assert_eq!(browser.text("#opening-problem [data-problem=code]"), "I-04");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_kitting_page_waits_for_each_approval_and_goes_on_by_itself() {
    let installation = RunningInstallation::start();
    installation.tell(&["policy", "set", "--approval", "yes"]);
    let kitting = kitting(&installation, 3, &["--label", "棚卸-{n}"]);
    let mut browser = Browser::open(&installation);
    browser.go(&kitting.link);
    browser.reach("ready");
    browser.type_in("#label", "A-0815");
    browser.click("#start");
    browser.reach("waiting");
    let number = browser.text("[data-fill=number]");
    assert!(browser.text("#made").contains("承認待ち"), "{}", browser.text("#made"));
    browser.picture("kitting-waiting");
    let waiting = installation.listed(&["approvals", "list"]);
    assert_eq!((&waiting[0]["label"], waiting.as_array().map(Vec::len)), (&json!("A-0815"), Some(1)));
    installation.tell(&["approvals", "approve", &number]);
    let file = browser.download();
    browser.reach("install");
    assert_eq!(Path::new(&file.name).extension().and_then(|end| end.to_str()), Some("p12"));
    browser.click("#file-taken");
    browser.reach("done");
    assert_eq!(
        (browser.text(".sticker-name").as_str(), browser.text(".counter [data-fill=taken]").as_str()),
        ("A-0815", "1")
    );

    browser.click("#next");
    browser.reach("ready");
    browser.click("#start");
    browser.reach("waiting");
    let number = browser.text("[data-fill=number]");
    installation.tell(&["approvals", "decline", &number, "--reason", "not ours"]);
    browser.reach("stopped");
    assert_eq!(browser.text("#stopped-problem [data-problem=code]"), "E-06");
    browser.picture("kitting-declined");
    browser.click("#another");
    browser.reach("ready");
    assert_eq!(browser.text("[data-fill=next-number]"), "2", "the place is free for another device");

    let english = kitting.link.replace("/kitting#", "/kitting?lang=en#");
    browser.go(&english);
    browser.reach("ready");
    browser.click("#start");
    browser.reach("waiting");
    browser.picture("kitting-waiting-english");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_script_waits_too_and_learns_the_devices_place() {
    let installation = RunningInstallation::start();
    installation.tell(&["policy", "set", "--approval", "yes"]);
    let kitting = kitting(&installation, 1, &["--label", "棚卸-{n}"]);
    thread::scope(|scope| {
        let (folder, trust, link) = (kitted(&installation, "waits"), &installation.tls_ca, &kitting.link);
        let running = scope.spawn(move || enroll_in(&folder, trust, link, None));
        eventually("it waits", Duration::from_mins(1), || {
            installation.listed(&["approvals", "list"])[0].is_object()
        });
        let waiting = installation.listed(&["approvals", "list"]);
        installation.tell(&["approvals", "approve", waiting[0]["approval"].as_str().expect("an identifier")]);
        let told = running.join().expect("an outcome").good().json();
        assert_eq!((&told["label"], &told["taken"]), (&json!("棚卸-1"), &json!(1)), "{told}");
    });
}

/// A kitting code as `tegata invite --kitting` shows it.
struct KittingFixture {
    id: String,
    link: String,
}

impl KittingFixture {
    fn code(&self) -> String {
        self.link.split('#').next_back().expect("a code").to_owned()
    }
}

fn kitting(installation: &RunningInstallation, devices: u32, options: &[&str]) -> KittingFixture {
    let devices = devices.to_string();
    let command = [&["invite", "--kitting", "--devices", &devices], options].concat();
    let told = installation.tell(&command);
    KittingFixture { id: text_of(&told, "kitting"), link: text_of(&told, "url") }
}

fn enroll(
    installation: &RunningInstallation,
    link: &str,
    folder: &str,
    label: Option<&str>,
) -> CommandOutcome {
    enroll_in(&kitted(installation, folder), &installation.tls_ca, link, label)
}

fn enroll_in(folder: &Path, trust: &Path, link: &str, label: Option<&str>) -> CommandOutcome {
    let mut command = Command::new(tegata());
    command.arg("enroll").arg(link).arg("--out").arg(folder).arg("--tls-ca").arg(trust).arg("--json");
    if let Some(label) = label {
        command.args(["--label", label]);
    }
    CommandOutcome::of(&mut command)
}

fn kitted(installation: &RunningInstallation, folder: &str) -> PathBuf {
    installation.folder("kitted").join(folder)
}

fn file(installation: &RunningInstallation, folder: &str, name: &str) -> String {
    kitted(installation, folder).join(name).display().to_string()
}

/// Everything the ledger holds, as it lies on the disk.
fn audit(installation: &RunningInstallation) -> String {
    let files = ["ledger.db", "ledger.db-wal"].map(|name| installation.data().join(name));
    let bytes = files.iter().filter_map(|file| std::fs::read(file).ok());
    bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect()
}

/// From the ready page to the file, as somebody with a scanner does.
fn begin(browser: &mut Browser) -> (Download, String) {
    browser.click("#start");
    let file = browser.download();
    browser.reach("install");
    let password = browser.text("#password");
    (file, password)
}
