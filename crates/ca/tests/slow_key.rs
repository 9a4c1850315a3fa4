//! A key in a device far away: it takes its time, and sometimes it does not answer.
#![allow(clippy::unwrap_used)]

mod asking;
use asking::OcspFixture;
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tegata_ca::{CaKey, CaKeyError, IssueError, OcspRequest, PrepareError, PublishError};
use tegata_core::encoding::base64;
use tegata_core::{DeviceId, Role};
use tegata_testkit::TestPlace;
use tegata_testkit::ca::{CaFixture, NOW, first_time, request};
use tokio::sync::mpsc;

/// The longest that the key waits to be told, so that a fault ends the test.
const PATIENCE: Duration = Duration::from_secs(10);

/// Signs when it is told to, and fails when it is told that.
struct Remote {
    key: Arc<dyn CaKey>,
    asked: mpsc::UnboundedSender<()>,
    told: Mutex<Receiver<bool>>,
}

impl CaKey for Remote {
    fn public_point(&self) -> &[u8] {
        self.key.public_point()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CaKeyError> {
        self.asked.send(()).unwrap();
        let goes = self.told.lock().unwrap().recv_timeout(PATIENCE).unwrap_or(false);
        if goes { self.key.sign(message) } else { Err(CaKeyError::Signing) }
    }

    fn blocks(&self) -> bool {
        true
    }
}

struct SlowDevice {
    asked: mpsc::UnboundedReceiver<()>,
    tell: Sender<bool>,
}

impl SlowDevice {
    /// Answers one question, on the thread on which the server does everything else.
    async fn answer(&mut self, goes: bool) {
        self.asked.recv().await.unwrap();
        self.tell.send(goes).unwrap();
    }
}

async fn fixture() -> (CaFixture, SlowDevice) {
    let place = CaFixture::found(TestPlace::sqlite()).await.place;
    let ((asking, asked), (tell, told)) = (mpsc::unbounded_channel(), channel());
    let wrap = |key| Arc::new(Remote { key, asked: asking, told: Mutex::new(told) }) as Arc<dyn CaKey>;
    (CaFixture::reopen_with(place, 2, wrap).await, SlowDevice { asked, tell })
}

#[tokio::test]
async fn while_the_key_takes_its_time_everything_else_goes_on() {
    let (fixture, mut device) = fixture().await;
    let (issued, ()) = tokio::join!(fixture.enroll(NOW), device.answer(true));
    assert!(!issued.certificate.der.is_empty());
    let (published, ()) = tokio::join!(fixture.authority.publish_crls(NOW), device.answer(true));
    published.unwrap();
    assert!(fixture.ledger.crl(fixture.authority.issuer().id(), 0).await.unwrap().is_some());
    let (responder, question) = (OcspFixture::open(&fixture, NOW).await, question(&fixture));
    let ask = || responder.responders.answer(&fixture.authority, Ok(question.clone()), NOW);
    let (answer, ()) = tokio::join!(ask(), device.answer(true));
    assert_eq!(status(&answer.der), SUCCESSFUL);
    assert_eq!(status(&ask().await.der), SUCCESSFUL, "the CA's key signs for the responder once");
}

#[tokio::test]
async fn a_key_that_does_not_answer_is_an_error_and_the_next_attempt_succeeds() {
    let (fixture, mut device) = fixture().await;
    let (_, invitation) = fixture.invite(Role::Device, NOW).await;
    let (id, csr) = (DeviceId::random(&*fixture.entropy), request());
    let issue = || fixture.issue(&id, first_time(&invitation), &csr, NOW);
    let (issued, ()) = tokio::join!(issue(), device.answer(false));
    assert!(matches!(issued, Err(IssueError::Issue(PrepareError::Key(CaKeyError::Signing)))));
    let (published, ()) = tokio::join!(fixture.authority.publish_crls(NOW), device.answer(false));
    assert!(matches!(published, Err(PublishError::Crl(_))));
    assert!(fixture.ledger.crl(fixture.authority.issuer().id(), 0).await.unwrap().is_none());
    let (responder, question) = (OcspFixture::open(&fixture, NOW).await, question(&fixture));
    let ask = |now| responder.responders.answer(&fixture.authority, Ok(question.clone()), now);
    let (answer, ()) = tokio::join!(ask(NOW), device.answer(false));
    assert_eq!(status(&answer.der), TRY_LATER);
    assert_eq!(status(&ask(NOW).await.der), TRY_LATER, "and not every question tries the key");
    let (answer, ()) = tokio::join!(ask(NOW.plus(Duration::from_secs(1))), device.answer(true));
    assert_eq!(status(&answer.der), SUCCESSFUL);

    let (published, ()) = tokio::join!(fixture.authority.publish_crls(NOW), device.answer(true));
    published.unwrap();
    let (issued, ()) = tokio::join!(fixture.enroll(NOW), device.answer(true));
    assert!(!issued.certificate.der.is_empty());
}

/// RFC 6960 section 4.2.1, `OCSPResponseStatus`.
const SUCCESSFUL: u8 = 0;
const TRY_LATER: u8 = 3;

fn status(response: &[u8]) -> u8 {
    let at = response.windows(2).position(|window| window == [0x0a, 1]).unwrap();
    response[at + 2]
}

/// About a certificate that was never issued.
fn question(fixture: &CaFixture) -> OcspRequest {
    let (issuer, file) = (fixture.place.file("issuing.pem"), fixture.place.file("question"));
    let pem = base64(fixture.authority.issuer().certificate());
    let pem = format!("-----BEGIN CERTIFICATE-----\n{pem}\n-----END CERTIFICATE-----\n");
    std::fs::write(&issuer, pem).unwrap();
    let mut openssl = Command::new("openssl");
    openssl
        .args(["ocsp", "-no_nonce", "-issuer"])
        .arg(&issuer)
        .args(["-serial", "0x1234", "-reqout"])
        .arg(&file);
    let output = openssl.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    OcspRequest::parse(&std::fs::read(file).unwrap()).unwrap()
}
