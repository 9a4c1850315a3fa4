//! Whoever sends nonsense is told what is wrong with it, and uses nothing up.

use serde_json::json;
use tegata_tests::{Curl, RunningInstallation, csr};

#[test]
fn a_bad_certificate_request_is_a_clear_problem_and_spends_no_invitation() {
    let installation = RunningInstallation::start();
    let code = code(&installation.invite("register-1"));
    for (name, csr, status, expected) in [
        ("nonsense", csr::nonsense(), 400, "K-01"),
        ("not base64", "?".into(), 400, "K-01"),
        ("too large", csr::too_large(), 413, "K-02"),
        ("a short RSA key", csr::with_short_rsa_key(), 400, "K-03"),
        ("another curve", csr::with_secp256k1_key(), 400, "K-03"),
        ("another signature", csr::signed_by_another_key(), 400, "K-04"),
    ] {
        let body = json!({ "code": code, "csr": csr });
        let answer = installation.at_portal("/api/v1/enrollments").json(&body).send();
        assert_eq!((answer.status, &*answer.problem()), (status, expected), "{name}: {answer}");
    }
    let body = json!({ "code": code, "csr": csr::honest() });
    let issued = installation.at_portal("/api/v1/enrollments").json(&body).send().expect(201);
    assert_eq!(issued.json()["generation"], 1);
    let again = json!({ "code": code, "csr": csr::honest() });
    let used = installation.at_portal("/api/v1/enrollments").json(&again).send();
    assert_eq!((used.status, &*used.problem()), (409, "I-02"));
}

/// In each protocol's own form: problems, pages, OAuth, ACME.
#[test]
fn whoever_is_refused_names_a_request_that_the_log_has_a_line_about() {
    let installation = RunningInstallation::start();
    let portal = || installation.at_portal("/api/v1/invitations/open");
    let problem = portal().body("application/json", "{").send();
    let page = installation.at_portal("/nowhere").header("accept", "text/html").send();
    let oauth = installation.at_device("/oauth/token").form(&[("grant_type", "client_credentials")]).send();
    let acme = installation.at_portal("/acme/new-order").body("application/jose+json", "{}").send();
    for (name, answer) in [("problem", &problem), ("page", &page), ("OAuth", &oauth), ("ACME", &acme)] {
        let id = answer.header("tegata-request-id").to_owned();
        assert_eq!(id.len(), 8, "{name}: {answer}");
        assert!(answer.text().contains(&id), "{name}: {answer}");
        let line = format!("request_id={id}");
        assert!(installation.log().contains(&line), "{name}: {line} in {}", installation.log());
    }
    assert_eq!(problem.json()["request_id"], *problem.header("tegata-request-id"));
    assert_eq!(oauth.json()["request_id"], *oauth.header("tegata-request-id"));
    let good = installation.at_portal("/.well-known/oauth-authorization-server").send().expect(200);
    assert_eq!(good.header("tegata-request-id").len(), 8);
}

#[test]
fn a_bad_body_is_a_clear_problem_in_the_readers_language() {
    let installation = RunningInstallation::start();
    let open = |media_type: &str, body: &str| {
        let request = installation.at_portal("/api/v1/invitations/open");
        request.body(media_type, body)
    };
    let code = "0".repeat(32);
    let good = json!({ "code": code }).to_string();
    let unknown_key = json!({ "code": code, "color": "red" }).to_string();
    let large = json!({ "code": "0".repeat(70 * 1024) }).to_string();
    for (name, media_type, body, status, expected) in [
        ("an unknown invitation", "application/json", &*good, 404, "I-01"),
        ("an unknown key", "application/json", &*unknown_key, 400, "R-01"),
        ("half of a body", "application/json", "{\"code\":", 400, "R-01"),
        ("another type", "application/json", "[1]", 400, "R-01"),
        ("nothing", "application/json", "", 400, "R-01"),
        ("text", "text/plain", &*good, 415, "R-07"),
        ("a form", "application/x-www-form-urlencoded", "code=1", 415, "R-07"),
        ("too much", "application/json", &*large, 413, "R-02"),
    ] {
        let answer = open(media_type, body).send();
        assert_eq!((answer.status, &*answer.problem()), (status, expected), "{name}: {answer}");
    }
    for (language, advice) in [("ja", "application/json で送ってください"), ("en", "Send application/json")]
    {
        let told = open("text/plain", &good).header("accept-language", language).send().text();
        assert!(told.contains(advice), "{told}");
    }
    let language = |request: Curl| request.send().json()["lang"].as_str().unwrap_or_default().to_owned();
    let title = |request: Curl| request.send().json()["title"].as_str().unwrap_or_default().to_owned();
    let request = || open("application/json", &good);
    assert_eq!(language(request()), "ja", "Japanese unless somebody says otherwise");
    assert_eq!(language(request().header("accept-language", "en-GB,en;q=0.9")), "en");
    assert!(title(request().header("accept-language", "en")).is_ascii());
    assert!(!title(request()).is_ascii());
    let asked = installation.at_portal("/api/v1/invitations/open?lang=en");
    assert_eq!(language(asked.json(&json!({ "code": code })).header("accept-language", "ja")), "en");
}

#[test]
fn a_refusal_is_read_however_early_it_comes() {
    let installation = RunningInstallation::start();
    let body = json!({ "nonsense": "a".repeat(16 * 1024) });
    for protocol in ["--http2", "--http1.1"] {
        for _ in 0..20 {
            // The answer is known before the body has arrived.
            let request = installation.at_portal("/api/v1/nothing").json(&body).flag(protocol);
            assert_eq!(request.send().expect(404).problem(), "R-03", "{protocol}");
        }
    }
}

fn code(invitation: &str) -> String {
    invitation.split_once('#').expect("a code in the fragment").1.to_owned()
}
