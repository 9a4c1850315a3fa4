//! Head office invites many, moves a device, and hears of a certificate in two machines.

use crate::STORE;
use serde_json::{Value, json};
use tegata_tests::account::between;
use tegata_tests::installation::text_of;
use tegata_tests::{CurlAnswer, DeviceIdentity, PersonSession, RunningInstallation, csr, tokens};

/// What becomes of the link of an invitation.
fn open(installation: &RunningInstallation, link: &str) -> CurlAnswer {
    let code = link.split('#').next_back().expect("a code");
    installation.at_portal("/api/v1/invitations/open").json(&json!({"code": code})).send()
}

fn get(installation: &RunningInstallation, by: &PersonSession, path: &str) -> Value {
    by.at(installation, path).send().expect(200).json()
}

/// Looked through first; whoever presses twice invites once; each is seen on its way.
pub(crate) fn of_a_list_all_are_invited_or_none(
    installation: &RunningInstallation,
    [admin, manager, staff]: [&PersonSession; 3],
) {
    let post =
        |by: &PersonSession, body: &Value| by.post(installation, "/api/v1/invitation-batches", &[], body);
    let lines = |other: &str| json!([{"site": STORE, "label": "レジ1"}, {"site": other, "label": "レジ2"}]);
    let list =
        |other: &str, dry: bool| json!({"name": "春の入れ替え", "dry_run": dry, "lines": lines(other)});
    assert_eq!(post(staff, &list(STORE, true)).problem(), "U-20");
    for (other, dry) in [("無い店", false), (STORE, true)] {
        let looked = post(admin, &list(other, dry)).expect(200).json();
        assert_eq!((&looked["batch"], &looked["invitations"]), (&Value::Null, &json!([])), "{looked}");
        let code = if other == STORE { Value::Null } else { json!("I-28") };
        assert_eq!((&looked["lines"][0]["refused"], &looked["lines"][1]["refused"]), (&Value::Null, &code));
    }
    let elsewhere = post(manager, &list("駅前店", false)).expect(200).json();
    assert_eq!(elsewhere["lines"][1]["refused"], "I-28", "a site manager invites to the own site");
    assert_eq!(get(installation, admin, "/api/v1/invitation-batches"), json!([]), "nobody was invited");

    let asked = |more: &[(&str, &str)]| {
        let text = format!("{STORE}\tレジ1\r\n{STORE}\tレジ2\r\n{STORE}\tレジ3");
        let fields = [&[("name", "春の入れ替え"), ("list", text.as_str())], more].concat();
        admin.send(installation, "/console/invitation-lists", &fields).expect(200).text()
    };
    let looked = asked(&[]);
    assert!(
        looked.contains("id=\"all-good\"") && looked.contains("まだ、だれも招待していません"),
        "{looked}"
    );
    let batch = between(&looked, "name=\"batch\" value=\"", "\"").to_owned();
    let sent = asked(&[("send", "true"), ("batch", &batch)]);
    let links: Vec<_> = sent.split("<code>").skip(1).filter_map(|rest| rest.split('<').next()).collect();
    assert_eq!((links.len(), sent.matches("class=\"invitation-sheet\"").count()), (3, 3), "a sheet for each");
    let twice = [("name", "春の入れ替え"), ("list", STORE), ("send", "true"), ("batch", &batch)];
    let text = format!("{STORE},レジ1");
    let twice = twice.map(|(name, value)| if name == "list" { (name, text.as_str()) } else { (name, value) });
    let again = admin.send(installation, "/console/invitation-lists", &twice).expect(303);
    assert!(again.header("location").contains(&batch), "whoever presses twice sees what came of it");

    let place = format!("/api/v1/invitation-batches/{batch}");
    let progress = || get(installation, manager, &place)["progress"].clone();
    let count = |waiting: u32, fetched: u32, enrolled: u32, withdrawn: u32| {
        json!({"waiting": waiting, "awaits_approval": 0, "fetched": fetched, "enrolled": enrolled, "expired": 0,
            "withdrawn": withdrawn})
    };
    assert_eq!(progress(), count(3, 0, 0, 0));
    let device = DeviceIdentity::enroll(installation, links[0], "till");
    let _ = installation.at_device("/probe").as_device(&device).send().expect(200);
    assert_eq!(progress(), count(2, 0, 1, 0));
    let renewed = admin.post(installation, &format!("{place}/renew"), &[], &json!({})).expect(201).json();
    assert_eq!(renewed.as_array().map(Vec::len), Some(2), "{renewed}");
    assert_eq!(open(installation, links[1]).problem(), "I-04", "the former link is of no use");
    let fresh = text_of(&renewed[0], "url");
    open(installation, &fresh).expect(200);
    assert_eq!(progress(), count(2, 0, 1, 0), "the new ones stand where the former stood");
    let page =
        admin.at(installation, &format!("/console/invitation-lists/{batch}")).send().expect(200).text();
    assert!(page.contains("使用開始") && page.contains("新しいリンクで印刷する"), "{page}");
    let withdrawn = admin.at(installation, &format!("{place}/withdraw")).method("POST");
    let withdrawn = withdrawn.header("x-csrf-token", &admin.form_token).send().expect(200).json();
    assert_eq!((&withdrawn["withdrawn"], progress()), (&json!(2), count(0, 0, 1, 2)));
    assert_eq!(open(installation, &fresh).problem(), "I-04");
    one_is_sent_again_with_a_code_to_type(installation, manager);
}

fn one_is_sent_again_with_a_code_to_type(installation: &RunningInstallation, manager: &PersonSession) {
    let sites = get(installation, manager, "/api/v1/sites");
    let site = text_of(&sites[0], "site");
    let invited = manager.post(
        installation,
        &format!("/api/v1/sites/{site}/invitations"),
        &[],
        &json!({"label": "窓口2", "short_code": true}),
    );
    let invited = invited.expect(201).json();
    let typed = text_of(&invited, "short_code");
    open(installation, &typed).expect(200);
    let again = format!("/console/invitations/{}/renew", text_of(&invited, "invitation"));
    let page = manager.send(installation, &again, &[("code", "true")]).expect(200).text();
    assert!(page.contains("id=\"short-code\"") && page.contains("id=\"print\""), "{page}");
    assert_eq!(open(installation, &text_of(&invited, "url")).problem(), "I-04");
    open(installation, between(&page, "readonly value=\"", "\"")).expect(200);
    assert!(manager.send(installation, &again, &[]).text().contains("I-04"), "once");
}

/// One code for many devices in a window, ended by hand.
pub(crate) fn a_kitting_code_is_made_watched_and_ended(
    installation: &RunningInstallation,
    [admin, staff]: [&PersonSession; 2],
) {
    let sites = get(installation, admin, "/api/v1/sites");
    let store = sites.as_array().and_then(|all| all.iter().find(|site| site["name"] == STORE));
    let store = text_of(store.expect("the site"), "site");
    let form = [("site", &*store), ("label", "棚卸"), ("devices", "2"), ("hours", "8")];
    let refused = staff.send(installation, "/console/kitting", &form);
    assert!(refused.status == 403 && refused.text().contains("U-20"));
    let page = admin.send(installation, "/console/kitting", &form).expect(200).text();
    let link = between(&page, "readonly value=\"", "\"").to_owned();
    let code = link.split('#').next_back().expect("a code");
    let enroll = |label: &str| {
        let body = json!({"code": code, "csr": csr::honest(), "label": label});
        installation.at_portal("/api/v1/kitting/enrollments").json(&body).send()
    };
    assert_eq!(enroll("棚卸A").expect(201).json()["taken"], 1);
    let known = get(installation, admin, "/api/v1/kittings");
    assert_eq!((&known[0]["state"], &known[0]["label"]), (&json!("open"), &json!("棚卸-{n}")), "{known}");
    let kitting = text_of(&known[0], "kitting");
    let shown = get(installation, admin, &format!("/api/v1/kittings/{kitting}"));
    assert_eq!(
        (&shown["places"][0]["label"], &shown["places"][0]["in_use"]),
        (&json!("棚卸A"), &json!(false))
    );
    let page = admin.at(installation, &format!("/console/kitting/{kitting}")).send().expect(200).text();
    assert!(page.contains("棚卸A") && page.contains("1 / 2"), "{page}");
    admin.send(installation, &format!("/console/kitting/{kitting}/end"), &[]).expect(303);
    assert_eq!(enroll("棚卸B").problem(), "I-04");
    assert!(
        admin.send(installation, &format!("/console/kitting/{kitting}/end"), &[]).text().contains("I-04")
    );
    let told = admin.at(installation, "/console/trail").send().expect(200).text();
    for said in ["まとめて端末を招待しました", "まとめて設定するコードを終了しました"]
    {
        assert!(told.contains(said), "{said}: {told}");
    }
}

/// To another site and back: the certificate stays, tokens and people do not.
pub(crate) fn a_device_moves_to_another_site(
    installation: &RunningInstallation,
    lost: &DeviceIdentity,
    [admin, manager]: [&PersonSession; 2],
) {
    let sites = get(installation, admin, "/api/v1/sites");
    let site = |name: &str| {
        let found = sites.as_array().and_then(|all| all.iter().find(|site| site["name"] == name));
        text_of(found.expect("the site"), "site")
    };
    let place = format!("/api/v1/devices/{}", lost.device);
    let go = |by: &PersonSession, to: &str, headers: &[(&str, &str)]| {
        by.post(installation, &format!("{place}/move"), headers, &json!({"site": to, "note": "入れ替え"}))
    };
    assert_eq!(go(manager, &site("駅前店"), &[]).problem(), "I-28", "a site that a manager does not see");
    assert_eq!(go(admin, &site(STORE), &[]).problem(), "D-11", "it is there already");
    assert_eq!(go(admin, &site("駅前店"), &[("if-match", "\"never\"")]).problem(), "D-12");
    let token = tokens::obtain(installation, lost);
    let introspect = |token: &str| tokens::introspect(installation, lost, token).json()["active"].clone();
    assert_eq!(introspect(&token), true);
    let event = go(admin, &site("駅前店"), &[]).expect(200).json()["event"].as_u64().expect("an event");
    assert_eq!(introspect(&token), false, "tokens name the site that it leaves");
    installation.at_device("/probe").as_device(lost).send().expect(200);
    assert_eq!(manager.at(installation, &place).send().problem(), "D-10", "it is another manager's now");
    let shown = get(installation, admin, &place);
    assert_eq!(shown["site_name"], "駅前店");
    let page = admin.at(installation, &format!("/console/changes/{event}")).send().expect(200).text();
    assert!(page.contains("別の店舗へ移しました") && page.contains("入れ替え"), "{page}");
    let form = [("site", site(STORE)), ("note", String::new())];
    let form = form.each_ref().map(|(name, value)| (*name, value.as_str()));
    let moved = admin.send(installation, &format!("/console/devices/{}/move", lost.device), &form);
    moved.expect(303);
    let page =
        manager.at(installation, &format!("/console/devices/{}", lost.device)).send().expect(200).text();
    assert!(page.contains("「駅前店」から「本店」へ移しました"), "{page}");
}

/// One certificate from two addresses by turns; whoever goes from one to the other raises nothing.
pub(crate) fn a_copied_certificate_is_noticed(
    installation: &RunningInstallation,
    [lost, roaming]: [&DeviceIdentity; 2],
    [admin, manager]: [&PersonSession; 2],
) {
    let used = |device: &DeviceIdentity, address: &str| {
        let asked = installation.at_device("/probe").as_device(device).option("--interface", address);
        asked.send().expect(200);
    };
    let alarms = || get(installation, admin, "/api/v1/copy-alarms");
    for address in ["127.0.0.1", "127.0.0.1", "127.0.0.2", "127.0.0.2", "127.0.0.3", "127.0.0.2"] {
        used(roaming, address);
    }
    assert_eq!(alarms(), json!([]), "whoever moves is one machine");
    for _ in 0..3 {
        used(lost, "127.0.0.2");
        used(lost, "127.0.0.3");
    }
    let known = alarms();
    assert_eq!(
        (known.as_array().map(Vec::len), &known[0]["device"]),
        (Some(1), &json!(lost.device)),
        "{known}"
    );
    let place = format!("/console/devices/{}", lost.device);
    let page = manager.at(installation, &place).send().expect(200).text();
    assert!(page.contains("id=\"copy-alarm\"") && page.contains("127.0.0.3"), "{page}");
    let copied = get(installation, admin, "/api/v1/devices?copied=true");
    assert_eq!(copied["devices"].as_array().map(Vec::len), Some(1), "{copied}");
    let home = admin.at(installation, "/console").send().expect(200).text();
    assert!(home.contains("id=\"waits\"") && home.contains(&*lost.device), "{home}");
    let path = format!("/api/v1/devices/{}/copy-alarm/dismiss", lost.device);
    let dismiss =
        |by: &PersonSession, reason: &str| by.post(installation, &path, &[], &json!({"reason": reason}));
    assert_eq!(dismiss(manager, "回線が2本").problem(), "U-20");
    assert_eq!(dismiss(admin, "  ").problem(), "R-01");
    dismiss(admin, "回線が2本").expect(204);
    assert_eq!(dismiss(admin, "回線が2本").problem(), "D-31");
    for _ in 0..3 {
        used(lost, "127.0.0.2");
        used(lost, "127.0.0.3");
    }
    assert_eq!(alarms(), json!([]), "the same two machines are known");
    let page = manager.at(installation, &place).send().expect(200).text();
    assert!(!page.contains("id=\"copy-alarm\"") && page.contains("回線が2本"), "{page}");
    assert!(!installation.log().contains("回線が2本"));
}
