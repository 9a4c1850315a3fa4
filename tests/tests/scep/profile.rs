//! A profile with a SCEP payload, followed to the letter.

use super::{code, verified};
use serde_json::Value;
use tegata_tests::installation::text_of;
use tegata_tests::openssl::openssl;
use tegata_tests::scep::ScepClient;
use tegata_tests::{Curl, CurlAnswer, RunningInstallation, run};

const AS_JSON: &str = "import base64, json, plistlib, sys; print(json.dumps(plistlib.load(open(sys.argv[1], 'rb')), \
                       default=lambda data: data.hex()))";

#[test]
fn a_device_that_installs_the_profile_ends_with_a_working_certificate() {
    let mut installation = RunningInstallation::start();
    let code = code(&installation.invite("ipad-1"));
    let profile = read(&installation, &ask(&installation, &code, "scep").expect(200));
    let payload = &profile["PayloadContent"][1];
    assert_eq!(payload["PayloadType"], "com.apple.security.scep");
    let wanted = &payload["PayloadContent"];
    assert_eq!(
        (&wanted["Key Type"], &wanted["Keysize"], &wanted["Key Usage"]),
        (&"RSA".into(), &2048.into(), &5.into())
    );

    let client = ScepClient::new(installation.folder("ipad"), &text_of(wanted, "URL"));
    let named = format!("{}?operation=GetCACert&message={}", text_of(wanted, "URL"), text_of(wanted, "Name"));
    Curl::to(&named).send().expect(200);
    let cas = std::fs::read_to_string(client.path("ca.pem")).expect("a file");
    let prints = cas.split_inclusive("-----END CERTIFICATE-----\n").map(|certificate| {
        client.write("one.pem", certificate.as_bytes());
        let said = client.openssl(&["x509", "-in", "one.pem", "-noout", "-fingerprint", "-sha1"]);
        said.trim().rsplit('=').next().unwrap_or_default().replace(':', "").to_lowercase()
    });
    let print = text_of(wanted, "CAFingerprint");
    assert!(prints.collect::<Vec<_>>().contains(&print), "{print} is a CA of the answer's");
    client.new_key("device");
    let reply = client.send(&client.first("device", "profile", &text_of(wanted, "Challenge")));
    client.keep(&reply, "device");
    verified(&installation, &client.path("device.pem"));

    assert_eq!(ask(&installation, &code, "scep").expect(409).problem(), "I-02", "it was used");
    installation.reconfigure(|text| text.replace("[scep]\nenabled = true", "[scep]\nenabled = false"));
    let other = super::code(&installation.invite("ipad-2"));
    ask(&installation, &other, "scep").expect(404);
    ask(&installation, &other, "acme").expect(200);
}

fn ask(installation: &RunningInstallation, code: &str, by: &str) -> CurlAnswer {
    let profiles =
        Curl::to(&format!("{}/api/v1/profiles", installation.portal)).trusting(&installation.tls_ca);
    profiles.form(&[("code", code), ("by", by)]).send()
}

/// What is in a profile whose signature openssl believes.
fn read(installation: &RunningInstallation, answer: &CurlAnswer) -> Value {
    let folder = installation.folder("profile");
    let path = |name: &str| folder.join(name).display().to_string();
    std::fs::write(path("signed"), &answer.body).expect("a file");
    let trusted = installation.tls_ca.display().to_string();
    let verify = ["cms", "-verify", "-inform", "DER", "-in", &path("signed"), "-CAfile", &trusted];
    openssl(&[&verify[..], &["-purpose", "any", "-binary", "-out", &path("plist")]].concat()).good();
    serde_json::from_str(&run("python3", &["-c", AS_JSON, &path("plist")])).expect("a property list")
}
