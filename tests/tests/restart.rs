//! Operators pull the plug, and what was acknowledged is still there.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;
use tegata_tests::openssl::{ocsp, ocsp_status};
use tegata_tests::stopwatch::{eventually, report};
use tegata_tests::tokens::obtain;
use tegata_tests::{Curl, RunningInstallation, csr};

const ENROLLMENTS: usize = 12;
const BEFORE_THE_PLUG: usize = 4;

/// One enrollment by hand: the invitation's code, the request that was sent, and the answer if it came.
struct Attempt {
    code: String,
    csr: String,
    acknowledged: Option<serde_json::Value>,
}

#[test]
fn an_acknowledged_enrollment_survives_a_kill_in_mid_flight() {
    let mut installation = RunningInstallation::start();
    let invitations: Vec<_> =
        (0..ENROLLMENTS).map(|number| installation.invite(&format!("register-{number}"))).collect();
    let attempts = kill_in_mid_flight(&mut installation, &invitations);
    let acknowledged = attempts.iter().filter(|attempt| attempt.acknowledged.is_some()).count();
    assert!(acknowledged >= BEFORE_THE_PLUG, "the plug was pulled after {BEFORE_THE_PLUG} answers");
    report(&format!(
        "{acknowledged} of {ENROLLMENTS} enrollments were acknowledged before the plug was pulled"
    ));

    installation.start_again();
    installation.command(&["check"]).good();
    for attempt in &attempts {
        let again = repeated(&installation, attempt);
        if let Some(first) = &attempt.acknowledged {
            assert_eq!(again["certificate"], first["certificate"], "the same answer as before the plug");
        }
        let other = enrollment(&installation, &attempt.code, &csr::honest()).send();
        assert_eq!((other.status, &*other.problem()), (409, "I-02"), "an invitation makes one certificate");
    }
    installation.command(&["check"]).good();
}

#[test]
fn an_acknowledged_revocation_survives_a_kill_and_a_gate_resumes() {
    let mut installation = RunningInstallation::start();
    let gate = installation.gate();
    let (stopped, other) = (installation.enroll("stopped"), installation.enroll("other"));
    obtain(&installation, &stopped);
    installation.tell(&["device", "revoke", "--yes", &stopped.device]);
    installation.kill();
    installation.start_again();

    assert_eq!(installation.at_device("/probe").as_device(&stopped).send().expect(401).problem(), "C-06");
    assert_eq!(ocsp_status(&ocsp(&installation, &stopped)), "revoked");
    obtain(&installation, &other);
    eventually("the gate follows again", Duration::from_secs(20), || gate.is_deciding());
    installation.command(&["check"]).good();
}

/// Enrolls from many sides at once and kills the server after the first few answers.
fn kill_in_mid_flight(installation: &mut RunningInstallation, invitations: &[String]) -> Vec<Attempt> {
    let answers = AtomicUsize::new(0);
    let attempts = Mutex::new(Vec::new());
    let at_portal = installation.at_portal("/api/v1/enrollments");
    let (queue, requests): (Vec<_>, Vec<_>) =
        invitations.iter().map(|link| (code(link), csr::honest())).unzip();
    thread::scope(|scope| {
        for part in queue.iter().zip(&requests).collect::<Vec<_>>().chunks(ENROLLMENTS / 4) {
            let (part, answers, attempts, at_portal) =
                (part.to_vec(), &answers, &attempts, at_portal.clone());
            scope.spawn(move || {
                for (code, csr) in part {
                    let sent = with_body(at_portal.clone(), code, csr).attempt();
                    let acknowledged =
                        sent.ok().filter(|answer| answer.status == 201).map(|answer| answer.json());
                    answers.fetch_add(usize::from(acknowledged.is_some()), SeqCst);
                    let attempt = Attempt { code: code.clone(), csr: csr.clone(), acknowledged };
                    attempts.lock().expect("no panic").push(attempt);
                }
            });
        }
        eventually("the first answers", Duration::from_secs(20), || answers.load(SeqCst) >= BEFORE_THE_PLUG);
        installation.kill();
    });
    attempts.into_inner().expect("no panic")
}

/// Repeats a request as the page does, until the server has given up on the attempt that was cut off.
fn repeated(installation: &RunningInstallation, attempt: &Attempt) -> serde_json::Value {
    let mut answer = None;
    eventually("an answer to the repeated request", Duration::from_secs(20), || {
        let sent = enrollment(installation, &attempt.code, &attempt.csr).send();
        let is_final = sent.status != 503;
        answer = Some(sent);
        is_final
    });
    answer.expect("an answer").expect(201).json()
}

fn enrollment(installation: &RunningInstallation, code: &str, csr: &str) -> Curl {
    with_body(installation.at_portal("/api/v1/enrollments"), code, csr)
}

fn with_body(request: Curl, code: &str, csr: &str) -> Curl {
    request.json(&serde_json::json!({ "code": code, "csr": csr }))
}

fn code(invitation: &str) -> String {
    invitation.split_once('#').expect("a code in the fragment").1.to_owned()
}
