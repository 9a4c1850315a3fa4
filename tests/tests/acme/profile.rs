//! A profile as an Apple device reads it: signed by the portal, a property list, and followed to the letter.

use rcgen::KeyPair;
use serde_json::Value;
use std::path::Path;
use tegata_tests::acme::{Binding, refusal};
use tegata_tests::apple::{self, Payload, acme_of, payload};
use tegata_tests::installation::text_of;
use tegata_tests::openssl::openssl;
use tegata_tests::{Curl, CurlAnswer, RunningInstallation};

#[test]
fn a_profile_gives_a_device_a_working_certificate_and_works_once() {
    let installation = RunningInstallation::start();
    let code = Binding::invited(&installation, "<iPad> & 薬局").code;
    let answer = ask(&installation, &[("code", &code)]).expect(200);
    assert_eq!(answer.header("content-type"), "application/x-apple-aspen-config");
    assert_eq!(answer.header("cache-control"), "no-store");
    let profile = read(&installation, &answer);
    assert_eq!(profile["PayloadType"], "Configuration");
    assert!(text_of(&profile, "PayloadDisplayName").ends_with("<iPad> & 薬局"), "{profile}");
    let acme = acme_of(&profile);
    assert_eq!((&acme["HardwareBound"], &acme["Attest"]), (&true.into(), &false.into()));
    let ticket = text_of(acme, "ClientIdentifier");
    assert_ne!(ticket, code, "the code of the link lies in no folder");
    assert_eq!((&acme["KeyType"], &acme["KeySize"]), (&"ECSECPrimeRandom".into(), &256.into()));

    let key = KeyPair::generate().expect("a key");
    let chain = install(&installation, &payload(acme), &key).expect("a certificate");
    let folder = installation.folder("device");
    let (chain_file, key_file) = (folder.join("chain.pem"), folder.join("key.pem"));
    std::fs::write(&chain_file, chain).expect("a file");
    std::fs::write(&key_file, key.serialize_pem()).expect("a file");
    let issuing = &profile["PayloadContent"][0];
    assert_eq!(issuing["PayloadType"], "com.apple.security.pkcs1");
    super::verified(&installation, &chain_file);
    verified_by(&installation, &text_of(issuing, "PayloadContent"), &chain_file);
    assert_eq!(super::seen(&installation, &chain_file, &key_file), Ok(1));

    let thief = KeyPair::generate().expect("a key");
    let refused = install(&installation, &payload(acme), &thief).expect_err("once");
    assert_eq!(refusal(&refused), ("unauthorized".into(), "I-02".into()));
    assert_eq!(ask(&installation, &[("code", &code)]).expect(409).problem(), "I-02");
}

#[test]
fn the_next_profile_of_a_device_takes_the_place_of_the_last() {
    let installation = RunningInstallation::start();
    let [first, second] = ["one", "two"].map(|label| {
        let code = Binding::invited(&installation, label).code;
        let fields = [("code", code.as_str()), ("hardware_bound", "false")];
        read(&installation, &ask(&installation, &fields).expect(200))
    });
    assert_eq!(first["PayloadIdentifier"], second["PayloadIdentifier"]);
    assert_ne!(first["PayloadUUID"], second["PayloadUUID"]);
    assert_eq!(acme_of(&first)["PayloadIdentifier"], acme_of(&second)["PayloadIdentifier"]);
    let soft = acme_of(&first);
    assert_eq!((&soft["HardwareBound"], &soft["AllowAllAppsAccess"]), (&false.into(), &true.into()));
}

#[test]
fn a_short_code_is_as_good_for_a_profile_as_a_link_and_is_never_in_it() {
    let installation = RunningInstallation::start();
    let invited = installation.tell(&["invite", "--label", "iPad", "--code"]);
    let code = text_of(&invited, "code");
    let profile = read(&installation, &ask(&installation, &[("code", &code)]).expect(200));
    let payload = payload(acme_of(&profile));
    assert!(!payload.client_identifier.contains(&code.replace('-', "").to_lowercase()));
    let typed = Payload { client_identifier: code.clone(), ..payload.clone() };
    let key = KeyPair::generate().expect("a key");
    let refused = install(&installation, &typed, &key).expect_err("a short code can be guessed");
    assert_eq!(refusal(&refused), ("rejectedIdentifier".into(), "A-06".into()));
    install(&installation, &payload, &key).expect("a certificate");
    let refused = ask(&installation, &[("code", &code)]);
    assert_eq!(refused.expect(409).problem(), "I-02");
}

#[test]
fn a_profile_asks_for_attestation_where_it_is_required() {
    let mut installation = RunningInstallation::start();
    let root = installation.tls_ca.display().to_string();
    installation.reconfigure(|text| {
        format!("{text}\n[acme]\nattestation_roots = \"{root}\"\nrequire_attestation = true\n")
    });
    let code = Binding::invited(&installation, "one").code;
    let fields = [("code", code.as_str()), ("hardware_bound", "false")];
    let profile = read(&installation, &ask(&installation, &fields).expect(200));
    let acme = acme_of(&profile);
    assert_eq!((&acme["HardwareBound"], &acme["Attest"]), (&true.into(), &true.into()));
    let by_scep = ask(&installation, &[("code", &code), ("by", "scep")]);
    assert_eq!(by_scep.status, 404, "nothing is attested there");
}

#[test]
fn without_an_invitation_or_from_a_foreign_page_nobody_gets_a_profile() {
    let installation = RunningInstallation::start();
    let code = Binding::invited(&installation, "one").code;
    let unknown = "0".repeat(code.len());
    assert_eq!(ask(&installation, &[("code", &unknown)]).expect(404).problem(), "I-01");
    let (code, long) = (code.as_str(), "0".repeat(4096));
    for fields in [&[][..], &[("code", code), ("more", "1")], &[("code", ""), ("by", "acme")]] {
        assert_eq!(ask(&installation, fields).expect(400).problem(), "R-01");
    }
    assert_eq!(ask(&installation, &[("code", &long)]).expect(404).problem(), "I-01");
    let json = curl(&installation).json(&serde_json::json!({ "code": code })).send().expect(415);
    assert!(json.text().contains("application/x-www-form-urlencoded"), "{json}");
    let foreign = curl(&installation).header("origin", "https://elsewhere.example").form(&[("code", code)]);
    assert_eq!(foreign.send().status, 403);
    let in_url = format!("{}/api/v1/profiles?code={code}", installation.portal);
    assert_eq!(Curl::to(&in_url).trusting(&installation.tls_ca).send().status, 405);
}

fn ask(installation: &RunningInstallation, fields: &[(&str, &str)]) -> CurlAnswer {
    curl(installation).form(fields).send()
}

fn curl(installation: &RunningInstallation) -> Curl {
    Curl::to(&format!("{}/api/v1/profiles", installation.portal)).trusting(&installation.tls_ca)
}

fn read(installation: &RunningInstallation, answer: &CurlAnswer) -> Value {
    apple::read(installation, &answer.body)
}

fn install(
    installation: &RunningInstallation,
    payload: &Payload,
    key: &KeyPair,
) -> Result<String, CurlAnswer> {
    apple::install(installation, payload, key, &|_| None)
}

/// The CA that came in the profile is the one between the certificate and the root.
fn verified_by(installation: &RunningInstallation, issuing: &str, chain: &Path) {
    let file = chain.with_file_name("issuing.pem");
    let lines: Vec<_> =
        issuing.as_bytes().chunks(64).map(|line| str::from_utf8(line).expect("ASCII")).collect();
    let pem = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"));
    std::fs::write(&file, pem).expect("a file");
    let [root, issuing, chain] = [&installation.ca, &file, chain].map(|path| path.display().to_string());
    openssl(&["verify", "-x509_strict", "-CAfile", &root, "-untrusted", &issuing, &chain]).good();
}
