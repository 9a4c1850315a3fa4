//! Devices and programs that speak SCEP (RFC 8894): strongSwan's, and one that does what a device's profile says.

mod attacks;
mod profile;

use tegata_tests::openssl::{openssl, text, url_after};
use tegata_tests::scep::{CERT_POLL, GET_CERT, GET_CRL, Message, PKCS_REQ, RENEWAL_REQ, ScepClient};
use tegata_tests::{Curl, RunningInstallation, StrongSwan, run};

#[test]
fn what_the_server_can_do_is_said_and_nothing_weak_is_among_it() {
    let installation = RunningInstallation::start();
    let ask = |query: &str| Curl::to(&format!("{}/scep?{query}", installation.public)).send();
    let said = ask("operation=GetCACaps").expect(200);
    let can: Vec<_> = said.text().lines().map(str::to_owned).collect();
    for word in ["AES", "POSTPKIOperation", "Renewal", "SCEPStandard", "SHA-256"] {
        assert!(can.iter().any(|can| can == word), "{word} in {can:?}");
    }
    for word in ["DES3", "SHA-1", "GetNextCACert"] {
        assert!(!can.iter().any(|can| can == word), "{word} in {can:?}");
    }
    assert_eq!(ask("operation=GetNextCACert").expect(400).problem(), "R-01");
    ask("operation=PKIOperation&message=bm9uc2Vuc2U%3D").expect(400);
    ask("").expect(400);
    for path in ["/scep/", "/scep/pkiclient.exe"] {
        let url = format!("{}{path}?operation=GetCACaps", installation.public);
        assert_eq!(Curl::to(&url).send().expect(200).body, said.body, "{path}");
    }
    let client = ScepClient::new(installation.folder("scep"), &scep(&installation));
    let registrar = text(&client.path("ra.pem"));
    assert!(registrar.contains("Digital Signature, Key Encipherment") && registrar.contains("CA:FALSE"));
    let chain = client.path("ca.pem");
    openssl(&["verify", "-x509_strict", "-CAfile", &chain, &client.path("ra.pem")]).good();
    let as_client = ["verify", "-purpose", "sslclient", "-CAfile", &chain, &client.path("ra.pem")];
    assert!(openssl(&as_client).code != 0, "a registrar is nobody's device");
    let judged = installation.tell(&["check"]);
    assert_eq!(judged["wrong"], 0, "{judged}");
}

#[test]
fn strongswan_fetches_the_cas_enrolls_and_renews() {
    let installation = RunningInstallation::start();
    let client = StrongSwan::in_folder(installation.folder("strongswan"));
    let url = scep(&installation);
    client.pki(&["--scepca", "--url", &url, "--caout", "ca.der", "--raout", "ra.der"], "nothing").good();
    let server = ["--scep", "--url", &url, "--cacert-enc", "ra.der", "--cacert-sig", "ra.der"];
    let trusted = ["--cacert", "ca.der", "--cacert", "ca-1.der", "--outform", "pem"];
    let fixed = [&server[..], &trusted, &["--dn", "CN=somebody else"]].concat();
    for name in ["first.key", "second.key", "third.key"] {
        client.pki(&["--gen", "--type", "rsa", "--size", "2048"], name).good();
    }
    let code = code(&installation.invite("router-1"));
    let enroll = |password: &str, key: &str, output: &str| {
        client.pki(&[&fixed[..], &["--in", key, "--password", password]].concat(), output)
    };
    let refused = enroll("no-such-code", "first.key", "nothing");
    assert!(refused.code != 0 && refused.stderr.contains("badRequest"), "{}", refused.stderr);
    let said = enroll(&code, "first.key", "first.pem").good().stderr;
    assert!(said.contains("Issued certificate is trusted"), "{said}");
    verified(&installation, &client.path("first.pem"));

    let renew = |certificate: &str, key: &str, next: &str, output: &str| {
        let old = ["--in", next, "--cert", certificate, "--key", key];
        client.pki(&[&fixed[..], &old].concat(), output)
    };
    let said = renew("first.pem", "first.key", "second.key", "second.pem").good().stderr;
    assert!(said.contains("Issued certificate is trusted"), "{said}");
    verified(&installation, &client.path("second.pem"));
    assert_eq!(identity(&client.path("second.pem")), identity(&client.path("first.pem")), "the same device");
    let subject = run("openssl", &["x509", "-in", &client.path("second.pem"), "-noout", "-subject"]);
    assert!(!subject.contains("somebody else"), "what a request calls itself is not read: {subject}");
    let key =
        ["rsa", "-inform", "DER", "-in", &client.path("second.key"), "-out", &client.path("second.key.pem")];
    openssl(&key).good();
    let probe = installation.at_device("/probe");
    let seen =
        probe.presenting(&client.path("second.pem"), &client.path("second.key.pem")).send().expect(200);
    assert_eq!(seen.json()["generation"], 2);
    assert!(renew("first.pem", "first.key", "third.key", "nothing").code != 0, "the newest one renews");
}

#[test]
fn a_client_that_knows_only_weak_ciphers_is_told_so() {
    let installation = RunningInstallation::start();
    let client = ScepClient::new(installation.folder("weak"), &scep(&installation));
    let print = client.openssl(&["x509", "-in", "ra.pem", "-noout", "-fingerprint", "-sha256"]);
    let print = print.split('=').nth(1).expect("a fingerprint").trim().replace(':', "").to_lowercase();
    let code = code(&installation.invite("old-1"));
    let (key, certificate) = (client.path("client.key"), client.path("client.pem"));
    let mut command = std::process::Command::new("scepclient");
    command.current_dir(installation.folder("weak")).args([
        "-server-url",
        &scep(&installation),
        "-challenge",
        &code,
        "-ca-fingerprint",
        &print,
        "-private-key",
        &key,
        "-certificate",
        &certificate,
        "-cn",
        "old",
    ]);
    let outcome = tegata_tests::CommandOutcome::of(&mut command);
    assert!(outcome.said().contains("badAlg"), "it encrypts with DES: {}", outcome.said());
}

#[test]
fn a_device_follows_its_profile_and_a_lost_answer_is_given_again() {
    let installation = RunningInstallation::start();
    let client = ScepClient::new(installation.folder("device"), &scep(&installation));
    client.new_key("first");
    let code = code(&installation.invite("ipad-1"));
    let message = client.first("first", "A1B2", &code);
    let (bytes, nonce) = client.put_together(&message);
    let once = client.post(&bytes).expect(200);
    let issued = client.read_reply(&message, &nonce, &once);
    let again = client.read_reply(&message, &nonce, &client.get(&bytes).expect(200));
    assert_eq!(again.bag, issued.bag, "the same message, this time in a query");
    let anew = client.send(&client.first("first", "A1B2", &code));
    assert_eq!(anew.bag, issued.bag, "made again by the same key");
    client.keep(&issued, "first");
    verified(&installation, &client.path("first.pem"));

    client.new_key("other");
    let other = client.send(&client.first("other", "A1B2", &code));
    assert_eq!((other.status.as_str(), other.fail_info.as_str()), ("2", "2"), "{other:?}");
    assert!(other.is_ours && other.text.starts_with("I-02"), "{other:?}");

    let polled = client.send(&Message { kind: CERT_POLL, content: vec![0x30, 0], ..message.clone() });
    assert_eq!((polled.status.as_str(), &polled.bag), ("0", &issued.bag), "what has become of it");
    let unknown = Message { kind: CERT_POLL, transaction: "B3", content: vec![0x30, 0], ..message };
    assert_eq!(client.send(&unknown).fail_info, "4", "nobody has begun it");
}

#[test]
fn a_device_renews_and_asks_for_what_it_may_know() {
    let installation = RunningInstallation::start();
    let client = ScepClient::new(installation.folder("device"), &scep(&installation));
    enroll(&client, &installation.invite("printer-1"), "first");
    client.new_key("second");
    let renewal = Message {
        kind: RENEWAL_REQ,
        signer: "first",
        digest: "sha512",
        cipher: "aes-128-cbc",
        content: client.request("second", "x", ""),
        transaction: "renewal-1",
    };
    let renewed = client.send(&renewal);
    let again = client.send(&renewal);
    assert_eq!(again.bag, renewed.bag, "a lost answer");
    client.new_key("third");
    let other = Message { content: client.request("third", "x", ""), ..renewal.clone() };
    let refused = client.send(&other);
    assert!(refused.text.starts_with("K-09"), "one transaction, one key: {refused:?}");
    client.keep(&renewed, "second");
    verified(&installation, &client.path("second.pem"));
    assert_eq!(identity(&client.path("second.pem")), identity(&client.path("first.pem")));
    let seen =
        installation.at_device("/probe").presenting(&client.path("second.pem"), &client.path("second.key"));
    assert_eq!(seen.send().expect(200).json()["generation"], 2);

    let about = |kind, id: &str| Message {
        kind,
        signer: "second",
        transaction: "question",
        content: client.id_of(id),
        digest: "sha256",
        ..renewal.clone()
    };
    let own = client.send(&about(GET_CERT, "first"));
    client.keep(&own, "fetched");
    assert_eq!(
        std::fs::read(client.path("fetched.pem")).expect("a file"),
        std::fs::read(client.path("first.pem")).expect("a file")
    );
    let list = client.send(&about(GET_CRL, "second"));
    client.write("list.p7", &list.bag);
    let list = client.openssl(&["pkcs7", "-inform", "DER", "-in", "list.p7", "-print_certs", "-text"]);
    assert!(list.contains("X509v3 CRL Number"), "{list}");
    enroll(&client, &installation.invite("printer-2"), "neighbor");
    let of_others = client.send(&about(GET_CERT, "neighbor"));
    assert_eq!(of_others.fail_info, "4", "another device's is none of its business");
    let used = Message { signer: "first", ..other.clone() };
    assert!(client.send(&Message { transaction: "late", ..used }).text.starts_with("K-06"));

    // As clients of drafts before the RFC renew, and as Windows encrypts.
    let older = Message {
        kind: PKCS_REQ,
        signer: "second",
        cipher: "aes-256-cbc oaep",
        transaction: "CN=printer 1 (renewal)",
        ..other
    };
    let third = client.send(&older);
    client.keep(&third, "third");
    assert_eq!(identity(&client.path("third.pem")), identity(&client.path("first.pem")), "the same device");
    let late = Message { transaction: "once more", ..older };
    assert!(client.send(&late).status == "0", "the same key, before it was used");
}

fn scep(installation: &RunningInstallation) -> String {
    format!("{}/scep", installation.public)
}

/// `NAME.pem` is then a device's certificate.
fn enroll(client: &ScepClient, invitation: &str, name: &str) {
    client.new_key(name);
    let reply = client.send(&client.first(name, name, &code(invitation)));
    client.keep(&reply, name);
}

fn verified(installation: &RunningInstallation, certificate: &str) {
    let chain = installation.chain.display().to_string();
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
