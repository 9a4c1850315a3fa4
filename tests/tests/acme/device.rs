//! A device with an ACME payload (`com.apple.security.acme`), which it follows to the letter: an account without a binding,
//! its `ClientIdentifier` as the permanent identifier, and an attestation of its key when the payload says so.

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use ring::digest::{SHA256, digest};
use serde_json::json;
use tegata_tests::acme::{AcmeClient, Binding, encoded, refusal};
use tegata_tests::apple::{self, Payload, challenge};
use tegata_tests::{CurlAnswer, RunningInstallation};

/// The maker: a root, a CA below it, and what it says about keys of its devices.
struct Maker {
    root: Vec<u8>,
    intermediate: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
}

#[test]
fn a_device_that_makes_its_own_key_enrolls_by_its_payload_once() {
    let installation = RunningInstallation::start();
    let payload = payload(&installation, "iPad-1", false);
    let key = KeyPair::generate().expect("a key");
    let chain = install(&installation, &payload, &key, None).expect("a certificate");
    assert_eq!(chain.matches("BEGIN CERTIFICATE").count(), 2, "the leaf and the issuing CA");
    let folder = installation.folder("ipad");
    let (chain_file, key_file) = (folder.join("chain.pem"), folder.join("key.pem"));
    std::fs::write(&chain_file, chain).expect("a file");
    std::fs::write(&key_file, key.serialize_pem()).expect("a file");
    super::verified(&installation, &chain_file);
    assert_eq!(super::seen(&installation, &chain_file, &key_file), Ok(1));
    let label = &installation.listed(&["device", "list"])[0]["label"];
    assert_eq!(label, "iPad-1", "who it is comes from the invitation");

    let thief = KeyPair::generate().expect("a key");
    let refused = install(&installation, &payload, &thief, None).expect_err("a payload works once");
    assert_eq!(refusal(&refused), ("unauthorized".into(), "I-02".into()));
}

#[test]
fn an_attestation_fixes_the_key_and_a_false_one_gets_nothing() {
    let mut installation = RunningInstallation::start();
    let (maker, stranger) = (Maker::new(), Maker::new());
    let unknown = payload(&installation, "early", true);
    let key = KeyPair::generate().expect("a key");
    let refused = install(&installation, &unknown, &key, Some(&maker)).expect_err("nobody is believed yet");
    assert_eq!(refusal(&refused), ("badAttestationStatement".into(), "A-08".into()));

    believe(&mut installation, &maker);
    let payload = payload(&installation, "iPhone-1", true);
    for liar in [Some(&stranger), None] {
        let key = KeyPair::generate().expect("a key");
        let refused = install(&installation, &payload, &key, liar).expect_err("a lie");
        assert_eq!(refusal(&refused), ("badAttestationStatement".into(), "A-08".into()));
    }
    other_challenges_and_keys(&installation, &payload, &maker);
    let key = KeyPair::generate().expect("a key");
    install(&installation, &payload, &key, Some(&maker))
        .expect("the invitation is still good for the honest one");
}

/// An attestation that was made for another challenge, and a key that nobody attested.
fn other_challenges_and_keys(installation: &RunningInstallation, payload: &Payload, maker: &Maker) {
    let mut client = AcmeClient::new(installation, &payload.directory_url);
    client.register(None).expect(201);
    let key = KeyPair::generate().expect("a key");
    let order = client.order("permanent-identifier", &payload.client_identifier).expect(201);
    let (challenge, _) = challenge(&client, &order);
    let old = maker.attest(&key, b"the token of another day");
    let refused = client.post(&challenge, &json!({ "attObj": encoded(&old) }));
    assert_eq!(refusal(&refused), ("badAttestationStatement".into(), "A-08".into()));
    let ended = client.read(order.header("location")).expect(200).json();
    assert_eq!(ended["status"], "invalid", "a failed challenge ends the order");

    let order = client.order("permanent-identifier", &payload.client_identifier).expect(201);
    let (challenge, token) = apple::challenge(&client, &order);
    let attested = maker.attest(&key, token.as_bytes());
    client.post(&challenge, &json!({ "attObj": encoded(&attested) })).expect(200);
    let other = KeyPair::generate().expect("a key");
    assert_eq!(refusal(&client.finalize(&order, &other)), ("badCSR".into(), "A-08".into()));
}

/// What the device does when the profile is installed.
fn install(
    installation: &RunningInstallation,
    payload: &Payload,
    key: &KeyPair,
    maker: Option<&Maker>,
) -> Result<String, CurlAnswer> {
    let attested = |token: &[u8]| maker.map(|maker| maker.attest(key, token));
    apple::install(installation, payload, key, &attested)
}

fn payload(installation: &RunningInstallation, label: &str, attest: bool) -> Payload {
    Payload {
        directory_url: format!("{}/acme/device/directory", installation.portal),
        client_identifier: Binding::invited(installation, label).code,
        attest,
    }
}

/// From now on attestations are asked for, and this maker is believed.
fn believe(installation: &mut RunningInstallation, maker: &Maker) {
    let config = installation.data().join("tegata.toml");
    let pem = format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        tegata_tests::csr::encoded(&maker.root)
    );
    std::fs::write(installation.data().join("maker.pem"), pem).expect("a file");
    let text = std::fs::read_to_string(&config).expect("the configuration");
    let section = "[acme]\nattestation_roots = \"maker.pem\"\nrequire_attestation = true\n";
    std::fs::write(&config, format!("{text}\n{section}")).expect("the configuration");
    installation.start_again();
}

impl Maker {
    fn new() -> Self {
        let (root_params, root_key) = (ca("Attestation Root"), KeyPair::generate().expect("a key"));
        let root = root_params.self_signed(&root_key).expect("a root").der().to_vec();
        let root_issuer = Issuer::new(root_params, root_key);
        let (params, key) = (ca("Attestation CA"), KeyPair::generate().expect("a key"));
        let intermediate = params.signed_by(&key, &root_issuer).expect("a CA").der().to_vec();
        Self { root, intermediate, issuer: Issuer::new(params, key) }
    }

    /// A `WebAuthn` attestation object of format `apple`, made for a token.
    fn attest(&self, key: &KeyPair, token: &[u8]) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "a device");
        let freshness = digest(&SHA256, token).as_ref().to_vec();
        let oid = &[1, 2, 840, 113_635, 100, 8, 11, 1];
        params.custom_extensions.push(CustomExtension::from_oid_content(oid, freshness));
        let leaf = params.signed_by(key, &self.issuer).expect("a leaf").der().to_vec();
        let chain = [&[0x82][..], &bytes(&leaf), &bytes(&self.intermediate)].concat();
        [b"\xa2\x63fmt\x65apple\x67attStmt\xa1\x63x5c", &*chain].concat()
    }
}

fn ca(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

/// A CBOR byte string of 256 to 65535 bytes.
fn bytes(content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("a certificate").to_be_bytes();
    [&[0x59][..], &length, content].concat()
}
