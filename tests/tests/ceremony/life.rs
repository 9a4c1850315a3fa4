//! The life of issuing CAs under a running server.

use crate::support::{
    RefusedAct, create_issuing, fetch_root_list, folder, is_believed, issuer_named, issuer_of, of, rand_name,
    sign_list, text, until,
};
use std::path::Path;
use tegata_tests::openssl::{self, crl_url, ocsp_status, openssl, verify_to_the_root};
use tegata_tests::tokens::{obtain, request};
use tegata_tests::{Ceremony, CommandOutcome, Curl, DeviceIdentity, RunningInstallation, ports};

#[test]
fn a_fresh_installation_is_believed_down_from_its_root_alone() {
    let installation = RunningInstallation::start();
    let device = installation.enroll("register-1");
    is_believed(&installation, &device);
    installation.command(&["check"]).good();
}

#[test]
fn a_successor_takes_over_while_the_server_runs_and_the_old_goes_on() {
    let installation = RunningInstallation::start();
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
    // Whether the server has heard of the CA's end by now, or only of the certificate's.
    let reason = ["C-06", "C-02"].into_iter().find(|code| refused.text().contains(code));
    assert!(reason.is_some(), "it reads the reason: {}", refused.text());
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
fn a_revoked_ca_stops_at_once_and_the_root_lists_it_after_a_ceremony() {
    let installation = RunningInstallation::start();
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
fn a_resting_ca_whose_key_is_gone_stops_nobody() {
    let mut installation = RunningInstallation::start();
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

/// What the device listener tells clients to offer.
fn hints(installation: &RunningInstallation) -> String {
    until("both are offered", || {
        let hints = hints_of(installation);
        hints.contains("Successor").then_some(hints)
    })
}

fn hints_of(installation: &RunningInstallation) -> String {
    let at = format!("127.0.0.1:{}", ports::of(&installation.device));
    let said = openssl(&["s_client", "-connect", &at, "-servername", "localhost", "-nameopt", "utf8"]);
    said.said()
}

/// The responder of an ended CA, whose own certificate is below the chain that the device keeps.
fn ocsp_with_roots(installation: &RunningInstallation, device: &DeviceIdentity) -> CommandOutcome {
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
    installation: &RunningInstallation,
    device: &DeviceIdentity,
    list: &Path,
    certificate: &Path,
) -> CommandOutcome {
    let pem = device.folder.join("root-list.pem");
    openssl(&["crl", "-inform", "DER", "-in", text(list), "-out", text(&pem)]).good();
    let ca = installation.ca.display().to_string();
    openssl(&["verify", "-CAfile", &ca, "-crl_check", "-CRLfile", text(&pem), text(certificate)])
}

fn crl_text(der: &[u8]) -> String {
    let folder = folder();
    let file = folder.path().join("crl");
    std::fs::write(&file, der).expect("a file");
    openssl(&["crl", "-inform", "DER", "-in", text(&file), "-noout", "-text"]).good().stdout
}
