//! How the installation does, for operators and auditors, and pictures of what somebody may see.

use serde_json::{Value, json};
use std::time::Duration;
use tegata_tests::stopwatch::eventually;
use tegata_tests::{DeviceIdentity, PersonSession, RunningInstallation};

/// The page, the API and the command say one thing; nobody else sees it.
pub(crate) fn is_seen_by_the_vendor_alone(
    installation: &RunningInstallation,
    auditor: &PersonSession,
    others: [&PersonSession; 2],
) {
    for other in others {
        assert_eq!(other.at(installation, "/api/v1/health").send().problem(), "U-20");
        let page = other.at(installation, "/console/health").header("accept", "text/html").send();
        assert!(page.status == 403 && page.text().contains("U-20"), "{}", page.text());
        let home = other.at(installation, "/console").send().expect(200).text();
        assert!(!home.contains("/console/health"), "no link to what is not theirs: {home}");
    }
    // The first check comes soon after the start.
    let asked = || auditor.at(installation, "/api/v1/health").send().expect(200).json();
    eventually("a check was done", Duration::from_mins(1), || !asked()["check"].is_null());
    let report = asked();
    assert_eq!((&report["ok"], &report["troubles"]), (&json!(true), &json!([])), "{report}");
    assert_eq!((&report["check"]["ok"], &report["ledger"]["engine"]), (&json!(true), &json!("SQLite")));
    let told = installation.command(&["health"]).good().json();
    let facts = |report: &Value| {
        let names = |part: &str, name: &str| -> Vec<Value> {
            let rows = report[part].as_array().unwrap_or_else(|| panic!("no {part} in {report}"));
            rows.iter().map(|row| row[name].clone()).collect()
        };
        (names("passes", "name"), names("cas", "ca"), names("servers", "server"), report["counts"].clone())
    };
    assert_eq!(facts(&told), facts(&report), "the command says what the page says");
    assert!(facts(&report).0.contains(&json!("check")) && facts(&report).1.len() == 2, "{report}");
    let page = auditor.at(installation, "/console/health").send().expect(200).text();
    for said in ["すべて正常です", "誤りはありません", "定期の処理", "認証局と失効リスト", "SQLite"]
    {
        assert!(page.contains(said), "{said}: {page}");
    }
    assert!(
        !page.contains("<button") && !page.contains("method=\"post\""),
        "an auditor does nothing here: {page}"
    );
}

/// The page, the API and `tegata digest` count one work; each reader sees of it what they may do something about.
pub(crate) fn says_what_there_is_to_do_today(
    installation: &RunningInstallation,
    auditor: &PersonSession,
    [admin, staff]: [&PersonSession; 2],
) {
    let invited = installation.tell(&["invite", "--site", "本店", "--days", "1"]);
    let counted = |items: &Value, code: &str| -> u64 {
        let items = items["items"].as_array().expect("items").iter();
        items.filter(|item| item["code"] == code).filter_map(|item| item["count"].as_u64()).sum()
    };
    let day = |by: &PersonSession| by.at(installation, "/api/v1/today").send().expect(200).json();
    let (own, command) = (day(admin), installation.tell(&["digest"]));
    assert!(counted(&own, "invitations") >= 1 && own["work"] == true, "{own}");
    assert_eq!(counted(&own, "invitations"), counted(&command, "invitations"), "{own} {command}");
    assert_eq!(own["day"], command["day"]);
    for (other, who) in [(staff, "staff invite nobody"), (auditor, "an auditor does nothing")] {
        assert_eq!(counted(&day(other), "invitations"), 0, "{who}");
    }
    let page = admin.at(installation, "/console/today").send().expect(200).text();
    assert!(page.contains("今日は運用対応があります") && page.contains("/console/invitations"), "{page}");
    let page = staff.at(installation, "/console/today").send().expect(200).text();
    assert!(!page.contains("data-code=\"invitations\""), "{page}");
    installation.tell(&["invite", "revoke", invited["invitation"].as_str().expect("an identifier")]);
}

/// What is drawn is what the table says, and what the API gives.
pub(crate) fn is_drawn_with_the_table_behind_it(
    installation: &RunningInstallation,
    [auditor, admin]: [&PersonSession; 2],
    device: &DeviceIdentity,
) {
    let stopped = format!("/api/v1/devices/{}/suspend", device.device);
    let event = admin.post(installation, &stopped, &[], &json!({})).expect(200).json()["event"].clone();
    let refused = installation.at_device("/probe").as_device(device).send();
    assert_eq!(refused.problem(), "C-07");
    let change = format!("/api/v1/changes/{event}");
    let over = || admin.at(installation, &change).send().expect(200).json()["is_over"] == true;
    eventually("everybody has confirmed it", Duration::from_secs(20), over);
    let asked = |by: &PersonSession| by.at(installation, "/api/v1/figures").send().expect(200).json();
    let (all, own) = (asked(auditor), asked(admin));
    let count = |figures: &Value, state: &str| -> u64 {
        let devices = figures["devices"].as_array().expect("devices").iter();
        devices.filter(|one| one["state"] == state).filter_map(|one| one["devices"].as_u64()).sum()
    };
    assert!(count(&own, "active") >= 1 && count(&own, "suspended") >= 1, "{own}");
    assert_eq!(own["renewals"]["weeks"].as_array().map(Vec::len), Some(13));
    assert!(own["refusals"].is_null(), "refusals are the whole installation's: {own}");
    let refusals = all["refusals"].as_array().expect("refusals");
    let of_device: u64 = refusals
        .iter()
        .filter(|hour| hour["code"] == "C-07")
        .filter_map(|hour| hour["refused"].as_u64())
        .sum();
    assert!(of_device >= 1, "{all}");
    let surfaces: Vec<_> =
        own["receipts"].as_array().expect("receipts").iter().map(|one| &one["surface"]).collect();
    assert!(surfaces.contains(&&json!("ocsp")) && surfaces.contains(&&json!("crl")), "{own}");
    let page = auditor.at(installation, "/console/figures?lang=en").send().expect(200).text();
    for said in ["<svg xmlns", "id=\"refusals-title\"", "C-07 ", "<details>", "Suspended", "url(#fleet-1)"] {
        assert!(page.contains(said), "{said}: {page}");
    }
    admin
        .post(installation, &format!("/api/v1/devices/{}/resume", device.device), &[], &json!({}))
        .expect(200);
}
