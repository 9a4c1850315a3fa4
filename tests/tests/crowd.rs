//! What everybody may rely on when everybody comes at once, and when somebody comes to stay.

use std::collections::HashSet;
use std::process::{Command, Stdio};
use std::time::Duration;
use tegata_tests::RunningInstallation;
use tegata_tests::crowd::enroll_at_once;
use tegata_tests::stopwatch::eventually;

/// A chain that equips all its stores on one morning.
const CROWD: usize = 1000;

/// Slow connections, far more than the server's own.
const SLOW: usize = 200;

#[test]
fn a_thousand_people_enroll_at_once_and_each_gets_a_certificate() {
    let installation = RunningInstallation::start();
    let list = installation.folder("lists").join("crowd.csv");
    let lines: Vec<_> = (1..=CROWD).map(|number| format!("本店,端末{number}")).collect();
    std::fs::write(&list, format!("site,label\n{}\n", lines.join("\n"))).expect("a list");
    let invited = installation.tell(&["invite", "--csv", &list.display().to_string()]);
    let code = |line: &serde_json::Value| {
        let link = line["url"].as_str().expect("a link");
        link.split('#').nth(1).expect("a code").to_owned()
    };
    let codes: Vec<_> = invited.as_array().expect("a report").iter().map(code).collect();

    let outcome = enroll_at_once(&installation.portal, &installation.tls_ca, codes);

    assert_eq!(outcome.failures, Vec::<String>::new());
    assert_eq!(outcome.statuses.into_iter().collect::<Vec<_>>(), [(201, CROWD)]);
    assert_eq!(outcome.thumbprints.iter().collect::<HashSet<_>>().len(), CROWD);
    let devices = installation.listed(&["device", "list", "端末"]);
    assert_eq!(devices.as_array().map(Vec::len), Some(CROWD));
    assert_eq!(installation.command(&["check"]).code, 0, "the ledger is sound afterwards");
}

#[test]
fn a_slow_client_keeps_no_connection_past_the_limit_and_nobody_out() {
    let installation = RunningInstallation::start();
    let before = installation.open_files();
    let url = |path: &str| format!("{}{path}", installation.portal);
    let ways: [(&str, &[&str], String); 3] = [
        ("a header a byte at a time", &["-H", "-i", "3"], url("/")),
        (
            "a body a byte at a time",
            &["-B", "-i", "3", "-s", "8192", "-t", "POST", "-f", "application/json"],
            url("/api/v1/invitations/open"),
        ),
        (
            "an answer a few bytes at a time",
            &["-X", "-w", "10", "-y", "20", "-n", "3", "-z", "8", "-k", "3"],
            url("/assets/style.css"),
        ),
    ];
    for (what, options, url) in ways {
        let count = SLOW.to_string();
        let mut attacker = Command::new("slowhttptest")
            .args(["-c", &count, "-r", &count, "-l", "120", "-p", "3", "-u", &url])
            .args(options)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("apt-get install slowhttptest");
        eventually(&format!("{what}: they come"), Duration::from_mins(1), || {
            installation.open_files() > before + SLOW / 4
        });
        installation.at_portal("/").send().expect(200);
        eventually(&format!("{what}: the server is rid of them"), Duration::from_mins(2), || {
            installation.open_files() <= before + 10
        });
        installation.at_portal("/").send().expect(200);
        let _ = attacker.kill();
        attacker.wait().expect("an end");
    }
}
