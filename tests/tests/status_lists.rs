//! Whoever can neither introspect nor follow a feed reads the status of a token in a list.

use serde_json::{Value, json};
use tegata_tests::tokens::{obtain, payload};
use tegata_tests::{Curl, CurlAnswer, DeviceIdentity, RunningInstallation, clients};

const VALID: u64 = 0;
const INVALID: u64 = 1;
const SUSPENDED: u64 = 2;

#[test]
fn a_reader_sees_each_change_once_it_is_acknowledged_and_after_a_kill() {
    let mut installation = RunningInstallation::start();
    let (device, other) = (installation.enroll("register-1"), of_another_tenant(&installation));
    let tokens = [obtain(&installation, &device), obtain(&installation, &other)];
    let before = read(&installation, &tokens, 0);
    assert_eq!(statuses(&before), [VALID, VALID]);
    assert_eq!(before[0]["uri"], before[1]["uri"], "no list is one tenant's own");
    assert_ne!(before[0]["idx"], before[1]["idx"]);

    for (command, status) in [
        (["device", "suspend"], SUSPENDED),
        (["device", "resume"], VALID),
        (["device", "suspend"], SUSPENDED),
    ] {
        let told = installation.tell(&[command[0], command[1], &device.device]);
        let receipts = told["receipts"].as_array().expect("receipts");
        assert!(receipts.iter().any(|receipt| receipt["surface"] == "status-list"), "{told}");
        assert_eq!(statuses(&read(&installation, &tokens, 0)), [status, VALID]);
    }
    installation.kill();
    installation.start_again();
    let after = read(&installation, &tokens, 0);
    assert_eq!(statuses(&after), [SUSPENDED, VALID]);
    assert_eq!(after[0]["uri"], before[0]["uri"], "the same list after a restart");

    installation.tell(&["device", "resume", &device.device]);
    installation.tell(&["device", "revoke", "--yes", &device.device]);
    assert_eq!(statuses(&read(&installation, &tokens, 0)), [INVALID, VALID]);
    installation.tell(&["tenant", "suspend", "みどり薬局"]);
    assert_eq!(statuses(&read(&installation, &tokens, 0)), [INVALID, SUSPENDED]);
    installation.tell(&["tenant", "resume", "みどり薬局"]);
    assert_eq!(statuses(&read(&installation, &tokens, 0)), [INVALID, VALID]);

    let late = read(&installation, &tokens, 16 * 60);
    assert!(late.iter().all(|told| told["refused"] == "ERR_JWT_EXPIRED"), "{late:?}");
}

#[test]
fn a_signed_out_device_sees_its_old_token_ended_and_the_new_one_valid() {
    let installation = RunningInstallation::start();
    let device = installation.enroll("register-1");
    let old = obtain(&installation, &device);
    installation.tell(&["device", "revoke-tokens", &device.device]);
    let new = obtain(&installation, &device);
    assert_eq!(statuses(&read(&installation, &[old, new], 0)), [INVALID, VALID]);
}

#[test]
fn a_list_is_served_as_caches_browsers_and_the_draft_expect_it() {
    let installation = RunningInstallation::start();
    let device = installation.enroll("register-1");
    let token = payload(&obtain(&installation, &device));
    let uri = token["status"]["status_list"]["uri"].as_str().expect("an address").to_owned();
    assert!(uri.starts_with(&format!("{}/status/", installation.public)), "{uri}");

    let list = Curl::to(&uri).header("accept", "application/statuslist+jwt").send().expect(200);
    assert_eq!(list.header("content-type"), "application/statuslist+jwt");
    assert_eq!(list.header("access-control-allow-origin"), "*");
    assert_eq!(list.header("cache-control"), "public, max-age=10, must-revalidate");
    assert_eq!(payload(&list.text())["sub"], *uri);
    let again = Curl::to(&uri).header("if-none-match", list.header("etag")).send();
    assert_eq!((again.status, again.body.len()), (304, 0));
    let packed = Curl::to(&uri).header("accept-encoding", "gzip").send().expect(200);
    assert_eq!(packed.header("content-encoding"), "gzip");
    assert_ne!(packed.header("etag"), list.header("etag"));
    assert_eq!(Curl::to(&uri).flag("--compressed").send().expect(200).body, list.body);

    let problem = |answer: CurlAnswer, status: u16| answer.expect(status).problem();
    assert_eq!(problem(Curl::to(&format!("{uri}?time=1686925000")).send(), 501), "L-01");
    assert_eq!(problem(Curl::to(&uri).header("accept", "application/statuslist+cwt").send(), 406), "L-02");
    assert_eq!(problem(Curl::to(&format!("{}/status/nothing", installation.public)).send(), 404), "R-03");
    let preflight = Curl::to(&uri)
        .method("OPTIONS")
        .header("origin", "https://elsewhere.example")
        .header("access-control-request-method", "GET")
        .send()
        .expect(204);
    assert_eq!(preflight.header("access-control-allow-methods"), "GET, HEAD");
}

/// What the reader is told of each token.
fn read(installation: &RunningInstallation, tokens: &[String], ahead: u64) -> Vec<Value> {
    let argument = json!({
        "tokens": tokens, "ca": installation.tls_ca, "issuer": installation.issuer, "ahead": ahead,
    });
    clients::run("status-reader.mjs", &argument).as_array().expect("a list").clone()
}

fn statuses(told: &[Value]) -> Vec<u64> {
    told.iter().map(|one| one["status"].as_u64().unwrap_or_else(|| panic!("no status: {one}"))).collect()
}

fn of_another_tenant(installation: &RunningInstallation) -> DeviceIdentity {
    installation.tell(&["tenant", "add", "みどり薬局"]);
    let site = installation.tell(&["site", "add", "駅前店", "--tenant", "みどり薬局"]);
    let site = site["site"].as_str().expect("an id");
    let invitation = installation.tell(&["invite", "--site", site, "--label", "theirs"]);
    DeviceIdentity::enroll(installation, invitation["url"].as_str().expect("a link"), "theirs")
}
