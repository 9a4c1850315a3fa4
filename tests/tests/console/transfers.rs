//! A shop that goes to another company, as its people plan, look at and approve it in the console.

use serde_json::{Value, json};
use std::time::Duration;
use tegata_tests::account::between;
use tegata_tests::installation::text_of;
use tegata_tests::stopwatch::eventually;
use tegata_tests::{Account, Browser, CurlAnswer, DeviceIdentity, PersonSession, RunningInstallation, run};

/// The company that receives, and a lead of the vendor's support.
struct Others {
    tenant: String,
    boss: PersonSession,
    lead: PersonSession,
}

impl Others {
    fn found(installation: &RunningInstallation, desk: &DeviceIdentity, vendor: &str) -> Self {
        let tenant = text_of(&installation.tell(&["tenant", "add", "みどり薬局"]), "tenant");
        installation.tell(&["site", "add", "みどり本店", "--tenant", &tenant]);
        let invited = installation.tell(&[
            "invite",
            "--label",
            "みどりPC",
            "--tenant",
            &tenant,
            "--site",
            "みどり本店",
        ]);
        let device = DeviceIdentity::enroll(installation, &text_of(&invited, "url"), "midori");
        let options = ["--tenant", &tenant, "--role", "tenant-admin", "--site", "みどり本店"];
        let boss =
            Account::add(installation, "midori-boss", "緑 太郎", &options).sign_in(installation, &device);
        let options = ["--tenant", vendor, "--role", "support-lead", "--site", "本店"];
        let lead = Account::add(installation, "lead", "責任 者子", &options).sign_in(installation, desk);
        Self { tenant, boss, lead }
    }
}

/// What is planned, and as whom.
struct Planned<'a> {
    installation: &'a RunningInstallation,
    transfer: String,
}

impl Planned<'_> {
    fn path(&self, part: &str) -> String {
        format!("/transfers/{}{part}", self.transfer)
    }

    fn page(&self, by: &PersonSession, part: &str) -> CurlAnswer {
        let path = format!("/console{}?lang=ja", self.path(part));
        by.at(self.installation, &path).header("accept", "text/html").send()
    }

    fn shown(&self, by: &PersonSession) -> Value {
        by.at(self.installation, &format!("/api/v1{}", self.path(""))).send().expect(200).json()
    }

    fn post(&self, by: &PersonSession, part: &str, body: &Value) -> CurlAnswer {
        by.post(self.installation, &format!("/api/v1{}", self.path(part)), &[], body)
    }

    fn hash(&self, by: &PersonSession) -> String {
        text_of(&self.shown(by), "plan")
    }
}

fn in_seconds(seconds: u32) -> String {
    run("date", &["-u", "-d", &format!("+{seconds} seconds"), "+%Y-%m-%dT%H:%M:%SZ"]).trim().to_owned()
}

/// One administrator plans, another approves, the other company and support as well; each sees its own.
pub(crate) fn are_planned_approved_and_reported(
    installation: &RunningInstallation,
    desk: &DeviceIdentity,
    [admin, second, manager]: [&PersonSession; 3],
) {
    let source = text_of(&installation.tell(&["tenant", "list"])[0], "tenant");
    installation.tell(&["policy", "set", "--approval", "no", "--tenant", &source]);
    let others = Others::found(installation, desk, &source);
    let site = text_of(&installation.tell(&["site", "add", "橋本店", "--tenant", &source]), "site");
    let invited =
        installation.tell(&["invite", "--label", "橋本PC", "--tenant", &source, "--site", "橋本店"]);
    let moving = DeviceIdentity::enroll(installation, &text_of(&invited, "url"), "ekimae");
    let options = ["--tenant", &source, "--role", "staff", "--site", "橋本店"];
    let _ = Account::add(installation, "ekimae-staff", "橋本 花子", &options);
    declined(installation, &others, [admin, second, manager], &site);

    let wish = json!({
        "target": others.tenant, "sites": [site], "at": in_seconds(5), "move_devices": true, "move_people": true,
    });
    let planned = admin.post(installation, "/api/v1/transfers", &[], &wish).expect(201).json();
    let planned = Planned { installation, transfer: text_of(&planned, "transfer") };
    approved(&planned, &others, [admin, second], (&site, &moving));

    eventually("it happens by itself", Duration::from_mins(1), || planned.shown(admin)["state"] == "done");
    let probe = installation.at_device("/probe").as_device(&moving).send();
    assert_eq!(probe.problem(), "C-06", "it is the other company's from that minute on");
    let report = |by: &PersonSession| {
        by.at(installation, &format!("/api/v1{}", planned.path("/report"))).send().expect(200).json()
    };
    let (giving, receiving) = (report(second), report(&others.boss));
    assert_eq!(giving["devices"][0]["device"], json!(moving.device));
    assert!(giving["devices"][0]["successor"].is_null(), "what it is now is the other's: {giving}");
    let successor = text_of(&receiving["devices"][0], "successor");
    assert!(!receiving.to_string().contains(&moving.device) && !receiving.to_string().contains(&site));
    let seen =
        others.boss.at(installation, &format!("/api/v1/devices/{successor}")).send().expect(200).json();
    assert_eq!(seen["label"], "橋本PC");
    let told = installation.command_without_json(&["transfer", "report", &planned.transfer]).good().stdout;
    let page = planned.page(&others.lead, "/report").expect(200).text();
    let counts = |text: &str| text.contains("移った端末: 1") && text.contains("移った人: 1");
    assert!(counts(&told) && counts(&page), "the command and the page say one thing: {told} {page}");
    let back = [("at", "2099-04-01T03:00")];
    let reverse = format!("/console{}", planned.path("/reverse"));
    let refused = second.send(installation, &reverse, &back);
    assert!(refused.text().contains("U-20"), "it is not theirs any more: {}", refused.text());
    let way_back = others.boss.send(installation, &reverse, &back).expect(303).header("location").to_owned();
    let shown = others.boss.at(installation, &way_back).send().expect(200).text();
    assert!(shown.contains("みどり薬局 →"), "{shown}");
}

/// A plan of the page, which the other company wants nothing of.
fn declined(
    installation: &RunningInstallation,
    others: &Others,
    [admin, second, manager]: [&PersonSession; 3],
    site: &str,
) {
    let page = others.boss.at(installation, "/console/transfers?lang=ja").send().expect(200).text();
    let code = between(&page, "id=\"own-code\">", "<").to_owned();
    let fields = [("target", &*code), ("at", "2099-04-01T03:00"), (site, "move"), ("devices", "all")];
    let plan =
        |by: &PersonSession, fields: &[(&str, &str)]| by.send(installation, "/console/transfers", fields);
    assert!(plan(manager, &fields).text().contains("U-20"), "head office plans");
    let unfit = plan(admin, &[("target", "みどり薬局"), ("at", "2099-04-01T03:00"), (site, "move")]);
    assert!(unfit.status == 409 && unfit.text().contains("T-31"), "{}", unfit.text());
    let made = plan(admin, &fields).expect(303).header("location").to_owned();
    let transfer = between(&made, "/console/transfers/", "?").to_owned();
    let planned = Planned { installation, transfer };
    let hash = planned.hash(admin);
    let no = json!({"plan": hash, "reason": "延期"});
    assert_eq!(planned.post(&others.boss, "/abort", &no).problem(), "U-20", "who planned it takes it back");
    assert_eq!(planned.post(manager, "/decline", &no).problem(), "U-20");
    assert_eq!(planned.post(&others.boss, "/decisions", &json!({"plan": hash})).problem(), "U-20");
    let old = json!({"plan": "A".repeat(43), "reason": "延期"});
    assert_eq!(planned.post(&others.boss, "/decline", &old).problem(), "T-32");
    planned.post(&others.boss, "/decline", &no).expect(204);
    assert_eq!(planned.shown(second)["state"], "aborted");
    assert_eq!(planned.post(second, "/abort", &no).problem(), "T-33");
}

/// The dry run is one text by page and command; whoever planned does not approve, and support says why.
fn approved(
    planned: &Planned<'_>,
    others: &Others,
    [admin, second]: [&PersonSession; 2],
    (site, moving): (&str, &DeviceIdentity),
) {
    let Planned { installation, transfer } = planned;
    let hash = planned.hash(second);
    let yes = json!({"plan": hash});
    assert_eq!(
        planned.post(admin, "/approve", &yes).problem(),
        "U-22",
        "whoever planned it does not approve"
    );
    let told = installation
        .command_without_json(&["transfer", "dry-run", transfer, "--language", "ja"])
        .good()
        .stdout;
    let page = planned.page(second, "/dry-run").expect(200).text();
    let shown = between(&page, "id=\"lines\" tabindex=\"0\">", "</pre>");
    assert_eq!(shown.trim(), told.trim(), "the page shows what the command prints");
    assert!(shown.contains("ekimae-staff") && shown.contains(&moving.device), "{shown}");
    let will = |by: &PersonSession| {
        let path = format!("/api/v1{}", planned.path("/dry-run"));
        by.at(installation, &path).send().expect(200).json()["will"].clone()
    };
    let told = installation.command(&["transfer", "dry-run", transfer]).good().json();
    assert_eq!(will(second), told["will"], "and so does the API");
    let comes = will(&others.boss);
    assert_eq!(
        (&comes["sites"][0]["name"], &comes["sites"][0]["devices"]),
        (&json!("橋本店"), &json!(["橋本PC"]))
    );
    for theirs in [site, &moving.device, "ekimae-staff", "橋本 花子"] {
        assert!(!comes.to_string().contains(theirs), "{theirs} is not the other company's yet: {comes}");
    }
    let facts = planned.shown(&others.boss);
    assert!(facts["requested_by"].is_null(), "who planned it is nobody to them: {facts}");
    let form = [("plan", &*hash)];
    let approve = format!("/console{}", planned.path("/approve"));
    second.send(installation, &approve, &form).expect(303);
    others.boss.send(installation, &approve, &form).expect(303);
    assert_eq!(planned.post(&others.lead, "/approve", &yes).problem(), "U-21", "support says why");
    let why = json!({"reason": "事業譲渡", "ticket": "T-2001"});
    let path = "/api/v1/session/justification";
    others.lead.asking(installation, path, &[], &why).method("PUT").send().expect(204);
    assert_eq!(planned.post(&others.lead, "/approve", &yes).expect(200).json()["state"], "approved");
    assert_eq!(planned.post(second, "/approve", &yes).problem(), "T-33", "once");
}

/// The plan, the dry run, the confirmation and the report; in both languages.
pub(crate) fn pictures(installation: &RunningInstallation, browser: &mut Browser) {
    let source = text_of(&installation.tell(&["tenant", "list"])[0], "tenant");
    let target = text_of(&installation.tell(&["tenant", "add", "みどり薬局"]), "tenant");
    installation.tell(&["site", "add", "橋本店", "--tenant", &source]);
    installation.tell(&["invite", "--label", "まだ使われていない", "--tenant", &source, "--site", "橋本店"]);
    let when = ["--at", "2099-04-01T03:00:00+09:00", "--move-devices", "--move-people"];
    let plan = ["transfer", "plan", "--from", &source, "--to", &target, "--all-sites", "--note", "T-2001"];
    let transfer = text_of(&installation.tell(&[&plan[..], &when[..]].concat()), "transfer");
    let console = format!("{}/console/transfers", installation.device);
    for (language, suffix) in [("ja", ""), ("en", "-english")] {
        browser.go(&format!("{console}?tenant={source}&lang={language}"));
        browser.see("#plan #make");
        browser.picture(&format!("console-transfers{suffix}"));
        browser.go(&format!("{console}/{transfer}/decisions?lang={language}"));
        browser.see("#save");
        browser.picture(&format!("console-transfer-decisions{suffix}"));
        browser.go(&format!("{console}/{transfer}/dry-run?lang={language}"));
        browser.see("#lines");
        browser.picture(&format!("console-transfer-dry-run{suffix}"));
        if language == "ja" {
            browser.click("#approve");
        } else {
            browser.go(&format!("{console}/{transfer}?lang=en"));
        }
        browser.see("#approvals .done");
        browser.picture(&format!("console-transfer{suffix}"));
    }
    let hand_over = [&source, &target];
    let done = handed_over(installation, hand_over, &transfer);
    for (language, suffix) in [("ja", ""), ("en", "-english")] {
        browser.go(&format!("{console}/{done}?lang={language}"));
        browser.see("#progress .done");
        browser.picture(&format!("console-transfer-done{suffix}"));
        browser.click("#to-report");
        browser.see("#report");
        browser.picture(&format!("console-transfer-report{suffix}"));
    }
}

/// One site goes at once, by the words of people whom the operator notes; the other plan is taken back. Gives the transfer.
fn handed_over(installation: &RunningInstallation, [source, target]: [&String; 2], other: &str) -> String {
    installation.tell(&["transfer", "abort", other, "--reason", "延期"]);
    for (tenant, login) in [(source, "head"), (target, "boss")] {
        let name = ["--login", login, "--name", "承認 者", "--role", "tenant-admin"];
        installation.tell(&[&["person", "add", "--tenant", tenant], &name[..]].concat());
    }
    let invited = installation.tell(&["invite", "--label", "橋本PC", "--tenant", source, "--site", "橋本店"]);
    DeviceIdentity::enroll(installation, &text_of(&invited, "url"), "hashimoto");
    let plan = ["transfer", "plan", "--from", source, "--to", target, "--site", "橋本店"];
    let at = in_seconds(4);
    let planned = installation.tell(&[&plan[..], &["--move-devices", "--at", &at]].concat());
    let (transfer, hash) = (text_of(&planned, "transfer"), text_of(&planned, "plan"));
    for (tenant, person) in [(source, "head"), (target, "boss"), (source, "sasaki")] {
        let mut approve = vec!["transfer", "approve", &transfer, "--tenant", tenant, "--person", person];
        approve.extend(["--plan", &hash, "--reason", "事業譲渡", "--ticket", "T-2001"]);
        installation.tell(&approve);
    }
    let show = ["transfer", "show", &*transfer];
    eventually("it happens by itself", Duration::from_mins(1), || {
        installation.tell(&show)["state"] == "done"
    });
    transfer
}
