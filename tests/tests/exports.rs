//! Those who follow no feed are told of the same changes, in order, whatever fails on the way.

use serde_json::Value;
use std::time::Duration;
use tegata_tests::stopwatch::eventually;
use tegata_tests::{Installation, Receiver};

#[test]
fn a_receiver_misses_nothing_and_hears_nothing_out_of_order_over_outages_and_kills() {
    let mut installation = Installation::start();
    let mut receiver = Receiver::new(&installation, "siem", None, None);
    installation.reconfigure(|text| text + &receiver.configuration());
    let transmitter = receiver.start()["transmitter"].clone();
    assert_eq!(transmitter["issuer"], installation.issuer);
    assert_eq!(kind(&receiver.hears()), "verification");

    let device = installation.enroll("register-1").device;
    let subject = format!("device:{device}");
    for action in ["suspend", "resume"] {
        installation.tell(&["device", action, &device]);
    }
    for (word, status) in [
        ("session-revoked", None),
        ("device-compliance-change", Some("not-compliant")),
        ("device-compliance-change", Some("compliant")),
    ] {
        let event = receiver.hears();
        assert_eq!(kind(&event), word);
        assert_eq!(event["sub_id"]["device"]["sub"], subject);
        assert_eq!(payload(&event)["current_status"].as_str(), status);
    }

    caught_up(&installation);

    // The receiver is away, then the server is pulled out as well.
    receiver.kill();
    let stopped: Vec<_> =
        (0..4).map(|number| installation.enroll(&format!("lost-{number}")).device).collect();
    for device in &stopped[..2] {
        installation.tell(&["device", "revoke", device]);
    }
    eventually("the outage is noticed", Duration::from_secs(30), || {
        installation.tell(&["receiver", "list"])[0]["failures"].as_u64() > Some(0)
    });
    installation.kill();
    installation.start_again();
    for device in &stopped[2..] {
        installation.tell(&["device", "revoke", device]);
    }
    receiver.start();
    for device in &stopped {
        let event = receiver.hears();
        assert_eq!(kind(&event), "session-revoked", "{event}");
        assert_eq!(event["sub_id"]["device"]["sub"], format!("device:{device}"));
    }
    caught_up(&installation);

    installation.command_without_json(&["receiver", "verify", "siem", "--state", "hello"]).good();
    let event = receiver.hears();
    assert_eq!((kind(&event), &payload(&event)["state"]), ("verification", &Value::from("hello")));
    assert_eq!(installation.command_without_json(&["receiver", "verify", "nobody"]).code, 2);
}

#[test]
fn a_receiver_of_one_tenant_never_hears_of_another_and_one_that_refuses_holds_nobody_up() {
    let mut installation = Installation::start();
    installation.tell(&["tenant", "add", "みどり薬局"]);
    let site = installation.tell(&["site", "add", "駅前店", "--tenant", "みどり薬局"]);
    let site = site["site"].as_str().expect("an id").to_owned();
    let mut all = Receiver::new(&installation, "all", None, Some("credential-change"));
    let mut midori = Receiver::new(&installation, "midori", Some("みどり薬局"), None);
    let away = Receiver::new(&installation, "away", None, None);
    let receivers = [&all, &midori, &away].map(Receiver::configuration).concat();
    all.start();
    midori.start();
    installation.reconfigure(|text| text + &receivers);
    for receiver in [&mut all, &mut midori] {
        assert_eq!(kind(&receiver.hears()), "verification");
    }

    let invited = |site: &str, label: &str| {
        let invitation = installation.tell(&["invite", "--site", site, "--label", label]);
        let url = invitation["url"].as_str().expect("a link");
        tegata_tests::Identity::enroll(&installation, url, label)
    };
    let (ours, theirs) = (invited("本店", "ours"), invited(&site, "theirs"));
    let certificate =
        |identity: &tegata_tests::Identity| identity.folder.join("cert.pem").display().to_string();
    installation.tell(&["certificate", "revoke", &certificate(&ours)]);
    installation.tell(&["device", "revoke", &ours.device]);
    installation.tell(&["device", "revoke", &theirs.device]);

    assert_eq!(all.hears()["refused"], "invalid_request");
    for device in [&ours.device, &theirs.device] {
        assert_eq!(all.hears()["sub_id"]["device"]["sub"], format!("device:{device}"));
    }
    let event = midori.hears();
    assert_eq!(
        event["sub_id"]["device"]["sub"],
        format!("device:{}", theirs.device),
        "the first it hears of"
    );
    assert_eq!(event["sub_id"]["tenant"]["format"], "opaque");

    let rows = installation.tell(&["receiver", "list"]);
    assert_eq!((&rows[0]["id"], &rows[0]["rejections"]), (&"all".into(), &1.into()));
    assert!(
        rows[0]["rejection"].as_str().expect("a reason").contains("credential-change.all: invalid_request")
    );
    assert!(rows[1]["failures"].as_u64() > Some(0), "nobody is there: {}", rows[1]);
    let report = installation.command(&["check"]);
    assert!(report.stdout.contains("receiver-rejecting"), "{}", report.said());
}

/// Until everything the receiver answered for is noted. What it took without having answered would be sent again.
fn caught_up(installation: &Installation) {
    eventually("its place is at the end", Duration::from_secs(10), || {
        let row = installation.tell(&["receiver", "list"])[0].clone();
        row["behind"] == 0 && row["failing_since"].is_null()
    });
}

fn kind(event: &Value) -> &str {
    let events = event["events"].as_object().unwrap_or_else(|| panic!("no event: {event}"));
    assert_eq!(events.len(), 1);
    let uri = events.keys().next().expect("a type");
    uri.rsplit('/').next().expect("its last part")
}

fn payload(event: &Value) -> &Value {
    event["events"].as_object().and_then(|events| events.values().next()).expect("a payload")
}
