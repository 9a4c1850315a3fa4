//! Machines that bring an EST client of their own (RFC 7030): curl with openssl, and strongSwan's.

use tegata_tests::openssl::{openssl, text, url_after};
use tegata_tests::strongswan::show;
use tegata_tests::{Curl, CurlAnswer, RunningInstallation, StrongSwan, csr, run};

const EST: &str = "/.well-known/est";

#[test]
fn a_server_with_curl_and_openssl_enrolls_and_renews() {
    let installation = RunningInstallation::start();
    let folder = installation.folder("est");
    let path = |name: &str| show(&folder.join(name));

    let cas = at(&installation, "/cacerts").send().expect(200);
    assert!(cas.header("content-type").starts_with("application/pkcs7-mime"), "{cas}");
    let bag = certificates_of(&cas, &path("cas"));
    let [root, chain] =
        [&installation.ca, &installation.chain].map(|file| std::fs::read_to_string(file).unwrap());
    assert_eq!(sorted(&bag), sorted(&chain), "the root and the issuing CA");
    assert!(bag.contains(root.trim()));

    let wanted = at(&installation, "/csrattrs").send().expect(200);
    std::fs::write(path("attributes"), pem(&wanted)).unwrap();
    let read = run("openssl", &["asn1parse", "-in", &path("attributes")]);
    assert!(read.contains("prime256v1") && read.contains("ecdsa-with-SHA256"), "{read}");

    let code = code(&installation.invite("switch-1"));
    new_key(&path("first.key"));
    let issued = enroll(&installation, &code, &wrapped(&csr::for_key(&path("first.key")))).expect(200);
    assert!(!issued.text().trim_end().contains('\n'), "not every client reads several lines");
    std::fs::write(path("first.pem"), certificates_of(&issued, &path("first"))).unwrap();
    verified(&installation, &path("first.pem"));
    let lost = enroll(&installation, &code, &csr::for_key(&path("first.key"))).expect(200);
    assert_eq!(lost.body, issued.body, "an answer that was lost is given again");

    new_key(&path("second.key"));
    let renew = |csr: &str, certificate: &str, key: &str| {
        at(&installation, "/simplereenroll")
            .presenting(certificate, key)
            .body("application/pkcs10", csr)
            .send()
    };
    let second = csr::for_key(&path("second.key"));
    let renewed = renew(&second, &path("first.pem"), &path("first.key")).expect(200);
    std::fs::write(path("second.pem"), certificates_of(&renewed, &path("second"))).unwrap();
    verified(&installation, &path("second.pem"));
    assert_eq!(identity(&path("second.pem")), identity(&path("first.pem")), "the same device");
    let seen = installation.at_device("/probe").presenting(&path("second.pem"), &path("second.key"));
    assert_eq!(seen.send().expect(200).json()["generation"], 2);
    let older = renew(&csr::honest(), &path("first.pem"), &path("first.key"));
    assert_eq!(older.expect(409).problem(), "K-06", "once the second works, only the second renews");
}

#[test]
fn strongswan_fetches_the_cas_enrolls_and_renews() {
    let installation = RunningInstallation::start();
    let client = StrongSwan::in_folder(installation.folder("strongswan"));
    let tls = show(&installation.tls_ca);
    let server = ["--url", &installation.device, "--cacert", &tls];

    let cas = [&["--estca"], &server[..], &["--caout", "ca.der"]].concat();
    let said = client.pki(&cas, "nothing").good().stderr;
    assert!(said.contains("Sub CA cert is trusted"), "{said}");

    client.request("first");
    let user = format!("invitation:{}", code(&installation.invite("router-1")));
    let trusted = ["--cacert", "ca.der", "--cacert", "ca-1.der", "--outform", "pem"];
    let enroll = [&["--est"], &server[..], &trusted, &["--in", "first.csr", "--userpass", &user]];
    let said = client.pki(&enroll.concat(), "first.pem").good().stderr;
    assert!(said.contains("Issued certificate is trusted"), "{said}");
    verified(&installation, &client.path("first.pem"));

    client.request("second");
    let old = ["--cert", "first.pem", "--key", "first.key"];
    let renew = [&["--est"], &server[..], &trusted, &["--in", "second.csr"], &old].concat();
    let said = client.pki(&renew, "second.pem").good().stderr;
    assert!(said.contains("Issued certificate is trusted"), "{said}");
    assert_eq!(identity(&client.path("second.pem")), identity(&client.path("first.pem")));
    let subject = run("openssl", &["x509", "-in", &client.path("second.pem"), "-noout", "-subject"]);
    assert!(!subject.contains("somebody else"), "what a request calls itself is not read: {subject}");
}

#[test]
fn without_the_right_to_it_nobody_gets_a_certificate() {
    let installation = RunningInstallation::start();
    let (good, other) = (code(&installation.invite("one")), code(&installation.invite("two")));
    let asked =
        at(&installation, "/simpleenroll").body("application/pkcs10", csr::honest()).send().expect(401);
    assert_eq!(asked.problem(), "I-05");
    assert!(asked.header("www-authenticate").starts_with("Basic realm="), "{asked}");
    for wrong in ["", "0", &"0".repeat(32), &good[1..], &good.to_uppercase()] {
        let refused = enroll(&installation, wrong, &csr::honest()).expect(401);
        assert_eq!(refused.problem(), "I-05", "{wrong}");
    }
    for (csr, status, expected) in [
        (csr::nonsense(), 400, "K-01"),
        (csr::too_large(), 413, "K-02"),
        (csr::with_short_rsa_key(), 400, "K-03"),
        (csr::signed_by_another_key(), 400, "K-04"),
    ] {
        assert_eq!(enroll(&installation, &good, &csr).expect(status).problem(), expected);
    }
    let typed = at(&installation, "/simpleenroll").option("--user", &format!("x:{good}"));
    let typed = typed.body("application/json", csr::honest()).send().expect(415);
    assert!(typed.problem() == "R-07" && typed.text().contains("application/pkcs10 で"), "{typed}");

    let request = csr::honest();
    enroll(&installation, &good, &request).expect(200);
    assert_eq!(enroll(&installation, &good, &csr::honest()).expect(409).problem(), "I-02");
    let taken = enroll(&installation, &other, &request).expect(409).problem();
    assert_eq!(taken, "K-05", "a key belongs to one device");
    enroll(&installation, &other, &csr::of_version_2()).expect(200);
}

#[test]
fn a_stopped_device_renews_nothing_and_its_invitation_is_no_way_around() {
    let installation = RunningInstallation::start();
    let device = installation.enroll("stolen");
    installation.tell(&["device", "revoke", "--yes", &device.device]);
    let renew = at(&installation, "/simplereenroll").as_device(&device);
    assert_eq!(renew.body("application/pkcs10", csr::honest()).send().expect(401).problem(), "C-06");
    let with_nothing = at(&installation, "/simplereenroll").body("application/pkcs10", csr::honest());
    assert_eq!(with_nothing.send().expect(401).problem(), "C-01");
    let cas = at(&installation, "/cacerts").as_device(&device).send();
    cas.expect(200);
}

fn at(installation: &RunningInstallation, path: &str) -> Curl {
    installation.at_device(&format!("{EST}{path}"))
}

fn enroll(installation: &RunningInstallation, code: &str, csr: &str) -> CurlAnswer {
    let request = at(installation, "/simpleenroll").option("--user", &format!("anybody:{code}"));
    request.body("application/pkcs10", csr).send()
}

/// The certificates of an answer in PEM, by openssl.
fn certificates_of(answer: &CurlAnswer, file: &str) -> String {
    std::fs::write(file, pem(answer)).expect("a file");
    let said = run("openssl", &["pkcs7", "-in", file, "-print_certs"]);
    said.lines()
        .filter(|line| !line.starts_with("subject=") && !line.starts_with("issuer=") && !line.is_empty())
        .fold(String::new(), |text, line| text + line + "\n")
}

/// An answer as openssl reads it; what it is called does not matter there.
fn pem(answer: &CurlAnswer) -> String {
    format!("-----BEGIN PKCS7-----\n{}\n-----END PKCS7-----\n", wrapped(answer.text().trim()))
}

/// Wraps base64 as clients send it: 64 characters a line.
fn wrapped(base64: &str) -> String {
    let lines: Vec<_> =
        base64.as_bytes().chunks(64).map(|line| str::from_utf8(line).expect("ASCII")).collect();
    lines.join("\r\n")
}

fn sorted(bag: &str) -> Vec<&str> {
    let mut parts: Vec<_> = bag.split("-----END CERTIFICATE-----").map(str::trim).collect();
    parts.sort_unstable();
    parts
}

fn new_key(file: &str) {
    run("openssl", &["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", file]);
}

fn verified(installation: &RunningInstallation, certificate: &str) {
    let chain = show(&installation.chain);
    let verify = ["verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", &chain, certificate];
    openssl(&verify).good();
}

fn identity(certificate: &str) -> String {
    let text = text(certificate);
    let (_, names) = text.split_once("Subject Alternative Name").expect("an alternative name");
    url_after(names, "URI:")
}

fn code(invitation: &str) -> String {
    invitation.split_once('#').expect("a code in the fragment").1.to_owned()
}
