//! A stolen key: what support does about it, and what it may rely on.

use serde_json::json;
use tegata_tests::openssl::{ocsp, ocsp_status, openssl};
use tegata_tests::{DeviceIdentity, RunningInstallation, csr, tokens};

#[test]
fn a_stolen_certificate_takes_along_what_was_renewed_from_it() {
    let installation = RunningInstallation::start();
    let stolen = installation.enroll("stolen");
    probe(&installation, &stolen, 200, "");
    let kept = stolen.kept_aside();
    let renewed = stolen.renew(&installation);
    probe(&installation, &renewed, 200, "");

    let done =
        installation.tell(&["certificate", "revoke", "--yes", &kept.file("cert.pem"), "--note", "INC-1"]);
    assert_eq!(done["certificates"], 2, "{done}");
    assert!(done["slowest_ms"].as_i64().is_some_and(|slowest| slowest < 1000), "{done}");
    for one in [&kept, &renewed] {
        probe(&installation, one, 401, "C-06");
        assert_eq!(tokens::request(&installation, one).send().status, 401);
        assert_eq!(ocsp_status(&ocsp(&installation, one)), "revoked");
    }
    let again = installation.command(&["certificate", "revoke", "--yes", &kept.thumbprint]);
    assert_eq!(again.code, 1, "{}", again.said());
}

#[test]
fn a_replaced_certificate_goes_alone_and_its_successor_works_on() {
    let installation = RunningInstallation::start();
    let old = installation.enroll("replaced");
    probe(&installation, &old, 200, "");
    let kept = old.kept_aside();
    let renewed = old.renew(&installation);
    probe(&installation, &renewed, 200, "");
    let done = installation.tell(&["certificate", "revoke", "--yes", &kept.serial, "--reason", "superseded"]);
    assert_eq!(done["certificates"], 1);
    probe(&installation, &kept, 401, "C-06");
    probe(&installation, &renewed, 200, "");
    let shown = installation.tell(&["certificate", "show", &renewed.thumbprint]);
    assert_eq!((&shown[0]["parent"], &shown[0]["state"]), (&json!(1), &json!("in_use")));
}

#[test]
fn a_private_key_that_was_found_is_blocked_in_whatever_form_it_was_found() {
    let installation = RunningInstallation::start();
    let found = installation.enroll("found");
    let public = installation.folder("found").join("public.pem").display().to_string();
    let key = found.file("key.pem");
    assert_eq!(openssl(&["pkey", "-in", &key, "-pubout", "-out", &public]).code, 0);

    let done = installation.tell(&["key", "block", "--yes", &key, "--note", "found on a share"]);
    assert_eq!(done["certificates"], 1);
    probe(&installation, &found, 401, "C-06");
    for form in [public, found.file("cert.pem"), done["key"].as_str().unwrap().to_owned()] {
        let again = installation.tell(&["key", "block", "--yes", &form]);
        assert_eq!((&again["key"], &again["certificates"]), (&done["key"], &json!(0)), "{form}");
    }
    let listed = installation.listed(&["key", "list"]);
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["note"]), (1, &json!("found on a share")));

    let invitation = installation.invite("again");
    let code = invitation.rsplit('#').next().unwrap();
    let body = json!({ "code": code, "csr": csr::for_key(&key) });
    let refused = installation.at_portal("/api/v1/enrollments").json(&body).send();
    assert_eq!((refused.status, &*refused.problem()), (403, "K-07"));
    let body = json!({ "code": code, "csr": csr::honest() });
    installation.at_portal("/api/v1/enrollments").json(&body).send().expect(201);
}

/// Receipts have been waited for: there is nothing to wait for any more.
fn probe(installation: &RunningInstallation, device: &DeviceIdentity, status: u16, code: &str) {
    let answer = installation.at_device("/probe").as_device(device).send().expect(status);
    if status != 200 {
        assert_eq!(&*answer.problem(), code);
    }
}
