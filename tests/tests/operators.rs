//! Operators and their scripts rely on exit codes, on JSON, and on being told what is wrong.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use tegata_tests::{Browser, CommandOutcome, Process, RunningInstallation, run, tegata};

#[test]
fn a_script_tells_success_failure_and_misuse_by_the_exit_code() {
    let installation = RunningInstallation::start();
    let device = installation.enroll("register-1");
    assert_eq!(installation.command(&["check"]).code, 0);
    let listed = installation.listed(&["device", "list"]);
    assert_eq!(listed[0]["device"], *device.device);
    let shown = installation.tell(&["device", "show", &device.device]);
    assert_eq!(shown["certificates"][0]["thumbprint"], *device.thumbprint);
    assert_eq!(shown["certificates"][0]["standing"], "good");

    let nobody = "0".repeat(26);
    assert_eq!(installation.command(&["device", "show", &nobody]).code, 1);
    assert_eq!(installation.command(&["device", "show", "nobody"]).code, 2);
    assert_eq!(installation.command(&["device", "paint", &device.device]).code, 2);
}

#[test]
fn an_edited_audit_log_fails_the_check_and_differs_from_its_exports() {
    let mut installation = RunningInstallation::start();
    let device = installation.enroll("register-1");
    let file = |name: &str| installation.data().join(name).display().to_string();
    let (first, second) = (file("first.jsonl"), file("second.jsonl"));
    let export = |after: &str, out: &str| {
        installation.tell(&["audit", "export", "--before", "2100-01-01", "--after", after, "--out", out])
    };
    let through = export("0", &first)["through"].to_string();
    installation.tell(&["device", "suspend", &device.device]);
    export(&through, &second);
    let verified = installation.tell(&["audit", "verify", &first, &second, "--with-ledger"]);
    assert_eq!(verified["joined"], true, "the exports follow one another, and the ledger goes on from them");
    let backwards = installation.command(&["audit", "verify", &second, &first]);
    assert_eq!(backwards.code, 1, "{}", backwards.said());
    let whole = std::fs::read_to_string(&first).expect("an export");
    let cut = file("cut.jsonl");
    std::fs::write(&cut, &whole[..whole.rfind("{\"end\"").expect("an end")]).expect("a file");
    let edited = file("edited.jsonl");
    std::fs::write(&edited, whole.replacen("installation.made", "installation.mad", 1)).expect("a file");
    for wrong in [&cut, &edited] {
        let verified = installation.command(&["audit", "verify", wrong]);
        assert_eq!(verified.code, 1, "{}", verified.said());
    }
    installation.kill();
    let ledger = installation.data().join("ledger.db").display().to_string();
    let edit = "\
import sqlite3, sys
ledger = sqlite3.connect(sys.argv[1])
edited = ledger.execute(\"UPDATE audit SET entry = replace(entry, 'suspended', 'resumed') WHERE entry LIKE '%suspended%'\").rowcount
ledger.commit()
print(edited)";
    assert_ne!(run("python3", &["-c", edit, &ledger]).trim(), "0", "there was something to edit");
    let check = installation.command(&["check"]);
    assert_eq!(check.code, 1, "{}", check.said());
    assert!(check.said().contains("audit"), "{}", check.said());
    assert_eq!(installation.command(&["audit", "verify", &first, &second, "--with-ledger"]).code, 1);
}

#[test]
fn a_misspelt_setting_is_refused_with_its_line() {
    let installation = RunningInstallation::start();
    let file = installation.data().join("tegata.toml");
    let text = std::fs::read_to_string(&file).expect("the configuration");
    let line = text.lines().position(|line| line.starts_with("lifetime_seconds")).expect("the setting") + 1;
    std::fs::write(&file, text.replace("lifetime_seconds", "lifetime_second")).expect("a file");
    let check = installation.command(&["check"]);
    assert_eq!(check.code, 2, "{}", check.said());
    assert!(check.said().contains("lifetime_second"), "{}", check.said());
    assert!(check.said().contains(&format!("line {line}")), "{}", check.said());
}

#[test]
fn a_server_renews_from_the_command_line_and_always_has_a_certificate() {
    let installation = RunningInstallation::start();
    let first = installation.enroll("server-1");
    let mode = std::fs::metadata(first.folder.join("key.pem")).expect("the key").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "nobody else reads the key");
    let old = first.kept_aside();
    let new = first.renew(&installation);
    assert_eq!((new.device, new.generation), (old.device.clone(), 2));
    assert_ne!(
        std::fs::read(new.folder.join("key.pem")).ok(),
        std::fs::read(old.folder.join("key.pem")).ok()
    );

    let generation = |identity| {
        let probe = installation.at_device("/probe").as_device(identity).send().expect(200);
        probe.json()["generation"].as_u64()
    };
    assert_eq!(generation(&first), Some(2));
    assert_eq!(generation(&old), Some(1), "the old generation has its grace");
    let folder = first.folder.display().to_string();
    let early = CommandOutcome::of(Command::new(tegata()).args(["renew", "--if-due", "--json", &folder]));
    assert_eq!(early.good().json()["renewed"], false, "it is months too early");
    installation.tell(&["renewals", "now", "--reason", "T-31"]);
    let mut looking = Command::new(tegata());
    looking.args(["renew", "--every", "1h", "--json", &folder]);
    let log = installation.folder("every").join("log");
    let mut looking = Process::start("tegata renew --every", &mut looking, &log);
    assert_eq!(looking.line_as_json()["generation"], 3, "everybody was asked to");
    assert_eq!(generation(&first), Some(3));
    installation.tell(&["device", "revoke", "--yes", &old.device]);
    for identity in [&old, &first] {
        let refused = installation.at_device("/probe").as_device(identity).send().expect(401);
        assert_eq!(refused.problem(), "C-06", "a revocation takes every generation");
    }
}

#[test]
fn two_installations_do_not_know_each_other() {
    let (ours, theirs) = (RunningInstallation::start(), RunningInstallation::start());
    let stranger = theirs.enroll("register-1");
    let refused = ours.at_device("/probe").as_device(&stranger).send().expect(401);
    assert_eq!(refused.problem(), "C-02");
    let renewal = ours.at_device("/api/v1/renewals").as_device(&stranger);
    let body = serde_json::json!({ "csr": tegata_tests::csr::honest() });
    assert_eq!(renewal.json(&body).send().expect(401).problem(), "C-02");
}

#[test]
fn whoever_equips_many_stores_invites_from_a_list_and_prints_the_sheets() {
    let installation = RunningInstallation::start();
    installation.tell(&["site", "add", "駅前店"]);
    let file = |name: &str| installation.folder("lists").join(name);
    let (good, wrong, sheets) = (file("good.csv"), file("wrong.csv"), file("sheets.html"));
    let path = |file: &std::path::Path| file.display().to_string();
    std::fs::write(&good, "\u{feff}site,label\n本店,レジ1\n駅前店,レジ1\n駅前店,タブレット\n")
        .expect("a list");
    std::fs::write(&wrong, "site,label\n本店,レジ1\n隣町店,レジ1\n").expect("a list");

    let refused = installation.command(&["invite", "--csv", &path(&wrong)]);
    assert_eq!(refused.code, 1, "{}", refused.said());
    assert!(refused.said().contains("隣町店"), "{}", refused.said());

    let invited = installation.tell(&["invite", "--csv", &path(&good), "--code", "--sheet", &path(&sheets)]);
    let lines = invited.as_array().expect("a report");
    let named: Vec<_> =
        lines.iter().map(|line| (&line["line"], line["site"].as_str().unwrap_or(""))).collect();
    assert_eq!(named, [(&2.into(), "本店"), (&3.into(), "駅前店"), (&4.into(), "駅前店")]);
    let link = lines[2]["url"].as_str().expect("a link");
    let html = std::fs::read_to_string(&sheets).expect("sheets");
    for line in lines {
        assert!(html.contains(line["url"].as_str().expect("a link")));
        assert!(html.contains(line["code"].as_str().expect("a code")));
    }
    assert_eq!(std::fs::metadata(&sheets).expect("sheets").permissions().mode() & 0o777, 0o600);
    let again = installation.command(&["invite", "--csv", &path(&good), "--sheet", &path(&sheets)]);
    assert_eq!(again.code, 2, "no sheet overwrites another: {}", again.said());

    // Names are one however wide they are written, hold nothing hidden, and calculate nothing in a spreadsheet.
    assert_eq!(installation.command(&["site", "add", " 駅 前店"]).code, 2, "there is one already");
    let hidden = installation.command(&["site", "add", "駅\u{202e}前店"]);
    assert!(hidden.code == 2 && hidden.stderr.contains("U+202E"), "{}", hidden.said());
    installation.tell(&["site", "add", "=ドラッグ1号店"]);
    // As Excel saves it in Japan: Shift_JIS, and full-width letters.
    let sjis = b"site,label\n'=\xc4\xde\xd7\xaf\xb8\xde\x82\x50\x8d\x86\x93\x58,'@1\n";
    std::fs::write(&good, sjis).expect("a list");
    let mut table = std::process::Command::new(tegata_tests::tegata());
    table.args(["invite", "--data", &path(&installation.data()), "--csv", &path(&good)]);
    let told = tegata_tests::CommandOutcome::of(&mut table).good();
    assert!(told.stdout.contains("2,'=ドラッグ1号店,'@1,https://"), "{}", told.said());
    let wide = installation.tell(&["invite", "--site", "＝ﾄﾞﾗｯｸﾞ １号店", "--label", "ﾚｼﾞ"]);
    assert_eq!(wide["site"], "=ドラッグ1号店");

    let mut browser = Browser::open(&installation);
    browser.go(&format!("file://{}", sheets.display()));
    browser.picture("invitation-sheets");
    browser.go(&format!("{link}。"));
    browser.reach("ready");
    assert_eq!(browser.text("[data-fill=site]"), "駅前店");
}
