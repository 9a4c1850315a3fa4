//! Acts: what a stick carries, and what a rehearsal leaves alone.

use crate::support::{
    REQUEST, create_issuing, create_root, create_root_in, fetch_root_list, folder, is_believed, issuer_named,
    make_private, named, of, sign_list, text, with_keys_of_the_installation,
};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use tegata_tests::{Ceremony, CommandOutcome, RunningInstallation, ports, tegata};

#[test]
fn a_root_that_never_meets_a_network_signs_what_a_stick_carries() {
    let (online, offline, stick) = (folder(), folder(), folder());
    init_without_ca(online.path());
    let root = Ceremony::at(offline.path(), None);
    make_private(&root.file("keys"));
    let act = root.act("create-root", &create_root());
    act.run(&["--perform", "--transcript", text(&root.file("root.jsonl"))]).good();
    carry(&root, stick.path(), &["root.pem", "root.crl"]);

    let workspace = Ceremony::at(stick.path(), Some(online.path()));
    workspace.act("request-issuing", REQUEST).done();
    for name in ["issuing.csr", "sign-issuing.toml"] {
        std::fs::copy(workspace.file(name), root.file(name)).expect("a copy");
    }
    let sign = root.written("sign-issuing.toml");
    assert!(sign.rehearse().good().stdout.contains("pathlen 0"));
    assert!(!root.file("issuing.pem").exists());
    sign.run(&["--perform", "--transcript", text(&root.file("sign.jsonl"))]).good();
    carry(&root, stick.path(), &["issuing.pem", "root-next.crl"]);

    // The draft names the thumbprint of the new root; without it a root is not trusted.
    let install = std::fs::read_to_string(workspace.file("install-issuing.toml")).expect("the act");
    let unexpected: String =
        install.lines().filter(|line| !line.starts_with("new_root")).collect::<Vec<_>>().join("\n");
    std::fs::write(workspace.file("unexpected.toml"), unexpected).expect("a file");
    let refused = workspace.written("unexpected.toml").perform();
    assert!(refused.code == 2 && refused.stderr.contains("Compare its thumbprint"), "{}", refused.said());
    workspace.written("install-issuing.toml").done();
    assert_eq!(workspace.written("install-issuing.toml").perform().code, 2, "once is enough");

    let installation = RunningInstallation::start_in(online, Vec::new());
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
    let mut installation = RunningInstallation::start();
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
    let names = |state: &InstallationState| state.files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&after), names(&before));
    assert_eq!(after.told, before.told);
    assert!(after.files == before.files, "no file has another content");
}

/// Everything an act could change.
#[derive(PartialEq)]
struct InstallationState {
    files: BTreeMap<String, Vec<u8>>,
    /// CAs, tenants, and how long the audit log is.
    told: [Value; 3],
}

fn state(installation: &RunningInstallation) -> InstallationState {
    let told = [&["issuer", "list"][..], &["tenant", "list"]].map(|arguments| installation.tell(arguments));
    let [issuers, tenants] = told;
    // The audit log has an entry for every change.
    let check = installation.command(&["check"]).json().to_string();
    let (_, audit) = check.split_once("audit").expect("the audit log");
    let audit: String = audit.chars().take(60).collect();
    let mut files = BTreeMap::new();
    collect(&installation.data(), &mut files);
    files.retain(|name, _| !name.contains("ledger.db-"));
    InstallationState { files, told: [issuers, tenants, audit.into()] }
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
    let mut command = Command::new(tegata());
    command.args(["init", "--without-ca", "--data"]).arg(data);
    for port in ["--portal-port", "--device-port", "--public-port"] {
        command.args([port, &ports::free().to_string()]);
    }
    CommandOutcome::of(&mut command).good();
    let refused = CommandOutcome::of(Command::new(tegata()).args(["serve", "--data"]).arg(data));
    assert!(refused.code == 1 && refused.stderr.contains("no issuing CA"), "{}", refused.said());
}

fn carry(from: &Ceremony, to: &Path, names: &[&str]) {
    for name in names {
        std::fs::copy(from.file(name), to.join(name)).expect("a copy");
    }
}
