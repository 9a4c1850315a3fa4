//! A profile as an Apple device reads it: signed by the portal, a property list, and followed to the letter.

use super::device::{Payload, install};
use rcgen::KeyPair;
use serde_json::Value;
use std::path::Path;
use tegata_tests::acme::{Binding, refusal};
use tegata_tests::installation::text_of;
use tegata_tests::openssl::openssl;
use tegata_tests::{Answer, Curl, Installation, run};

const AS_JSON: &str = "import base64, json, plistlib, sys; print(json.dumps(plistlib.load(open(sys.argv[1], 'rb')), \
                       default=lambda data: base64.b64encode(data).decode()))";

#[test]
fn a_device_that_installs_the_profile_ends_with_a_working_certificate_and_the_profile_works_once() {
    let installation = Installation::start();
    let code = Binding::invited(&installation, "<iPad> & 薬局").code;
    let answer = ask(&installation, &[("code", &code)]).expect(200);
    assert_eq!(answer.header("content-type"), "application/x-apple-aspen-config");
    assert_eq!(answer.header("cache-control"), "no-store");
    let profile = read(&installation, &answer);
    assert_eq!(profile["PayloadType"], "Configuration");
    assert!(text_of(&profile, "PayloadDisplayName").ends_with("<iPad> & 薬局"), "{profile}");
    let acme = acme_of(&profile);
    assert_eq!((&acme["HardwareBound"], &acme["Attest"]), (&true.into(), &false.into()));
    assert_eq!((&acme["KeyType"], &acme["KeySize"]), (&"ECSECPrimeRandom".into(), &256.into()));

    let key = KeyPair::generate().expect("a key");
    let chain = install(&installation, &payload(acme), &key, None).expect("a certificate");
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
    let refused = install(&installation, &payload(acme), &thief, None).expect_err("once");
    assert_eq!(refusal(&refused), ("unauthorized".into(), "I-02".into()));
    assert_eq!(ask(&installation, &[("code", &code)]).expect(409).problem(), "I-02");
}

#[test]
fn the_next_profile_of_a_device_takes_the_place_of_the_last() {
    let installation = Installation::start();
    let [first, second] = ["one", "two"].map(|label| {
        let code = Binding::invited(&installation, label).code;
        let wish = [("code", code.as_str()), ("hardware_bound", "false")];
        read(&installation, &ask(&installation, &wish).expect(200))
    });
    assert_eq!(first["PayloadIdentifier"], second["PayloadIdentifier"]);
    assert_ne!(first["PayloadUUID"], second["PayloadUUID"]);
    assert_eq!(acme_of(&first)["PayloadIdentifier"], acme_of(&second)["PayloadIdentifier"]);
    let soft = acme_of(&first);
    assert_eq!((&soft["HardwareBound"], &soft["AllowAllAppsAccess"]), (&false.into(), &true.into()));
}

#[test]
fn without_an_invitation_or_from_a_foreign_page_nobody_gets_a_profile() {
    let installation = Installation::start();
    let code = Binding::invited(&installation, "one").code;
    let unknown = "0".repeat(code.len());
    assert_eq!(ask(&installation, &[("code", &unknown)]).expect(404).problem(), "I-01");
    let (code, long) = (code.as_str(), "0".repeat(4096));
    for wish in [&[][..], &[("code", code), ("more", "1")], &[("code", &long)]] {
        assert_eq!(ask(&installation, wish).expect(400).problem(), "R-01");
    }
    let foreign = curl(&installation).header("origin", "https://elsewhere.example").form(&[("code", code)]);
    assert_eq!(foreign.send().status, 403);
    let in_url = format!("{}/api/v1/profiles?code={code}", installation.portal);
    assert_eq!(Curl::to(&in_url).trusting(&installation.tls_ca).send().status, 405);
}

fn ask(installation: &Installation, wish: &[(&str, &str)]) -> Answer {
    curl(installation).form(wish).send()
}

fn curl(installation: &Installation) -> Curl {
    Curl::to(&format!("{}/api/v1/profiles", installation.portal)).trusting(&installation.tls_ca)
}

/// What is in a profile whose signature openssl believes.
fn read(installation: &Installation, answer: &Answer) -> Value {
    let folder = installation.folder("profile");
    let path = |name: &str| folder.join(name).display().to_string();
    std::fs::write(path("signed"), &answer.body).expect("a file");
    let trusted = installation.tls_ca.display().to_string();
    let verify = ["cms", "-verify", "-inform", "DER", "-in", &path("signed"), "-CAfile", &trusted];
    openssl(&[&verify[..], &["-purpose", "any", "-binary", "-out", &path("plist")]].concat()).good();
    serde_json::from_str(&run("python3", &["-c", AS_JSON, &path("plist")])).expect("a property list")
}

fn acme_of(profile: &Value) -> &Value {
    let acme = &profile["PayloadContent"][1];
    assert_eq!(acme["PayloadType"], "com.apple.security.acme");
    acme
}

fn payload(acme: &Value) -> Payload {
    Payload {
        directory_url: text_of(acme, "DirectoryURL"),
        client_identifier: text_of(acme, "ClientIdentifier"),
        attest: acme["Attest"].as_bool().expect("a flag"),
    }
}

/// The CA that came in the profile is the one between the certificate and the root.
fn verified_by(installation: &Installation, issuing: &str, chain: &Path) {
    let file = chain.with_file_name("issuing.pem");
    let lines: Vec<_> =
        issuing.as_bytes().chunks(64).map(|line| str::from_utf8(line).expect("ASCII")).collect();
    let pem = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"));
    std::fs::write(&file, pem).expect("a file");
    let [root, issuing, chain] = [&installation.ca, &file, chain].map(|path| path.display().to_string());
    openssl(&["verify", "-x509_strict", "-CAfile", &root, "-untrusted", &issuing, &chain]).good();
}
