//! Those who follow no feed are told of the same changes, in order, whatever fails on the way.

use serde_json::{Value, json};
use std::time::Duration;
use tegata_tests::stopwatch::eventually;
use tegata_tests::{Poller, Receiver, RunningInstallation};

#[test]
fn a_receiver_gets_all_events_in_order_over_outages_and_kills() {
    let mut installation = RunningInstallation::start();
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
        installation.tell(&["device", "revoke", "--yes", device]);
    }
    eventually("the outage is noticed", Duration::from_secs(30), || {
        installation.listed(&["receiver", "list"])[0]["failures"].as_u64() > Some(0)
    });
    installation.kill();
    installation.start_again();
    for device in &stopped[2..] {
        installation.tell(&["device", "revoke", "--yes", device]);
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
fn a_receiver_hears_of_its_tenant_alone_and_a_refusing_one_delays_nobody() {
    let mut installation = RunningInstallation::start();
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
        tegata_tests::DeviceIdentity::enroll(&installation, url, label)
    };
    let (ours, theirs) = (invited("本店", "ours"), invited(&site, "theirs"));
    let certificate =
        |identity: &tegata_tests::DeviceIdentity| identity.folder.join("cert.pem").display().to_string();
    installation.tell(&["certificate", "revoke", "--yes", &certificate(&ours)]);
    installation.tell(&["device", "revoke", "--yes", &ours.device]);
    installation.tell(&["device", "revoke", "--yes", &theirs.device]);

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

    let rows = installation.listed(&["receiver", "list"]);
    assert_eq!((&rows[0]["id"], &rows[0]["rejections"]), (&"all".into(), &1.into()));
    assert!(
        rows[0]["rejection"].as_str().expect("a reason").contains("credential-change.all: invalid_request")
    );
    assert!(rows[1]["failures"].as_u64() > Some(0), "nobody is there: {}", rows[1]);
    let report = installation.command(&["check"]);
    assert!(report.stdout.contains("receiver-rejecting"), "{}", report.said());
}

/// Until everything the receiver answered for is noted. What it took without having answered would be sent again.
fn caught_up(installation: &RunningInstallation) {
    eventually("its place is at the end", Duration::from_secs(10), || {
        let row = installation.listed(&["receiver", "list"])[0].clone();
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

/// A receiver that asks is told everything, in order, whatever becomes of the server, of its own process, or of who of
/// two asks.
#[test]
fn a_polling_receiver_misses_nothing_over_kills_and_repeats_nothing() {
    let mut installation = RunningInstallation::start();
    let mut poller = Poller::new(&installation, "siem", None);
    installation.reconfigure(|text| text + &poller.configuration("issuance = true"));
    let found = poller.start(1);
    let stream = &found["configuration"];
    assert_eq!((&stream["stream_id"], &stream["iss"]), (&"siem".into(), &installation.issuer.clone().into()));
    assert_eq!(stream["delivery"]["method"], "urn:ietf:rfc:8936");
    assert_eq!(kind(&poller.hears()), "verification");

    let device = installation.enroll("register-1");
    let first = poller.hears();
    assert_eq!((kind(&first), &payload(&first)["change_type"]), ("credential-change", &"create".into()));
    installation.tell(&["device", "suspend", &device.device]);
    for word in ["session-revoked", "device-compliance-change"] {
        let event = poller.hears();
        assert_eq!(
            (kind(&event), event["sub_id"]["device"]["sub"].as_str()),
            (word, Some(&*format!("device:{}", device.device)))
        );
    }
    installation.tell(&["device", "resume", &device.device]);
    assert_eq!(payload(&poller.hears())["current_status"], "compliant");
    let device = device.renew(&installation);
    let renewed = poller.hears();
    assert_eq!((kind(&renewed), &payload(&renewed)["change_type"]), ("credential-change", &"update".into()));

    // The server is pulled out while two processes of the receiver wait; then one of them is.
    let tell = |installation: &RunningInstallation, verb: &str| {
        // A server that has just begun is given time to write its first receipts.
        let consent: &[&str] = if verb == "revoke" { &["--yes"] } else { &[] };
        let patient = ["device", verb, &device.device, "--wait-ms", "60000"];
        installation.tell(&[&patient[..], consent].concat());
    };
    let mut second = poller.twin();
    second.start(2);
    installation.kill();
    installation.start_again();
    tell(&installation, "suspend");
    tell(&installation, "resume");
    poller.kill();
    tell(&installation, "revoke");
    let mut words = Vec::new();
    while words.last().is_none_or(|(seq, _): &(u64, String)| *seq < 5) {
        let event = second.hears();
        assert!(event["wrong"].is_null(), "{event}");
        if let Some(number) = event["txn"].as_str().and_then(|txn| txn.strip_prefix("feed.")) {
            words.push((number.parse().expect("a number"), kind(&event).to_owned()));
        }
    }
    assert!(words.is_sorted_by_key(|(seq, _)| *seq), "{words:?}");
    assert_eq!(
        words.last().map(|(_, word)| word.as_str()),
        Some("session-revoked"),
        "the revocation is the last"
    );
    caught_up(&installation);

    // Whoever never acknowledges hears of it again, from its next process too, and from a server that was killed.
    second.kill();
    let stolen = installation.enroll("register-2").device;
    installation.tell(&["device", "revoke", "--yes", &stolen]);
    for _ in 0..2 {
        poller.start_forgetful();
        let told = [poller.hears(), poller.hears()];
        assert_eq!(told.each_ref().map(kind), ["credential-change", "session-revoked"]);
        poller.kill();
        installation.kill();
        installation.start_again();
    }
}

#[test]
fn a_receiver_pauses_its_own_stream_and_the_operator_has_the_last_word() {
    let mut installation = RunningInstallation::start();
    installation.tell(&["tenant", "add", "みどり薬局"]);
    let (mut siem, mut midori) =
        (Poller::new(&installation, "siem", None), Poller::new(&installation, "midori", Some("みどり薬局")));
    let both = [siem.configuration(""), midori.configuration("")].concat();
    installation.reconfigure(|text| text + &both);
    let transmitter = siem.start(0)["transmitter"].clone();
    assert_eq!(kind(&siem.hears()), "verification");
    midori.start(0);
    assert_eq!(kind(&midori.hears()), "verification");
    let (status, verification) =
        (text(&transmitter["status_endpoint"]), text(&transmitter["verification_endpoint"]));
    let set = |word: &str| ("POST", status.clone(), Some(json!({"stream_id": "siem", "status": word})));
    let paused = siem.asks(&[set("paused"), ("GET", format!("{status}?stream_id=siem"), None)]);
    assert_eq!(paused, [(200, json!({"stream_id": "siem", "status": "paused"})), paused[0].clone()]);

    let device = installation.enroll("register-1").device;
    installation.tell(&["device", "revoke", "--yes", &device]);
    let ask = json!({"stream_id": "siem", "state": "as you were"});
    assert_eq!(siem.asks(&[("POST", verification.clone(), Some(ask))])[0], (204, Value::Null));
    assert_eq!(payload(&siem.hears())["state"], "as you were", "a paused stream is silent but for this");
    let row = installation.listed(&["receiver", "list"])[1].clone();
    assert_eq!((&row["status"], &row["behind"]), (&"paused".into(), &1.into()));
    assert_eq!(siem.asks(&[set("enabled")])[0].0, 200);
    assert_eq!(kind(&siem.hears()), "session-revoked", "what was held");

    installation.command_without_json(&["receiver", "pause", "siem", "--reason", "保守"]).good();
    let told = siem.hears();
    assert_eq!(
        (kind(&told), payload(&told)),
        ("stream-updated", &json!({"status": "paused", "reason": "保守"}))
    );
    let answers = siem.asks(&[
        set("enabled"),
        ("DELETE", format!("{}?stream_id=siem", text(&transmitter["configuration_endpoint"])), None),
    ]);
    assert_eq!(
        answers.iter().map(|(status, said)| (*status, text(&said["code"]))).collect::<Vec<_>>(),
        [(403, "V-02".into()), (403, "V-03".into())]
    );
    installation.command_without_json(&["receiver", "resume", "siem"]).good();
    assert_eq!(payload(&siem.hears())["status"], "enabled");
    assert_eq!(installation.command_without_json(&["receiver", "pause", "nobody"]).code, 2);

    // Another tenant's receiver heard none of it, and cannot speak for this one.
    let mine = format!("{status}?stream_id=siem");
    assert_eq!(
        midori
            .asks(&[
                ("GET", mine.clone(), None),
                ("POST", format!("{}/ssf/poll/siem", installation.device), Some(json!({})))
            ])
            .iter()
            .map(|(status, _)| *status)
            .collect::<Vec<_>>(),
        [404, 404]
    );
    installation.command_without_json(&["receiver", "verify", "midori", "--state", "end"]).good();
    let next = midori.hears();
    assert_eq!(
        (kind(&next), &payload(&next)["state"]),
        ("verification", &"end".into()),
        "the first it hears since"
    );
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}
