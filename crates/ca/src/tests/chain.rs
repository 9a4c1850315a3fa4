//! Every profile with every kind of key: what five families of software say of the certificate and its chain.

use super::fixture::{CaWorld, pem, text};
use super::tools::{certtool, keytool, openssl, pkilint, run};
use crate::subject::CertificateSubject;
use crate::{CertificateProfile, Issuer, ParsedRequest, SignedCertificate};
use tegata_core::Timestamp;

/// Kinds of keys, by openssl's words for making one.
const KEYS: [(&str, &str); 4] = [
    ("P-256", "ec -pkeyopt ec_paramgen_curve:P-256"),
    ("P-384", "ec -pkeyopt ec_paramgen_curve:P-384"),
    ("RSA", "rsa:2048"),
    ("Ed25519", "ed25519"),
];

/// The shipped profiles with all kinds of keys, and one that makes use of every choice there is.
fn profiles() -> [CertificateProfile; 3] {
    let all = "keys = [\"p256\", \"p384\", \"rsa\", \"ed25519\"]";
    let open = |text: &str| {
        let opened = text.replacen("\nkeys = [\"p256\"]", &format!("\n{all}"), 1);
        assert_ne!(opened, text);
        CertificateProfile::parse("opened.toml", &opened).unwrap()
    };
    let chosen = format!(
        "role = \"device\"\n{all}\nrsa_bits = 2048\nrsa_key_encipherment = true\nvalidity_days = 730\n\
         backdate_minutes = 60\n[subject]\ncommon_name = \"{{site}} {{label}} {{device}}\"\norganization = \"テスト薬局\"\n\
         country = \"JP\"\n[[policies]]\noid = \"1.3.6.1.4.1.32473.1\"\ncps = \"https://pki.example.jp/cps\"\n\
         notice = \"薬局端末の認証に限ります\"\n[[policies]]\noid = \"1.3.6.1.4.1.32473.2\"\n"
    );
    let [device, gate] =
        [include_str!("../../../../ca-config/device.toml"), include_str!("../../../../ca-config/gate.toml")];
    [open(device), open(gate), CertificateProfile::parse("chosen.toml", &chosen).unwrap()]
}

/// A certificate of each profile for each kind of key.
fn certificates(fixture: &CaWorld, profile: &CertificateProfile) -> Vec<(&'static str, SignedCertificate)> {
    let holder = CertificateSubject { role: profile.role(), ..fixture.holder("本店", "受付PC") };
    let issue = |(name, options): (&'static str, &str)| {
        let request = request_by_openssl(fixture, options);
        let prepared = fixture.prepare_for(profile, &holder, &request, fixture.now()).unwrap();
        (name, prepared.sign(&fixture.issuing).unwrap())
    };
    KEYS.map(issue).into()
}

fn request_by_openssl(fixture: &CaWorld, key: &str) -> ParsedRequest {
    let file = fixture.file("requested.key", b"");
    let fixed =
        ["req", "-new", "-nodes", "-subj", "/CN=x", "-outform", "DER", "-keyout", text(&file), "-newkey"];
    ParsedRequest::parse(&openssl(fixed.into_iter().chain(key.split_whitespace())).stdout).unwrap()
}

/// Certtool and keytool know only the machine's clock.
#[expect(clippy::disallowed_methods, reason = "certtool judges by the machine's clock and no other")]
fn fixture() -> CaWorld {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    CaWorld::at(Timestamp::default().plus(since_epoch))
}

/// Asks about every certificate of every profile.
fn ask_about_each(judge: impl Fn(&CaWorld, &CertificateProfile, &str, &SignedCertificate)) {
    let fixture = fixture();
    for profile in profiles() {
        for (name, certificate) in certificates(&fixture, &profile) {
            judge(&fixture, &profile, name, &certificate);
        }
    }
}

fn cas(fixture: &CaWorld) -> [&[u8]; 2] {
    [&fixture.issuing, &fixture.root].map(Issuer::certificate)
}

#[test]
fn pkilint_has_nothing_to_say() {
    ask_about_each(|fixture, _, name, certificate| {
        let findings = pkilint("lint_pkix_cert", &[], &fixture.pem_file("leaf.pem", &[&certificate.der]));
        assert!(findings.is_empty(), "{name}: {findings:?}");
    });
}

#[test]
fn openssl_verifies_each_chain_and_reads_what_the_profile_chose() {
    ask_about_each(|fixture, profile, name, certificate| {
        let [issuing, root] = cas(fixture);
        let leaf = fixture.pem_file("leaf.pem", &[&certificate.der]);
        let (root, issuing) =
            (fixture.pem_file("root.pem", &[root]), fixture.pem_file("issuing.pem", &[issuing]));
        let chain = ["-CAfile", text(&root), "-untrusted", text(&issuing), text(&leaf)];
        let verify = |options: &[&str]| {
            let fixed = ["verify", "-x509_strict"].iter().chain(options).chain(&chain);
            run("openssl", fixed, b"", "apt-get install openssl").status.success()
        };
        assert!(verify(&["-purpose", "sslclient"]), "{name}");
        assert!(!verify(&["-purpose", "sslserver"]), "{name}");
        // Whoever insists on a policy is satisfied by those the profile names, and by no others.
        let has_policies = !profile.policies().is_empty();
        assert_eq!(verify(&["-explicit_policy", "-policy", "1.3.6.1.4.1.32473.1"]), has_policies, "{name}");
        assert!(!verify(&["-explicit_policy", "-policy", "1.3.6.1.4.1.32473.9"]), "{name}");

        let said = openssl(["x509", "-noout", "-text", "-nameopt", "utf8", "-in", text(&leaf)]).stdout;
        let said = String::from_utf8_lossy(&said).into_owned();
        let is_rsa = name == "RSA";
        assert_eq!(said.contains("Key Encipherment"), is_rsa && has_policies, "{said}");
        for chosen in
            ["Subject: C=JP, O=テスト薬局", "Policy: 1.3.6.1.4.1.32473.1", "CPS: https://pki.example.jp/cps"]
        {
            assert_eq!(said.contains(chosen), has_policies, "{chosen} {said}");
        }
    });
}

#[test]
fn gnutls_verifies_each_chain() {
    ask_about_each(|fixture, _, name, certificate| {
        let [issuing, root] = cas(fixture);
        let chain = pem(&[&certificate.der, issuing, root]);
        let output = certtool(["--verify-chain"], chain.as_bytes());
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains("Verified. The certificate is trusted."), "{name}: {said}");
        let read = certtool(["--certificate-info"], pem(&[&certificate.der]).as_bytes());
        let read = String::from_utf8_lossy(&read.stdout).into_owned();
        assert!(read.contains("TLS WWW Client"), "{name}: {read}");
    });
}

#[test]
fn nss_verifies_each_chain_for_clients_alone() {
    const CLIENT: &str = "0";
    const SERVER: &str = "1";
    ask_about_each(|fixture, _, name, certificate| {
        if name == "Ed25519" {
            return; // NSS knows no such keys in certificates.
        }
        let [issuing, root] = cas(fixture);
        let root = fixture.pem_file("root.pem", &[root]);
        let (leaf, issuing) =
            (fixture.pem_file("leaf.pem", &[&certificate.der]), fixture.pem_file("issuing.pem", &[issuing]));
        let verify = |usage, trusted: &[&str]| {
            let chain = ["-pp", "-u", usage, "-a", text(&leaf), "-a", text(&issuing)];
            run("vfychain", chain.iter().chain(trusted), b"", "apt-get install libnss3-tools")
                .status
                .success()
        };
        let trusted = ["-t", "-a", text(&root)];
        assert!(verify(CLIENT, &trusted), "{name}");
        assert!(!verify(SERVER, &trusted), "{name}");
        assert!(!verify(CLIENT, &[]), "{name}: nobody is trusted without a root");
    });
}

#[test]
fn java_takes_each_chain_without_asking_a_person() {
    ask_about_each(|fixture, _, name, certificate| {
        let [issuing, root] = cas(fixture);
        let store = fixture.file("added.pem", b"").with_file_name(format!("{}.p12", certificate.serial));
        let add = |alias: &str, der: &[u8], by_hand: bool| {
            let file = fixture.pem_file("added.pem", &[der]);
            let asked = ["-importcert", "-alias", alias, "-file", text(&file), "-keystore", text(&store)];
            let asked = asked.into_iter().chain(["-storepass", "changeit", "-storetype", "PKCS12"]);
            keytool(asked.chain(by_hand.then_some("-noprompt"))).contains("was added to keystore")
        };
        assert!(add("root", root, true));
        assert!(!add("too-early", &certificate.der, false), "{name}: its issuer is not known yet");
        assert!(add("issuing", issuing, false), "{name}");
        assert!(add("leaf", &certificate.der, false), "{name}");
        let leaf = fixture.pem_file("leaf.pem", &[&certificate.der]);
        let said = keytool(["-printcert", "-file", text(&leaf)]);
        for expected in ["clientAuth", "DigitalSignature", "http://pki.example.jp/ocsp/", "CA:false"] {
            assert!(said.contains(expected), "{name}: {expected} in {said}");
        }
    });
}

#[test]
fn a_key_shorter_than_the_profile_wants_is_refused() {
    let fixture = CaWorld::new();
    let text = include_str!("../../../../ca-config/device.toml").replacen(
        "\nkeys = [\"p256\"]",
        "\nkeys = [\"rsa\"]\nrsa_bits = 3072",
        1,
    );
    let profile = CertificateProfile::parse("rsa.toml", &text).unwrap();
    let prepare = |key| {
        let request = request_by_openssl(&fixture, key);
        fixture.prepare_for(&profile, &fixture.holder("本店", "受付PC"), &request, fixture.now())
    };
    assert!(prepare("rsa:3072").is_ok());
    let refused = crate::PrepareError::Refused(tegata_core::Refusal::KeyNotAllowed);
    for key in ["rsa:2048", "ed25519", "ec -pkeyopt ec_paramgen_curve:P-256"] {
        assert_eq!(prepare(key).unwrap_err(), refused, "{key}");
    }
}
