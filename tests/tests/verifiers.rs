//! Auditors with tools of their own agree on chain, CRL and OCSP of every profile, without knowing of each other.

use std::collections::HashSet;
use std::process::Command;
use tegata_tests::openssl::{self, crl_url, openssl};
use tegata_tests::verifiers::nss::Nss;
use tegata_tests::verifiers::{Court, Exhibit, Verdict, gnutls, java, ocsp_url, pyhanko};
use tegata_tests::{CommandOutcome, Curl};

#[test]
fn openssl_agrees() {
    let court = Court::open();
    let chain = court.installation.chain.display().to_string();
    let verify = |exhibit: &Exhibit, list: &std::path::Path| {
        let list = openssl::pem_of_crl(list).display().to_string();
        let certificate = exhibit.identity.file("cert.pem");
        let arguments = ["verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", &chain];
        openssl(&[&arguments[..], &["-crl_check", "-CRLfile", &list, &certificate]].concat())
    };
    for exhibit in &court.exhibits {
        let verified = verify(exhibit, &exhibit.crl);
        assert_eq!(verified.code == 0, exhibit.verdict == Verdict::Good, "{exhibit:?}: {}", verified.said());
        let said = ask_openssl(&court, exhibit, &["-cert", &exhibit.identity.file("cert.pem")]);
        let expected = match exhibit.verdict {
            Verdict::Good => &["cert.pem: good"][..],
            Verdict::Compromised => &["cert.pem: revoked", "Reason: keyCompromise"],
            Verdict::Held => &["cert.pem: revoked", "Reason: certificateHold"],
        };
        for words in expected {
            assert!(said.contains(words), "{exhibit:?}: {said}");
        }
        assert!(said.contains("Response verify OK") && !said.contains("no nonce"), "{said}");
        assert!(
            said.contains("OCSP Signing") && said.contains("OCSP No Check"),
            "a delegated signer: {said}"
        );
    }
    let (exhibit, other) = court.mismatch();
    let said = verify(exhibit, other).said();
    assert!(said.contains("different CRL scope"), "another shard's list: {said}");
    let never_issued = ask_openssl(&court, &court.exhibits[0], &["-serial", "0x1234"]);
    assert!(never_issued.contains("0x1234: unknown"), "{never_issued}");
}

fn ask_openssl(court: &Court, exhibit: &Exhibit, about: &[&str]) -> String {
    let [root, issuing] = [&court.installation.ca, &court.issuing].map(|file| file.display().to_string());
    let url = ocsp_url(&exhibit.identity);
    let arguments =
        ["ocsp", "-text", "-nonce", "-sha256", "-issuer", &issuing, "-CAfile", &root, "-url", &url];
    openssl(&[&arguments[..], about].concat()).good().said()
}

#[test]
fn gnutls_agrees() {
    let court = Court::open();
    for exhibit in &court.exhibits {
        let is_good = exhibit.verdict == Verdict::Good;
        let list = gnutls::verify_list(&court, exhibit).good().said();
        assert!(list.contains("Verification output: Verified."), "{list}");
        let verified = gnutls::verify(&court, exhibit).said();
        let expected =
            if is_good { "The certificate is trusted." } else { "The certificate chain is revoked." };
        assert!(verified.contains(expected), "{exhibit:?}: {verified}");
        for asked in [gnutls::ask(&court, exhibit).said(), gnutls::verify_answer(&court, exhibit).said()] {
            assert!(asked.contains("Verifying OCSP Response: Success."), "{asked}");
        }
        let asked = gnutls::ask(&court, exhibit).said();
        let status = if is_good { "Certificate Status: good" } else { "Certificate Status: revoked" };
        assert!(asked.contains(status), "{exhibit:?}: {asked}");
    }
}

/// NSS knows no `IssuingDistributionPoint` (RFC 5280 section 5.2.5), which is critical: whoever checks by lists with NSS
/// accepts nobody, the revoked ones least of all. By OCSP it agrees.
#[test]
fn nss_agrees_by_ocsp_and_is_on_the_safe_side_by_lists() {
    let court = Court::open();
    let nss = Nss::trusting(&court);
    for exhibit in &court.exhibits {
        assert!(nss.chain(exhibit).said().contains("Chain is good!"), "{exhibit:?}");
        let by_ocsp = nss.with(exhibit, "ocsp").said();
        let expected =
            if exhibit.verdict == Verdict::Good { "Chain is good!" } else { "Certificate has been revoked" };
        assert!(by_ocsp.contains(expected), "{exhibit:?}: {by_ocsp}");
        let by_list = nss.with(exhibit, "crl").said();
        assert!(by_list.contains("Chain is bad!"), "{exhibit:?}: {by_list}");
    }
    let said = nss.import(&court.exhibits[0]).said();
    assert!(said.contains("SEC_ERROR_CRL_UNKNOWN_CRITICAL_EXTENSION"), "NSS has learned it: {said}");
}

#[test]
fn java_agrees() {
    let court = Court::open();
    let expected = court.exhibits.iter().map(|exhibit| match exhibit.verdict {
        Verdict::Good => "good",
        Verdict::Compromised => "revoked KEY_COMPROMISE",
        Verdict::Held => "revoked CERTIFICATE_HOLD",
    });
    let expected: Vec<_> = expected.collect();
    for source in ["ocsp", "crl"] {
        assert_eq!(java::verdicts(&court, &court.exhibits, source), expected, "by {source}");
    }
    let (exhibit, other) = court.mismatch();
    let by_other = java::verdict_by(&court, exhibit, other);
    assert!(by_other.starts_with("bad UNDETERMINED_REVOCATION_STATUS"), "another shard's list: {by_other}");
    assert!(java::verdict_by(&court, exhibit, &exhibit.crl).starts_with("revoked"));
    let printed =
        CommandOutcome::of(Command::new("keytool").arg("-printcrl").arg("-file").arg(&exhibit.crl)).good();
    assert!(printed.stdout.contains("Reason Code: "), "{}", printed.said());
    assert!(printed.stdout.contains(&crl_url(&exhibit.identity.file("cert.pem"))), "{}", printed.said());
}

#[test]
fn pyhanko_agrees() {
    let court = Court::open();
    for verdicts in [pyhanko::by_lists(&court), pyhanko::by_answers(&court)] {
        assert_eq!(verdicts.len(), court.exhibits.len());
        for (said, exhibit) in verdicts.iter().zip(&court.exhibits) {
            let holds = match exhibit.verdict {
                Verdict::Good => said == "good",
                Verdict::Compromised => said.starts_with("revoked") && said.ends_with("a compromised key."),
                Verdict::Held => said.starts_with("revoked") && said.ends_with("a certificate hold."),
            };
            assert!(holds, "{exhibit:?}: {said}");
        }
    }
    let (exhibit, other) = court.mismatch();
    assert_eq!(pyhanko::verdict_by(&court, exhibit, other), "bad InsufficientRevinfoError");
}

#[test]
fn certificates_are_spread_over_lists_and_no_list_is_sent_twice() {
    let court = Court::open();
    let urls: HashSet<_> =
        court.exhibits.iter().map(|exhibit| crl_url(&exhibit.identity.file("cert.pem"))).collect();
    assert!(urls.len() > 1, "{urls:?}");
    for url in &urls {
        let first = Curl::to(url).send().expect(200);
        assert_eq!(first.header("content-type"), "application/pkix-crl");
        let tag = first.header("etag");
        let again = Curl::to(url).header("if-none-match", tag).send().expect(304);
        assert_eq!((again.body.len(), again.header("etag")), (0, tag));
        let head = Curl::to(url).flag("--head").send().expect(200);
        assert_eq!(head.header("content-length"), first.body.len().to_string());
    }
}

#[test]
fn an_ocsp_answer_by_get_may_be_cached_for_a_moment_and_by_post_never() {
    let court = Court::open();
    let exhibit = &court.exhibits[0];
    let (certificate, issuing) = (exhibit.identity.file("cert.pem"), court.issuing.display().to_string());
    let request = exhibit.identity.folder.join("request.der");
    let file = request.display().to_string();
    let asking = ["ocsp", "-no_nonce", "-issuer", &issuing, "-cert", &certificate, "-reqout", &file];
    openssl(&asking).good();
    let der = std::fs::read(&request).expect("a request");
    let url = ocsp_url(&exhibit.identity);
    let path = tegata_tests::run("openssl", &["base64", "-A", "-in", &file]);
    let path = path.trim().replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    let by_get = || Curl::to(&format!("{url}/{path}"));
    let answer = by_get().send().expect(200);
    assert_eq!(answer.header("content-type"), "application/ocsp-response");
    let cache = answer.header("cache-control");
    assert!(cache.contains("max-age=1,") && cache.contains("must-revalidate"), "{cache}");
    let tag = answer.header("etag").to_owned();
    assert!(!answer.header("expires").is_empty());
    assert_eq!(by_get().header("if-none-match", &tag).send().expect(304).body, b"");
    assert_eq!(by_get().flag("--head").send().expect(200).header("etag"), tag);

    let by_post = Curl::to(&url).body("application/ocsp-request", der).send().expect(200);
    assert_eq!((by_post.header("cache-control"), &by_post.body), ("no-store", &answer.body));

    court.installation.tell(&["device", "revoke", "--yes", &exhibit.identity.device]);
    let changed = by_get().header("if-none-match", &tag).send().expect(200);
    assert_ne!(changed.body, answer.body, "dropped with the revocation");
}
