//! Head offices' programs invite in bulk: by their own certificate, within their own sites, nobody twice.

use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use tegata_tests::installation::text_of;
use tegata_tests::stopwatch::eventually;
use tegata_tests::{CommandOutcome, Curl, CurlAnswer, DeviceIdentity, Own, RunningInstallation};

const CLIENT: &str = "head-office";

#[test]
fn a_list_is_worked_off_line_by_line_and_its_links_are_shown_once() {
    let office = Office::open();
    let foreign = office.other_site.clone();
    let list = format!(
        "\u{feff}site,label,role\n本店,レジ1,\n隣町店,レジ1,\n{foreign},レジ1,\n別法人の店,レジ1,\n本店,,\n本店,見張り,gate\n本店,レジ2,\n"
    );
    let sent = office.send("monday", "text/csv", &list).expect(202);
    let place = sent.header("location").to_owned();
    let report = office.done(&place);
    let outcomes: Vec<_> = report["report"]
        .as_array()
        .expect("a report")
        .iter()
        .map(|line| {
            (
                line["line"].as_u64().unwrap_or(0),
                line["outcome"].as_str().unwrap_or(""),
                line["code"].as_str().unwrap_or(""),
            )
        })
        .collect();
    assert_eq!(
        outcomes,
        [
            (2, "invited", ""),
            (3, "refused", "I-28"),
            (4, "refused", "I-28"),
            (5, "refused", "I-28"),
            (6, "refused", "I-34"),
            (7, "refused", "I-20"),
            (8, "invited", ""),
        ],
        "{report}"
    );
    assert!(report["report"][1]["detail"].as_str().is_some_and(|advice| advice.contains("店舗")), "{report}");
    let english = office.ask(&place).header("accept-language", "en").send().expect(200).json();
    assert!(english["report"][1]["title"].as_str().is_some_and(|title| title.contains("site")), "{english}");
    assert_eq!(
        (&report["invited"], &report["refused"], &report["codes"]),
        (&json!(2), &json!(5), &json!("ready"))
    );

    let links = office.ask(&format!("{place}/codes")).method("POST").send().expect(200);
    assert_eq!(links.header("cache-control"), "no-store");
    let links = links.json();
    let link = text_of(&links[1], "url");
    let device = DeviceIdentity::enroll(&office.installation, &link, "register-2");
    let listed = office.installation.listed(&["device", "list"]);
    assert_eq!((&listed[0]["device"], &listed[0]["label"]), (&json!(device.device), &json!("レジ2")));
    let again = office.ask(&format!("{place}/codes")).method("POST").send().expect(410);
    assert_eq!(again.problem(), "I-26");
    let after = office.ask(&place).send().expect(200).json();
    assert_eq!(
        (&after["report"][6]["state"], &after["report"][6]["device"]),
        (&json!("claimed"), &json!(device.device))
    );

    let secret = link.split('#').next_back().expect("a code");
    for file in ["ledger.db", "ledger.db-wal", "server.log"] {
        let bytes = std::fs::read(office.installation.data().join(file)).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&bytes).contains(secret), "{file} knows no code");
    }
    let withdrawn = office.ask(&place).method("DELETE").send().expect(200).json();
    assert_eq!(
        (&withdrawn["report"][0]["state"], &withdrawn["report"][6]["state"]),
        (&json!("withdrawn"), &json!("claimed"))
    );
}

#[test]
fn a_list_is_read_as_excel_saves_it_or_refused_with_its_key_unspent() {
    let office = Office::open();
    let list = "site,label\r\n本店,\"受付\r\n2\"\r\n ﾎﾝ店,x\r\n本　店,ﾚｼﾞ1\r\n本店,受付\u{202e}PC\r\n";
    let utf16 = |order: fn(u16) -> [u8; 2]| list.encode_utf16().flat_map(order).collect::<Vec<_>>();
    let marked = [&[0xff, 0xfe][..], &utf16(u16::to_le_bytes)].concat();
    let sjis = [&b"site,label\r\n"[..], b"\x96\x7b\x93\x58,\x8e\xf3\x95\x74\r\n"].concat();
    let send = |key: &str, media: &str, body: &[u8]| {
        office.ask("/api/v1/invitations").header("idempotency-key", key).body(media, body).send()
    };
    for (key, media, body) in [
        ("latin", "text/csv", &b"site,label\nPharmacie B\xe9\xe8,x\n"[..]),
        ("named", "text/csv; charset=utf-8", &sjis),
        ("columns", "text/csv", "店舗,名前\n本店,レジ\n".as_bytes()),
        ("json", "application/json", b"{\"lines\": [{\"site\": \"\x96\x7b\x93\x58\", \"label\": \"x\"}]}"),
    ] {
        let refused = send(key, media, body).expect(400);
        assert_eq!(refused.problem(), "I-29", "{key}: {refused}");
        assert!(refused.text().contains("CSV UTF-8"), "{refused}");
    }
    // The same key is good for the list as it should be.
    let spoken = send("named", "text/csv; charset=\"Shift_JIS\"", &sjis).expect(202);
    assert_eq!(office.done(spoken.header("location"))["invited"], 1);
    let recognized = send("sjis", "text/csv", &sjis).expect(202);
    assert_eq!(office.done(recognized.header("location"))["report"][0]["label"], "受付");
    let wide = send("utf-16", "text/csv; charset=utf-16", &marked).expect(202);
    let report = office.done(wide.header("location"));
    let lines: Vec<_> = report["report"]
        .as_array()
        .expect("a report")
        .iter()
        .map(|line| (line["line"].as_u64().unwrap_or(0), line["code"].as_str().unwrap_or("")))
        .collect();
    // The first record has two lines, and a label has one.
    assert_eq!(lines, [(2, "I-34"), (4, "I-28"), (5, ""), (6, "I-34")], "{report}");
    assert!(report["report"][3]["detail"].as_str().is_some_and(|why| why.contains("U+202E")), "{report}");
}

#[test]
fn a_list_that_is_sent_again_invites_nobody_twice() {
    let office = Office::open();
    let list = json!({"lines": [{"site": "本店", "label": "レジ1"}, {"site": "本店", "label": "レジ1", "price": 1}]});
    let first = office.send("tuesday", "application/json", &list.to_string()).expect(202);
    let again = office.send("tuesday", "application/json", &list.to_string()).expect(200);
    assert_eq!(first.json()["list"], again.json()["list"]);
    let other = list.to_string().replace("レジ1", "レジ2");
    assert_eq!(office.send("tuesday", "application/json", &other).expect(422).problem(), "I-22");
    let report = office.done(first.header("location"));
    assert_eq!((&report["invited"], &report["report"][1]["code"]), (&json!(1), &json!("I-27")));
    // What `tegata dev` made at its start, and the one of the list.
    assert_eq!(office.open_invitations(), 2);
}

#[test]
fn a_server_killed_at_once_finishes_every_list_it_acknowledged() {
    let mut office = Office::open();
    let lines: Vec<_> =
        (0..1000).map(|place| json!({"site": "本店", "label": format!("端末{place}")})).collect();
    let list = json!({ "lines": lines }).to_string();
    let sent = office.send("big", "application/json", &list).expect(202);
    office.installation.kill();
    office.installation.start_again();
    let place = sent.header("location").to_owned();
    let report = office.done(&place);
    assert_eq!((&report["invited"], &report["waiting"]), (&json!(1000), &json!(0)));
    let again = office.send("big", "application/json", &list).expect(200);
    assert_eq!(again.json()["invited"], 1000, "sent again by a program that heard nothing");
    // Beside them what `tegata dev` made at its two starts.
    assert_eq!(office.open_invitations(), 1002, "no line is done twice");
    let links = office.ask(&format!("{place}/codes")).method("POST").send().expect(200).json();
    let links: std::collections::HashSet<_> =
        links.as_array().expect("links").iter().map(|link| text_of(link, "url")).collect();
    assert_eq!(links.len(), 1000);
    let link = links.iter().next().expect("a link");
    DeviceIdentity::enroll(&office.installation, link, "after-the-crash");
    office.installation.command(&["check"]).good();
}

#[test]
fn a_client_invites_only_if_it_may_where_it_may_and_not_too_many() {
    let office = Office::open();
    let list = json!({"lines": [{"site": "本店", "label": "レジ1"}]}).to_string();
    let to = |client: &str| office.installation.at_device(&format!("/api/v1/invitations?client_id={client}"));
    let post = |curl: Curl| curl.header("idempotency-key", "k").body("application/json", list.clone()).send();
    assert_eq!(post(to(CLIENT)).expect(401).problem(), "C-01");
    assert_eq!(post(office.stranger.presented(to(CLIENT))).expect(401).problem(), "C-12");
    assert_eq!(post(office.own.presented(to("nobody"))).expect(401).problem(), "C-12");
    assert_eq!(post(office.stranger.presented(to("reader"))).expect(403).problem(), "I-20");
    let invited = office.installation.tell(&["invite", "--site", &office.site]);
    let device = DeviceIdentity::enroll(&office.installation, &text_of(&invited, "url"), "register-1");
    assert_eq!(post(to(CLIENT).as_device(&device)).expect(401).problem(), "C-12");
    assert_eq!(post(to(&device.device).as_device(&device)).expect(401).problem(), "C-12");
    let nameless = office.own.presented(office.installation.at_device("/api/v1/invitations"));
    assert_eq!(post(nameless).expect(400).problem(), "R-01");
    let foreign = office.own.presented(to(CLIENT)).header("origin", "https://evil.example");
    assert_eq!(post(foreign).expect(403).problem(), "R-06");
    post(office.installation.at_portal("/api/v1/invitations?client_id=head-office")).expect(404);

    let send = |key: &str, media: &str, body: &str| office.send(key, media, body);
    assert_eq!(send("a b", "application/json", &list).expect(400).problem(), "I-21");
    assert_eq!(send(&"k".repeat(65), "application/json", &list).expect(400).problem(), "I-21");
    let keyless = office.own.presented(to(CLIENT)).body("application/json", list.clone());
    assert_eq!(keyless.send().expect(400).problem(), "I-21");
    let other = send("k", "text/plain", &list).expect(415);
    assert!(other.problem() == "R-07" && other.text().contains("text/csv"), "{other}");
    assert_eq!(send("k", "application/json", "{\"lines\": [").expect(400).problem(), "R-01");
    assert_eq!(send("k", "application/json", "{\"lines\": []}").expect(413).problem(), "I-23");
    let long = json!({"lines": vec![json!({}); 1001]}).to_string();
    assert_eq!(send("k", "application/json", &long).expect(413).problem(), "I-23");
    let large = format!("site,label\n本店,{}\n", "x".repeat(300 * 1024));
    assert_eq!(send("k", "text/csv", &large).expect(413).problem(), "I-23");
    assert_eq!(office.open_invitations(), 1, "nothing of this invited anybody");

    let place = send("k", "application/json", &list).expect(202).header("location").to_owned();
    office.done(&place);
    for (path, method) in
        [(place.clone(), "GET"), (place.clone(), "DELETE"), (format!("{place}/codes"), "POST")]
    {
        let other = office.installation.at_device(&format!("{path}?client_id=neighbor"));
        let answer = office.stranger.presented(other).method(method).send().expect(404);
        assert_eq!(answer.problem(), "I-24", "another client's list is not there for the neighbor");
    }
    for place in 0..60 {
        let answer = send(&format!("flood-{place}"), "application/json", &list);
        assert!(answer.status == 202 || answer.problem() == "A-09", "{answer}");
    }
    assert_eq!(send("one-too-many", "application/json", &list).expect(429).problem(), "A-09");
}

#[test]
fn a_program_in_python_sends_watches_and_fetches() {
    let office = Office::open();
    let list = json!({"lines": [{"site": office.site, "label": "タブレット"}, {"site": "北店", "label": "タブレット"}]});
    let told = office.python("wednesday", &list).good().json();
    assert_eq!((&told["status"], &told["report"]["invited"]), (&json!(202), &json!(1)), "{told}");
    assert!(
        told["report"]["report"][1]["title"].as_str().is_some_and(|title| title.contains("no such site"))
    );
    DeviceIdentity::enroll(&office.installation, &text_of(&told["links"][0], "url"), "tablet");
    let again = office.python("wednesday", &list).good().json();
    assert_eq!((&again["status"], &again["links"]), (&json!(200), &Value::Null), "links are shown once");
}

/// An installation with a head office that may invite for one tenant, a reader that may not, a neighbor that may for
/// another tenant.
struct Office {
    installation: RunningInstallation,
    own: Own,
    stranger: Own,
    site: String,
    other_site: String,
}

impl Office {
    fn open() -> Self {
        let mut installation = RunningInstallation::start();
        let folder = installation.folder("clients");
        let (own, stranger) = (Own::make(&folder, "own", "office"), Own::make(&folder, "stranger", "office"));
        let tenants = installation.tell(&["tenant", "list"]);
        let tenant = text_of(&tenants[0], "tenant");
        let site = text_of(&installation.tell(&["site", "list"])[0], "site");
        let other = text_of(&installation.tell(&["tenant", "add", "別の法人"]), "tenant");
        let other_site =
            text_of(&installation.tell(&["site", "add", "別法人の店", "--tenant", &other]), "site");
        let client = |name: &str, keys: &Own, more: &str| {
            format!(
                "\n[[client]]\nclient_id = \"{name}\"\ntoken_endpoint_auth_method = \"self_signed_tls_client_auth\"\n\
                 jwks = {{keys = [{{kty = \"EC\", x5c = [\"{}\"]}}]}}\n{more}\n",
                keys.base64()
            )
        };
        let clients = [
            client(CLIENT, &own, &format!("invites = [{{tenant = \"{tenant}\"}}]")),
            client("reader", &stranger, ""),
            client(
                "neighbor",
                &stranger,
                &format!("invites = [{{tenant = \"{other}\", sites = [\"{other_site}\"]}}]"),
            ),
        ]
        .concat();
        installation.reconfigure(|text| format!("{text}{clients}"));
        // The first start's invitation would be counted with the lists'.
        let listed = installation.listed(&["invite", "list"]);
        for one in listed.as_array().into_iter().flatten().skip(1) {
            installation.tell(&["invite", "revoke", &text_of(one, "invitation")]);
        }
        Self { installation, own, stranger, site, other_site }
    }

    fn ask(&self, path: &str) -> Curl {
        self.own.presented(self.installation.at_device(&format!("{path}?client_id={CLIENT}")))
    }

    fn send(&self, key: &str, media: &str, list: &str) -> CurlAnswer {
        self.ask("/api/v1/invitations").header("idempotency-key", key).body(media, list).send()
    }

    /// The report, once every line is done.
    fn done(&self, place: &str) -> Value {
        let mut report = Value::Null;
        eventually("all lines are done", Duration::from_mins(1), || {
            report = self.ask(place).send().expect(200).json();
            report["state"] == "done"
        });
        report
    }

    fn open_invitations(&self) -> usize {
        self.installation.listed(&["invite", "list"]).as_array().map_or(0, Vec::len)
    }

    fn python(&self, key: &str, list: &Value) -> CommandOutcome {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/invite.py");
        let mut command = Command::new("python3");
        command.arg(program).arg(&self.installation.device).arg(&self.installation.tls_ca).arg(CLIENT);
        command.args([&self.own.certificate, &self.own.key]).arg(key);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("python");
        child.stdin.take().expect("its input").write_all(list.to_string().as_bytes()).expect("it reads");
        child.wait_with_output().expect("it ends").into()
    }
}
