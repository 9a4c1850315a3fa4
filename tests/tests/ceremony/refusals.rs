//! What is refused, and leaves nothing behind.

use crate::support::{
    REQUEST, RefusedAct, create_root, fetch_root_list, folder, issuer_named, make_private, named, of, text,
    with_keys_of_the_installation,
};
use std::path::Path;
use tegata_tests::openssl::openssl;
use tegata_tests::{Ceremony, RunningInstallation};

#[test]
fn what_does_not_belong_is_refused_and_leaves_nothing_behind() {
    let installation = RunningInstallation::start();
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

fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
