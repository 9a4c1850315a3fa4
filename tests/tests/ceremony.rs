//! The hierarchy: an auditor can follow every act, a successor takes over without anybody noticing, and an end is an end.

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;
use tegata_tests::openssl::{self, crl_url, ocsp, ocsp_status, openssl, verify_to_the_root};
use tegata_tests::tokens::{obtain, request};
use tegata_tests::{Ceremony, Curl, Identity, Installation, Outcome, csr, ports, tegata};

#[test]
fn a_fresh_installation_is_believed_down_from_its_root_alone() {
    let installation = Installation::start();
    let device = installation.enroll("register-1");
    is_believed(&installation, &device);
    installation.command(&["check"]).good();
}

#[test]
fn a_root_that_never_meets_a_network_signs_what_a_stick_carries() {
    let (online, offline, stick) = (folder(), folder(), folder());
    init_without_ca(online.path());
    let root = Ceremony::at(offline.path(), None);
    make_private(&root.file("keys"));
    let act = root.act("create-root", &create_root());
    act.run(&["--perform", "--transcript", text(&root.file("root.jsonl"))]).good();
    carry(&root, stick.path(), &["root.pem", "root.crl"]);

    let house = Ceremony::at(stick.path(), Some(online.path()));
    house.act("request-issuing", REQUEST).done();
    for name in ["issuing.csr", "sign-issuing.toml"] {
        std::fs::copy(house.file(name), root.file(name)).expect("a copy");
    }
    let sign = root.written("sign-issuing.toml");
    assert!(sign.rehearse().good().stdout.contains("pathlen 0"));
    assert!(!root.file("issuing.pem").exists());
    sign.run(&["--perform", "--transcript", text(&root.file("sign.jsonl"))]).good();
    carry(&root, stick.path(), &["issuing.pem", "root-next.crl"]);

    // The draft names the thumbprint of the new root; without it a root is not trusted.
    let install = std::fs::read_to_string(house.file("install-issuing.toml")).expect("the act");
    let unexpected: String =
        install.lines().filter(|line| !line.starts_with("new_root")).collect::<Vec<_>>().join("\n");
    std::fs::write(house.file("unexpected.toml"), unexpected).expect("a file");
    let refused = house.written("unexpected.toml").perform();
    assert!(refused.code == 2 && refused.stderr.contains("Compare its thumbprint"), "{}", refused.said());
    house.written("install-issuing.toml").done();
    assert_eq!(house.written("install-issuing.toml").perform().code, 2, "once is enough");

    let installation = Installation::start_in(online, Vec::new());
    let device = installation.enroll("register-1");
    is_believed(&installation, &device);
    for transcript in ["root.jsonl", "sign.jsonl"] {
        let transcript = std::fs::read_to_string(root.file(transcript)).expect("a transcript");
        let secret = transcript.contains(root.passphrase()) || transcript.contains("PRIVATE KEY");
        assert!(!secret, "{transcript}");
        assert!(
            transcript.contains("thumbprint")
                && transcript.contains("sha256")
                && transcript.contains("witness")
        );
    }
}

#[test]
fn a_rehearsal_of_any_act_changes_nothing() {
    let mut installation = Installation::start();
    let ceremony = Ceremony::of(&installation);
    let second = create_issuing(&ceremony, "Second", "");
    let first = issuer_named(&installation, "Tegata Issuing");
    let third = create_issuing(&ceremony, "Third", "");
    ceremony.act("rest-issuing", &of(&third)).done();
    std::fs::copy(&installation.ca, ceremony.file("root.pem")).expect("a copy");
    fetch_root_list(&installation, &ceremony.file("root.crl"));
    ceremony.act("request-issuing", REQUEST).done();
    with_keys_of_the_installation(&ceremony, "sign-issuing.toml");
    ceremony.written("sign-issuing.toml").done();
    let another = REQUEST.replace("issuing.", "another.").replace("Requested", "Another");
    let sign = std::fs::read_to_string(ceremony.file("sign-issuing.toml")).expect("the act");
    let sign = sign.replace("issuing.pem", "another.pem").replace("root-next.crl", "another.crl");
    std::fs::write(ceremony.file("sign-again.toml"), sign).expect("a file");
    let acts = [
        ceremony.act("retire-issuing", &of(&third)),
        ceremony.written("install-issuing.toml"),
        ceremony.written("sign-again.toml"),
        ceremony.act("install-root-crl", "list = \"root-next.crl\"\n"),
        ceremony.act("create-issuing", &named("Fourth", "")),
        ceremony.act(
            "request-issuing",
            &another.replace("sign-issuing", "sign-another").replace("install-issuing", "install-another"),
        ),
        ceremony.act("rest-issuing", &of(&first)),
        ceremony.act("revoke-issuing", &format!("{}reason = \"key_compromise\"\n", of(&second))),
        ceremony.act(
            "tenant-issuing",
            "tenant = \"あおば薬局グループ\"\nissuing = \"silo\"\nwithout_ca = true\n",
        ),
        ceremony.act("create-root", &create_root_in("../../keys", "another")),
        ceremony.act("sign-root-crl", &sign_list("../../keys", "").replace("root-next", "root-then")),
    ];
    installation.kill();
    let before = state(&installation);
    for act in &acts {
        let name = act.file().display();
        let outcome = act.rehearse();
        assert!(
            outcome.code == 0 && outcome.stdout.contains("nothing was changed"),
            "{name}: {}",
            outcome.said()
        );
    }
    let after = state(&installation);
    let names = |state: &State| state.files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&after), names(&before));
    assert_eq!(after.told, before.told);
    assert!(after.files == before.files, "no file has another content");
}

#[test]
fn a_successor_takes_over_while_the_server_runs_and_the_old_goes_on() {
    let installation = Installation::start();
    let (old, renewing) = (installation.enroll("old"), installation.enroll("renewing"));
    let before = renewing.kept_aside();
    let first = issuer_named(&installation, "Tegata Issuing");
    let ceremony = Ceremony::of(&installation);
    let second = create_issuing(&ceremony, "Successor", "shards = 4\n");

    let new = until("new certificates come from the successor", || {
        let device = installation.enroll(&format!("new-{}", rand_name()));
        (issuer_of(&device).contains("Successor")).then_some(device)
    });
    let renewed = renewing.renew(&installation);
    assert!(issuer_of(&renewed).contains("Successor"), "renewals too");
    for device in [&old, &before, &new, &renewed] {
        is_believed(&installation, device);
        obtain(&installation, device);
    }
    let hints = hints(&installation);
    assert!(hints.contains("Successor") && hints.contains("Tegata Issuing"), "{hints}");
    let certificate = Curl::to(&format!("{}/ca/{second}.cer", installation.public)).send().expect(200);
    assert!(!certificate.body.is_empty());

    ceremony.act("rest-issuing", &of(&first)).done();
    is_believed(&installation, &old);
    obtain(&installation, &old);
    let refused = ceremony.act("retire-issuing", &of(&first)).perform();
    assert!(refused.code == 1 && refused.stderr.contains("live"), "{}", refused.said());
    installation.command(&["check"]).good();

    let list = crl_url(&old.file("cert.pem"));
    ceremony.act("retire-issuing", &format!("{}with_certificates = true\n", of(&first))).done();
    let refused = request(&installation, &old).send().expect(401);
    assert!(refused.text().contains("C-06"), "it reads the reason: {}", refused.text());
    until("its name is no longer offered", || {
        (!hints_of(&installation).contains("Tegata Issuing")).then_some(())
    });
    assert_eq!(installation.at_device("/probe").as_device(&old).send().expect(401).problem(), "C-02");
    // Whoever still asks about the old certificates is still told.
    let crl = until("its list says so", || {
        let crl = crl_text(&Curl::to(&list).send().expect(200).body);
        crl.contains("Superseded").then_some(crl)
    });
    assert!(crl.contains("Revoked Certificates"), "{crl}");
    assert_eq!(ocsp_status(&ocsp_with_roots(&installation, &old)), "revoked");
    obtain(&installation, &new);
    let shown = installation.tell(&["issuer", "show", &first]);
    assert_eq!((&shown["state"], &shown["living_certificates"]), (&"retired".into(), &0.into()));
}

#[test]
fn a_silo_and_the_pool_never_share_a_ca() {
    let installation = Installation::start();
    let ceremony = Ceremony::of(&installation);
    installation.tell(&["tenant", "add", "みどり薬局", "--silo"]);
    installation.tell(&["site", "add", "駅前店", "--tenant", "みどり薬局"]);
    assert_eq!(installation.command(&["tenant", "add", "みどり薬局"]).code, 2, "a name is a name");
    let invitation = || {
        let invited = installation.tell(&["invite", "--site", "駅前店", "--label", "pc"]);
        invited["url"].as_str().expect("a link").to_owned()
    };
    let link = invitation();
    let code = link.split_once('#').expect("a code").1;
    let asked = serde_json::json!({ "code": code, "csr": csr::honest() });
    let refused = installation.at_portal("/api/v1/enrollments").json(&asked).send();
    assert_eq!(refused.problem(), "S-03", "without a CA of its own it gets nothing");

    create_issuing(&ceremony, "Midori CA", "tenant = \"みどり薬局\"\n");
    until("the tenant's CA issues", || {
        let asked = serde_json::json!({ "code": code, "csr": csr::honest() });
        let answer = installation.at_portal("/api/v1/enrollments").json(&asked).send();
        (answer.status == 201).then_some(())
    });
    let silo = Identity::enroll(&installation, &invitation(), "silo");
    let pool = installation.command(&["invite", "--site", "本店", "--label", "pc"]).good().json();
    let pool = Identity::enroll(&installation, pool["url"].as_str().expect("a link"), "pool");
    assert!(issuer_of(&silo).contains("Midori CA"), "{}", issuer_of(&silo));
    assert!(issuer_of(&pool).contains("Tegata Issuing"), "{}", issuer_of(&pool));
    for device in [&silo, &pool] {
        is_believed(&installation, device);
        obtain(&installation, device);
    }
    let lists = installation.tell(&["site", "list", "--tenant", "みどり薬局"]);
    assert_eq!(lists.as_array().map(Vec::len), Some(1));

    // Its policy can change: what exists stays, what comes goes by the new one.
    ceremony
        .act("tenant-issuing", "tenant = \"あおば薬局グループ\"\nissuing = \"silo\"\n")
        .refused("no CA of its own");
    ceremony.act("tenant-issuing", "tenant = \"みどり薬局\"\nissuing = \"pool\"\n").done();
    obtain(&installation, &silo);
}

#[test]
fn a_revoked_ca_is_stopped_at_once_and_the_root_says_so_after_its_ceremony() {
    let installation = Installation::start();
    let ceremony = Ceremony::of(&installation);
    let stolen = create_issuing(&ceremony, "Stolen", "");
    let device = until("the newest CA issues", || {
        let device = installation.enroll(&format!("pc-{}", rand_name()));
        (issuer_of(&device).contains("Stolen")).then_some(device)
    });
    obtain(&installation, &device);
    let certificate = ceremony.file("stolen.pem");
    let shown = installation.tell(&["issuer", "show", &stolen]);
    std::fs::write(&certificate, shown["certificate"].as_str().expect("PEM")).expect("a file");

    let revoke = ceremony.act("revoke-issuing", &format!("{}reason = \"key_compromise\"\n", of(&stolen)));
    let lines = revoke.done();
    assert!(
        lines.iter().any(|line| line["what"] == "next" && line["text"].to_string().contains("sign-root-crl"))
    );
    request(&installation, &device).send().expect(401);
    assert!(installation.command(&["check"]).said().contains("crl-behind"), "the root's list is behind");
    let after = installation.enroll("after");
    assert!(issuer_of(&after).contains("Tegata Issuing"));

    std::fs::copy(&installation.ca, ceremony.file("root.pem")).expect("a copy");
    fetch_root_list(&installation, &ceremony.file("root.crl"));
    let before = openssl_revokes(&installation, &device, &ceremony.file("root.crl"), &certificate);
    assert_eq!(before.code, 0, "{}", before.said());
    // A list that leaves the CA out is not taken.
    let forgetful = ceremony.act("sign-root-crl", &sign_list("../../keys", ""));
    forgetful.perform().good();
    ceremony.act("install-root-crl", "list = \"root-next.crl\"\n").refused("lacks the revoked CA");
    std::fs::remove_file(ceremony.file("root-next.crl")).expect("the list");
    let entry = "[[details.revoked]]\ncertificate = \"stolen.pem\"\nreason = \"key_compromise\"\nat = \"2026-01-01T00:00:00Z\"\n";
    let honest = ceremony.act("sign-root-crl", &sign_list("../../keys", entry));
    honest.perform().good();
    ceremony.act("install-root-crl", "list = \"root-next.crl\"\n").done();
    ceremony.act("install-root-crl", "list = \"root-next.crl\"\n").refused("its number is");
    ceremony.act("install-root-crl", "list = \"root.crl\"\n").refused("its number is");
    until("everybody who asks hears it", || {
        fetch_root_list(&installation, &ceremony.file("now.crl"));
        let now = openssl_revokes(&installation, &device, &ceremony.file("now.crl"), &certificate);
        now.said().contains("certificate revoked").then_some(())
    });
    let text = crl_text(&std::fs::read(ceremony.file("now.crl")).expect("the list"));
    assert!(text.contains("CA Compromise") && text.contains("Only CA Certificates"), "{text}");
    is_believed(&installation, &after);
    let check = installation.command(&["check"]);
    assert!(!check.said().contains("crl-behind"), "{}", check.said());
}

#[test]
fn what_does_not_belong_is_refused_and_leaves_nothing_behind() {
    let installation = Installation::start();
    let ceremony = Ceremony::of(&installation);
    let keys = || names_in(&installation.data().join("keys"));
    let (before, issuers) = (keys(), installation.tell(&["issuer", "list"]));
    std::fs::copy(&installation.ca, ceremony.file("root.pem")).expect("a copy");
    fetch_root_list(&installation, &ceremony.file("root.crl"));

    ceremony.act("create-issuing", &named("Zero", "shards = 0\n")).refused("between 1 and 1024");
    ceremony.act("create-issuing", &named("Many", "shards = 1025\n")).refused("between 1 and 1024");
    ceremony
        .act("create-issuing", &named("Long", "days = 14000\n").replacen("days = 365\n", "", 1))
        .refused("ends on");
    let root_name = named("Tegata Root", "").replace("試験薬局", "あおば薬局グループ");
    ceremony.act("create-issuing", &root_name).refused("has this name already");
    ceremony.act("create-issuing", &named("X", "tenant = \"nobody\"\n")).refused("no tenant");
    let none = "00000000000000000000000000";
    ceremony.act("rest-issuing", &of(none)).refused("no issuing CA");
    let first = issuer_named(&installation, "Tegata Issuing");
    ceremony.act("rest-issuing", &of(&first)).refused("no other CA issues");
    ceremony.act("retire-issuing", &of(&first)).refused("must be resting");
    ceremony.act("create-issuing", &named("Typo", "shard = 1\n")).refused("shard");
    let act = ceremony.act("create-issuing", &named("Swapped", ""));
    let swapped = act.run(&["--perform", "--expect", &"0".repeat(64)]);
    assert!(swapped.code == 2 && swapped.stderr.contains("not what was expected"), "{}", swapped.said());

    // A request that is not the one that was written down, and one that is not signed by its key.
    ceremony.act("request-issuing", REQUEST).done();
    let request = keys();
    assert_eq!(request.len(), before.len() + 1);
    with_keys_of_the_installation(&ceremony, "sign-issuing.toml");
    let honest = std::fs::read(ceremony.file("issuing.csr")).expect("the request");
    std::fs::write(ceremony.file("issuing.csr"), csr_of_another()).expect("a file");
    ceremony.written("sign-issuing.toml").refused("not the one whose SHA-256");
    std::fs::write(ceremony.file("issuing.csr"), honest).expect("a file");

    // Another root of the same name: its signature does not hold below ours.
    let other = folder();
    let elsewhere = Ceremony::at(other.path(), None);
    make_private(&elsewhere.file("keys"));
    elsewhere.act("create-root", &create_root()).perform().good();
    let install = std::fs::read_to_string(ceremony.file("install-issuing.toml")).expect("the act");
    ceremony.written("sign-issuing.toml").perform().good();
    std::fs::copy(elsewhere.file("root.pem"), ceremony.file("other.pem")).expect("a copy");
    std::fs::write(ceremony.file("other.toml"), install.replace("root.pem", "other.pem")).expect("a file");
    ceremony.written("other.toml").refused("does not know this root");
    std::fs::copy(elsewhere.file("root.crl"), ceremony.file("other.crl")).expect("a copy");
    std::fs::write(ceremony.file("other.toml"), install.replace("root-next.crl", "other.crl"))
        .expect("a file");
    ceremony.written("other.toml").refused("this root did not sign the list");
    // The certificate of a key that is not here.
    std::fs::write(ceremony.file("other.toml"), install.replace("issuer = \"", "issuer = \"0"))
        .expect("a file");
    ceremony.written("other.toml").refused("IssuerId");

    assert_eq!(installation.tell(&["issuer", "list"]), issuers);
    assert_eq!(keys(), request, "a refused act leaves no key");
    ceremony.written("install-issuing.toml").done();
}

#[test]
fn a_resting_ca_whose_key_is_gone_stops_nobody() {
    let mut installation = Installation::start();
    let device = installation.enroll("old");
    let first = issuer_named(&installation, "Tegata Issuing");
    let ceremony = Ceremony::of(&installation);
    create_issuing(&ceremony, "Successor", "");
    ceremony.act("rest-issuing", &of(&first)).done();
    installation.kill();
    std::fs::remove_file(installation.data().join(format!("keys/issuing-{first}.pem"))).expect("its key");
    installation.start_again();
    obtain(&installation, &device);
    let verified = verify_to_the_root(&installation, &device);
    assert_eq!(verified.code, 0, "its last list is served: {}", verified.said());
    assert!(issuer_of(&installation.enroll("new")).contains("Successor"));
    assert!(installation.log().contains("signs no more lists"), "{}", installation.log());
    assert!(installation.command(&["check"]).said().contains("key-missing"));
}

const REQUEST: &str = "root = \"root.pem\"\norganization = \"試験薬局\"\ncommon_name = \"Requested\"\ndays = 365\n\
    request = \"issuing.csr\"\nsign = \"sign-issuing.toml\"\ninstall = \"install-issuing.toml\"\n";

trait Refused {
    fn refused(&self, word: &str);
}

impl Refused for tegata_tests::Act {
    fn refused(&self, word: &str) {
        let outcome = self.perform();
        assert!(outcome.code != 0 && outcome.said().contains(word), "{word}: {}", outcome.said());
    }
}

fn named(name: &str, more: &str) -> String {
    format!("organization = \"試験薬局\"\ncommon_name = \"{name}\"\ndays = 365\n{more}")
}

fn of(issuer: &str) -> String {
    format!("issuer = \"{issuer}\"\n")
}

/// Gives the identifier of the new CA.
fn create_issuing(ceremony: &Ceremony, name: &str, more: &str) -> String {
    let lines = ceremony.act("create-issuing", &named(name, more)).done();
    let made = lines.iter().find(|line| line["what"] == "made").expect("what was made");
    made["issuer"].as_str().expect("an identifier").to_owned()
}

fn create_root() -> String {
    create_root_in("keys", "root")
}

fn create_root_in(keys: &str, key: &str) -> String {
    let unlock = if keys == "keys" { String::new() } else { format!("unlock = \"{keys}/../unlock.key\"\n") };
    format!(
        "organization = \"試験薬局\"\ncommon_name = \"Offline Root\"\ndays = 7300\nlist_days = 365\n\
         key = \"{key}\"\ncertificate = \"{key}.pem\"\nlist = \"{key}.crl\"\n[details.keys]\nfolder = \"{keys}\"\n{unlock}"
    )
}

fn sign_list(keys: &str, entries: &str) -> String {
    format!(
        "root = \"root.pem\"\nlist = \"root.crl\"\nnew_list = \"root-next.crl\"\nlist_days = 365\n{entries}\
         [details.keys]\nfolder = \"{keys}\"\nunlock = \"{keys}/../unlock.key\"\n"
    )
}

/// As if the machine of the root were this one.
fn with_keys_of_the_installation(ceremony: &Ceremony, act: &str) {
    let text = std::fs::read_to_string(ceremony.file(act)).expect("the act");
    let keys = "folder = \"../../keys\"\nunlock = \"../../unlock.key\"";
    std::fs::write(ceremony.file(act), text.replace("folder = \"keys\"", keys)).expect("a file");
}

fn is_believed(installation: &Installation, device: &Identity) {
    let verified = verify_to_the_root(installation, device);
    assert_eq!(verified.code, 0, "{}", verified.said());
    assert_eq!(ocsp_status(&ocsp(installation, device)), "good");
}

fn issuer_of(device: &Identity) -> String {
    openssl(&["x509", "-in", &device.file("cert.pem"), "-noout", "-issuer", "-nameopt", "utf8"]).good().stdout
}

fn issuer_named(installation: &Installation, name: &str) -> String {
    let issuers = installation.tell(&["issuer", "list"]);
    let found =
        issuers.as_array().expect("a list").iter().find(|one| one["subject"].to_string().contains(name));
    found.expect("the CA")["issuer"].as_str().expect("an identifier").to_owned()
}

/// What the device listener tells clients to offer.
fn hints(installation: &Installation) -> String {
    until("both are offered", || {
        let hints = hints_of(installation);
        hints.contains("Successor").then_some(hints)
    })
}

fn hints_of(installation: &Installation) -> String {
    let at = format!("127.0.0.1:{}", ports::of(&installation.device));
    let said = openssl(&["s_client", "-connect", &at, "-servername", "localhost", "-nameopt", "utf8"]);
    said.said()
}

/// The responder of an ended CA, whose own certificate is below the chain that the device keeps.
fn ocsp_with_roots(installation: &Installation, device: &Identity) -> Outcome {
    let issuing = device.folder.join("issuing.pem");
    let anchors = device.folder.join("anchors.pem");
    let texts =
        [installation.ca.clone(), issuing.clone()].map(|file| std::fs::read_to_string(file).expect("PEM"));
    std::fs::write(&anchors, texts.concat()).expect("a file");
    let certificate = device.file("cert.pem");
    let url = openssl::url_after(&openssl::text(&certificate), "OCSP - URI:");
    openssl(&[
        "ocsp",
        "-issuer",
        text(&issuing),
        "-cert",
        &certificate,
        "-url",
        &url,
        "-CAfile",
        text(&anchors),
        "-nonce",
    ])
}

/// Whether openssl believes the issuing CA by this list of its root.
fn openssl_revokes(
    installation: &Installation,
    device: &Identity,
    list: &Path,
    certificate: &Path,
) -> Outcome {
    let pem = device.folder.join("root-list.pem");
    openssl(&["crl", "-inform", "DER", "-in", text(list), "-out", text(&pem)]).good();
    let ca = installation.ca.display().to_string();
    openssl(&["verify", "-CAfile", &ca, "-crl_check", "-CRLfile", text(&pem), text(certificate)])
}

fn fetch_root_list(installation: &Installation, file: &Path) {
    let root = issuer_named(installation, "Tegata Root");
    let url = format!("{}/crl/{root}.crl", installation.public);
    let answer = until("the list is served", || {
        let answer = Curl::to(&url).send();
        (answer.status == 200).then_some(answer)
    });
    std::fs::write(file, answer.body).expect("a file");
}

fn crl_text(der: &[u8]) -> String {
    let folder = folder();
    let file = folder.path().join("crl");
    std::fs::write(&file, der).expect("a file");
    openssl(&["crl", "-inform", "DER", "-in", text(&file), "-noout", "-text"]).good().stdout
}

fn csr_of_another() -> String {
    let folder = folder();
    let key = folder.path().join("key");
    let arguments = [
        "req",
        "-new",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-subj",
        "/",
        "-keyout",
        text(&key),
    ];
    openssl(&arguments).good().stdout
}

/// Everything an act could change.
#[derive(PartialEq)]
struct State {
    files: BTreeMap<String, Vec<u8>>,
    /// CAs, tenants, and how long the audit log is.
    told: [Value; 3],
}

fn state(installation: &Installation) -> State {
    let told = [&["issuer", "list"][..], &["tenant", "list"]].map(|arguments| installation.tell(arguments));
    let [issuers, tenants] = told;
    // The audit log has an entry for every change.
    let check = installation.command(&["check"]).json().to_string();
    let (_, audit) = check.split_once("audit").expect("the audit log");
    let audit: String = audit.chars().take(60).collect();
    let mut files = BTreeMap::new();
    collect(&installation.data(), &mut files);
    files.retain(|name, _| !name.contains("ledger.db-"));
    State { files, told: [issuers, tenants, audit.into()] }
}

fn collect(folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.insert(path.display().to_string(), std::fs::read(&path).expect("a file"));
        }
    }
}

fn init_without_ca(data: &Path) {
    let port = ports::free();
    let mut command = Command::new(tegata());
    command.args(["init", "--without-ca", "--public-port", &port.to_string(), "--data"]).arg(data);
    Outcome::of(&mut command).good();
    let refused = Outcome::of(Command::new(tegata()).args(["serve", "--data"]).arg(data));
    assert!(refused.code == 1 && refused.stderr.contains("no issuing CA"), "{}", refused.said());
}

fn make_private(folder: &Path) {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().mode(0o700).create(folder).expect("a folder");
}

fn carry(from: &Ceremony, to: &Path, names: &[&str]) {
    for name in names {
        std::fs::copy(from.file(name), to.join(name)).expect("a copy");
    }
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn folder() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("tegata-e2e-").tempdir().expect("a folder")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

fn rand_name() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed).to_string()
}

/// A running server takes a ceremony over by itself, soon.
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..300 {
        if let Some(found) = look() {
            return found;
        }
        sleep(Duration::from_millis(100));
    }
    panic!("not yet: {what}");
}
