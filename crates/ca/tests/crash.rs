//! Whoever is killed in the middle of issuing leaves no certificate that the ledger does not know, and nobody locked
//! out.
//!
//! A test starts itself again as a victim: a process that issues with the same ledger and key, and ends with SIGKILL.

#![allow(clippy::unwrap_used)]

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tegata_ca::{IssuanceStep, IssueError, IssuedCertificate, ParsedRequest};
use tegata_core::encoding::{base64, from_base64};
use tegata_core::id::InvitationCode;
use tegata_core::{CertificateState, DeviceId, Refusal, Role, Thumbprint, Timestamp};
use tegata_storage::{Certificate, InvitationState, IssuanceRight};
use tegata_testkit::ca::{CaFixture, DAY, NOW, csr, first_time, order};
use tegata_testkit::{Everything, TestPlace};
use x509_parser::prelude::{FromDer, X509Certificate};

const STEPS: [IssuanceStep; 4] =
    [IssuanceStep::Prepared, IssuanceStep::Reserved, IssuanceStep::Signed, IssuanceStep::Stored];

tegata_testkit::on_both_engines!(
    an_invitation_survives_a_kill_at_every_step,
    a_renewal_survives_a_kill_at_every_step,
    no_certificate_leaves_a_process_killed_at_any_moment_without_a_row,
);

async fn an_invitation_survives_a_kill_at_every_step(place: TestPlace) {
    let fixture = CaFixture::found(place).await;
    for step in STEPS {
        let (code, invitation) = fixture.invite(Role::Device, NOW).await;
        let (csr, request) = fresh_request();
        let device = DeviceId::random(&*fixture.entropy);
        kill_at(&fixture, step, &["invitation", code.reveal(), device.as_str()], &csr);

        let rows = fixture.ledger.everything().certificates_of(&device).await.unwrap();
        let found = fixture.invitation(&code).await;
        let later = NOW.plus(Duration::from_mins(1));
        match step {
            IssuanceStep::Prepared => {
                assert_eq!((rows.len(), found.state), (0, InvitationState::Open), "nothing has happened");
                assert_eq!(fixture.ledger.everything().device(&device).await.unwrap(), None);
                let issued = fixture.issue(&device, first_time(&invitation), &request, later).await.unwrap();
                is_whole(&fixture, &issued).await;
            }
            IssuanceStep::Reserved | IssuanceStep::Signed => {
                assert_eq!(found.state, InvitationState::Claimed);
                assert_eq!(found.key_hash.as_deref(), Some(request.key_hash().as_slice()));
                is_intention_only(&rows, 1, &request);
                let issued = fixture
                    .issue(&device, IssuanceRight::Again(invitation.id), &request, later)
                    .await
                    .unwrap();
                is_whole(&fixture, &issued).await;
                let state = fixture.ledger.everything().certificates_of(&device).await.unwrap()[0].state;
                assert_eq!(state, CertificateState::Revoked, "the attempt cut short is given up");
                is_on_the_crl(&fixture, &rows[0], later).await;
            }
            IssuanceStep::Stored => {
                assert_eq!(found.state, InvitationState::Claimed);
                is_stored_once(&fixture, &rows, 1, &request);
                let again =
                    fixture.issue(&device, IssuanceRight::Again(invitation.id), &request, later).await;
                is_refused(again, Refusal::KeyReused);
            }
        }
    }
    nothing_is_wrong(&fixture).await;
}

async fn a_renewal_survives_a_kill_at_every_step(place: TestPlace) {
    let fixture = CaFixture::found(place).await;
    for step in STEPS {
        let old = fixture.enroll(NOW).await;
        fixture.present(&old, NOW, NOW).await;
        let (csr, request) = fresh_request();
        let thumbprint = old.certificate.thumbprint.to_string();
        kill_at(&fixture, step, &["renewal", &thumbprint, old.device.as_str()], &csr);

        let rows = fixture.ledger.everything().certificates_of(&old.device).await.unwrap();
        assert_eq!(rows[0].state, CertificateState::InUse, "the old certificate goes on working");
        let later = NOW.plus(Duration::from_mins(1));
        match step {
            IssuanceStep::Prepared => assert_eq!(rows.len(), 1),
            IssuanceStep::Reserved | IssuanceStep::Signed => is_intention_only(&rows[1..], 2, &request),
            IssuanceStep::Stored => is_stored_once(&fixture, &rows[1..], 2, &request),
        }
        let renewed = fixture.renew(&old, later).await.unwrap();
        is_whole(&fixture, &renewed).await;
        if let Some(pending) = rows.get(1) {
            is_on_the_crl(&fixture, pending, later).await;
        }
    }
    nothing_is_wrong(&fixture).await;
}

/// Not at the steps but anywhere, within a commit too: what the victim said it had been given is in the ledger.
async fn no_certificate_leaves_a_process_killed_at_any_moment_without_a_row(place: TestPlace) {
    let fixture = CaFixture::found(place).await;
    let mut seen = 0;
    for round in 0u64..6 {
        let handed_over = fixture.place.file("handed-over");
        std::fs::write(&handed_over, "").unwrap();
        let mut victim = start(&fixture, &["endless"], &[]);
        while lines(&handed_over).is_empty() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        tokio::time::sleep(Duration::from_millis(13 + round * 17)).await;
        victim.kill().unwrap();
        assert_eq!(victim.wait().unwrap().signal(), Some(9));
        for line in lines(&handed_over) {
            let der = from_base64(&line).unwrap();
            let holding = fixture.ledger.holding(&Thumbprint::of(&der)).await.unwrap();
            assert!(holding.is_some(), "a certificate is out there that the ledger does not know");
            seen += 1;
        }
        // Whoever comes next can write: the dead process holds nothing.
        let issued = fixture.enroll(NOW).await;
        is_whole(&fixture, &issued).await;
    }
    assert!(seen >= 6);
    nothing_is_wrong(&fixture).await;
}

/// The victim. Without its order it has nothing to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the victim, started by the tests above"]
async fn victim() {
    let Ok(text) = std::env::var("TEGATA_TEST_VICTIM") else { return };
    let words: Vec<_> = text.split('\n').collect();
    let [url, folder, step, words @ ..] = words.as_slice() else { panic!("an order has more words") };
    let place = TestPlace::at(url, folder.into());
    let fatal = move |done: IssuanceStep| {
        if format!("{done:?}") == *step {
            let own = std::process::id().to_string();
            Command::new("kill").args(["-9", &own]).status().unwrap();
            loop {
                std::thread::park();
            }
        }
    };
    // Serials must not repeat between processes.
    let seed = 1_000_000 + u64::from(std::process::id());
    match words {
        ["endless"] => issue_for_ever(CaFixture::reopen(place, seed).await).await,
        [origin, right, device] => {
            let fixture = CaFixture::reopen(place, seed).await;
            let request = ParsedRequest::parse(&std::fs::read(fixture.place.file("csr")).unwrap()).unwrap();
            let device = DeviceId::parse(device).unwrap();
            let origin = if *origin == "renewal" {
                IssuanceRight::Renewal(Thumbprint::parse(right).unwrap())
            } else {
                first_time(&fixture.invitation(&InvitationCode::parse(right).unwrap()).await)
            };
            let order = order(&device, origin, &request);
            let issued = fixture.authority.issue(order, NOW, &*fixture.entropy, &fatal).await;
            std::fs::write(fixture.place.file("survived"), format!("{issued:?}")).unwrap();
        }
        _ => panic!("an order nobody understands"),
    }
}

async fn issue_for_ever(fixture: CaFixture) {
    use std::io::Write;
    let file = std::fs::OpenOptions::new().append(true).open(fixture.place.file("handed-over")).unwrap();
    loop {
        let issued = fixture.enroll(NOW).await;
        writeln!(&file, "{}", base64(&issued.certificate.der)).unwrap();
    }
}

fn kill_at(fixture: &CaFixture, step: IssuanceStep, words: &[&str], csr: &[u8]) {
    let step = format!("{step:?}");
    let status = start_with(fixture, &step, words, csr).wait().unwrap();
    assert!(!fixture.place.file("survived").exists(), "the certificate was handed over");
    assert_eq!(status.signal(), Some(9), "the victim must die at {step}, by SIGKILL");
}

fn start(fixture: &CaFixture, words: &[&str], csr: &[u8]) -> Child {
    start_with(fixture, "none", words, csr)
}

fn start_with(fixture: &CaFixture, step: &str, words: &[&str], csr: &[u8]) -> Child {
    std::fs::write(fixture.place.file("csr"), csr).unwrap();
    let folder = fixture.place.folder().display().to_string();
    let order = [&[fixture.place.url(), &folder, step], words].concat().join("\n");
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "victim", "--ignored", "--nocapture"])
        .env("TEGATA_TEST_VICTIM", order)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

fn fresh_request() -> (Vec<u8>, ParsedRequest) {
    let csr = csr(&rcgen::PKCS_ECDSA_P256_SHA256);
    let request = ParsedRequest::parse(&csr).unwrap();
    (csr, request)
}

/// Whole lines: the last one may have been cut off.
fn lines(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(ToOwned::to_owned).collect()
}

/// One reserved row with the bytes that were to be signed, and no certificate.
fn is_intention_only(rows: &[Certificate], generation: i64, request: &ParsedRequest) {
    let [row] = rows else { panic!("{} rows", rows.len()) };
    assert_eq!((row.state, row.generation), (CertificateState::Reserved, generation));
    assert_eq!(row.der, None);
    assert_eq!(row.key_hash, request.key_hash());
    assert!(contains(&row.tbs, request.public_key_info()), "the intended bytes name the key");
    assert!(contains(&row.tbs, row.serial.as_bytes()), "the intended bytes name the serial");
}

fn is_stored_once(fixture: &CaFixture, rows: &[Certificate], generation: i64, request: &ParsedRequest) {
    let [row] = rows else { panic!("{} rows", rows.len()) };
    assert_eq!((row.state, row.generation), (CertificateState::Issued, generation));
    assert_eq!(row.key_hash, request.key_hash());
    is_as_intended(fixture, row);
}

/// What was handed over is what the ledger has.
async fn is_whole(fixture: &CaFixture, issued: &IssuedCertificate) {
    let rows = fixture.ledger.everything().certificates_of(&issued.device).await.unwrap();
    let row = rows.last().unwrap();
    assert_eq!(row.generation, i64::from(issued.generation));
    assert_eq!(row.der.as_ref(), Some(&issued.certificate.der));
    is_as_intended(fixture, row);
}

fn is_as_intended(fixture: &CaFixture, row: &Certificate) {
    let (_, certificate) = X509Certificate::from_der(row.der.as_deref().unwrap()).unwrap();
    assert_eq!(certificate.tbs_certificate.as_ref(), row.tbs);
    let (_, issuer) = X509Certificate::from_der(fixture.authority.issuer().certificate()).unwrap();
    certificate.verify_signature(Some(issuer.public_key())).unwrap();
}

async fn is_on_the_crl(fixture: &CaFixture, row: &Certificate, now: Timestamp) {
    let ended = fixture.ended(now).await;
    assert!(ended.iter().any(|ended| ended.serial == row.serial), "a lost serial is on the CRL");
}

/// The ledger as a whole: the chain holds, what was left reserved is given up, every other row has its bytes.
async fn nothing_is_wrong(fixture: &CaFixture) {
    let mut left = Vec::new();
    for row in all(fixture).await {
        match row.state {
            CertificateState::Reserved => left.push(row),
            CertificateState::Revoked if row.der.is_none() => {}
            _ => is_as_intended(fixture, &row),
        }
    }
    let now = NOW.plus(DAY);
    let mut transaction = fixture.ledger.begin(now).await.unwrap();
    assert_eq!(transaction.abandon_reserved(now).await.unwrap(), left.len());
    transaction.commit().await.unwrap();
    for row in &left {
        is_on_the_crl(fixture, row, now).await;
    }
    assert!(all(fixture).await.iter().all(|row| row.state != CertificateState::Reserved));
    fixture.ledger.verify_audit().await.unwrap().expect("the audit chain is whole");
}

async fn all(fixture: &CaFixture) -> Vec<Certificate> {
    fixture.ledger.certificates_after("", 0, 1_000_000).await.unwrap()
}

fn is_refused(result: Result<IssuedCertificate, IssueError>, refusal: Refusal) {
    assert_eq!(result.unwrap_err().refusal(), refusal);
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}
