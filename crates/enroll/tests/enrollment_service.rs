//! What a person with an invitation, a device with a certificate, and an operator reading the log may rely on when
//! they enroll and renew.

#![allow(clippy::unwrap_used)]

#[allow(dead_code)]
mod fixture;

use fixture::{DEVICE, EnrollFixture, PORTAL, enrolling, fresh_csr, is_problem, post, presenting};
use http::StatusCode;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tegata_core::encoding::{base64, from_base64};
use tegata_core::id::InvitationCode;
use tegata_core::{
    CertificateState, Contact, DeviceId, Guidance, Refusal, RevocationReason, Role, Thumbprint, Timestamp,
};
use tegata_storage::{DeviceAction, PolicyPlace, TenantAction};
use tegata_testkit::ca::{DAY, NOW, csr};
use tegata_testkit::{Everything, OPERATOR};
use tegata_web::{PeerAddress, TrustVerdict};

#[tokio::test]
async fn an_invitation_becomes_a_certificate_that_the_probe_recognizes() {
    let fixture = EnrollFixture::new().await;
    let code = fixture.invite(Role::Device).await;
    let opened = fixture.portal("/api/v1/invitations/open", &json!({"code": code})).await;
    assert_eq!(opened.status, StatusCode::OK);
    assert_eq!(opened.json["subject"], "本店 受付PC");
    assert_eq!(opened.headers["cache-control"], "no-store");

    let answer = fixture.enroll(&code, &fresh_csr()).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    assert_eq!((&answer.json["generation"], &answer.json["name"]), (&json!(1), &json!("本店 受付PC")));
    let certificate = fixture::certificate(&answer);
    let probe = fixture.probe(Some(&certificate), Some(PORTAL)).await;
    assert_eq!(probe.status, StatusCode::OK);
    for key in ["device", "generation", "serial", "thumbprint"] {
        assert_eq!(probe.json[key], answer.json[key], "{key}");
    }
}

#[tokio::test]
async fn a_gates_invitation_yields_a_gate() {
    let fixture = EnrollFixture::new().await;
    let answer = fixture.enroll(&fixture.invite(Role::Gate).await, &fresh_csr()).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    let device = DeviceId::parse(answer.json["device"].as_str().unwrap()).unwrap();
    assert_eq!(fixture.ca.ledger.everything().device(&device).await.unwrap().unwrap().role, Role::Gate);
    let der = from_base64(answer.json["certificate"].as_str().unwrap()).unwrap();
    let uri = format!("https://tegata.example.jp/gate/{device}");
    assert!(der.windows(uri.len()).any(|window| window == uri.as_bytes()));
}

#[tokio::test]
async fn a_lost_answer_is_repeated_to_its_key_until_the_certificate_is_used() {
    let fixture = EnrollFixture::new().await;
    let (code, csr) = (fixture.invite(Role::Device).await, fresh_csr());
    let first = fixture.enroll(&code, &csr).await;
    let before = fixture.ca.place.content().await;
    fixture.clock.set(NOW.plus(DAY).minus(Duration::from_secs(1)));
    let again = fixture.enroll(&code, &csr).await;
    assert_eq!((again.status, &again.json), (StatusCode::CREATED, &first.json));
    assert_eq!(fixture.ca.place.content().await, before, "and nothing is written for it");

    fixture.probe(Some(&fixture::certificate(&first)), None).await;
    fixture.refuses(Refusal::InvitationUsed, fixture::enrolling(&code, &csr)).await;
}

#[tokio::test]
async fn a_delivery_is_noted_once_and_only_for_ones_own_certificate() {
    let fixture = EnrollFixture::new().await;
    let (code, other) = (fixture.invite(Role::Device).await, fixture.invite(Role::Device).await);
    let answer = fixture.enroll(&code, &fresh_csr()).await;
    let foreign = fixture.enroll(&other, &fresh_csr()).await;
    let deliver = |thumbprint: &Value| json!({"code": code, "thumbprint": thumbprint});
    let path = "/api/v1/deliveries";
    for _ in 0..2 {
        let noted = fixture.portal(path, &deliver(&answer.json["thumbprint"])).await;
        assert_eq!(noted.status, StatusCode::NO_CONTENT);
    }
    let device = DeviceId::parse(answer.json["device"].as_str().unwrap()).unwrap();
    let rows = fixture.ca.ledger.everything().certificates_of(&device).await.unwrap();
    assert_eq!(rows[0].state, CertificateState::Delivered);
    assert_eq!(fixture.audited("certificate.delivered").await, 1);
    for thumbprint in [&foreign.json["thumbprint"], &json!("x"), &json!("")] {
        let body = deliver(thumbprint).to_string();
        fixture.refuses(Refusal::RequestMalformed, fixture::post(path, body)).await;
    }
}

#[tokio::test]
async fn a_renewal_gives_the_next_generation_and_a_lost_answer_is_given_again() {
    let fixture = EnrollFixture::new().await;
    let first = fixture.enroll(&fixture.invite(Role::Device).await, &fresh_csr()).await;
    let old = fixture::certificate(&first);
    let csr = fresh_csr();
    let renewed = fixture.renew(&old, &csr).await;
    assert_eq!((renewed.status, &renewed.json["generation"]), (StatusCode::CREATED, &json!(2)));
    assert_eq!(renewed.json["device"], first.json["device"]);
    assert_eq!(fixture.renew(&old, &csr).await.json, renewed.json);
    let body = json!({"thumbprint": renewed.json["thumbprint"]}).to_string();
    let noted = fixture.send(fixture::presenting(fixture::post("/api/v1/deliveries", body), &old)).await;
    assert_eq!(noted.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_renewal_comes_with_a_token_for_the_new_certificate_on_request() {
    let fixture = EnrollFixture::new().await;
    let old = fixture::certificate(&fixture.enroll(&fixture.invite(Role::Device).await, &fresh_csr()).await);
    let renew = async |csr: &str, token: Value| {
        let body = json!({"csr": csr, "token": token}).to_string();
        fixture.send(fixture::presenting(fixture::post("/api/v1/renewals", body), &old)).await
    };
    let csr = fresh_csr();
    let silent = fixture.renew(&old, &csr).await;
    assert_eq!((&silent.json["token"], &silent.json["token_error"]), (&Value::Null, &Value::Null));
    assert!(fixture.tokens.requests.lock().unwrap().is_empty(), "nobody asked");

    let given = renew(&csr, json!({"resource": "https://stock.example"})).await;
    assert_eq!(given.status, StatusCode::CREATED, "{}", given.text);
    assert_eq!(given.json["token"]["access_token"], given.json["thumbprint"]);
    assert_eq!(given.headers["cache-control"], "no-store");
    let request = fixture.tokens.requests.lock().unwrap().pop().unwrap();
    assert_eq!((request.resource.as_deref(), request.scope), (Some("https://stock.example"), None));
    assert_eq!(renew(&csr, json!({"audience": "x"})).await.status, StatusCode::BAD_REQUEST);

    fixture.tokens.is_closed.store(true, Ordering::SeqCst);
    let without = renew(&csr, json!({})).await;
    assert_eq!(without.status, StatusCode::CREATED, "the certificate is handed over all the same");
    assert_eq!(without.json["certificate"], given.json["certificate"]);
    assert_eq!(without.json["token_error"]["error"], "temporarily_unavailable");
    assert_eq!(without.json["token"], Value::Null);
}

#[tokio::test]
async fn an_unusable_request_is_refused_and_leaves_the_invitation_open() {
    let fixture = EnrollFixture::new().await;
    let code = fixture.invite(Role::Device).await;
    let good = from_base64(&fresh_csr()).unwrap();
    let mut unsigned = good.clone();
    // The last octet belongs to the signature.
    *unsigned.last_mut().unwrap() ^= 1;
    let p384 = csr(&rcgen::PKCS_ECDSA_P384_SHA384);
    for (refusal, csr) in [
        (Refusal::CsrMalformed, String::new()),
        (Refusal::CsrMalformed, "not base64!".into()),
        (Refusal::CsrMalformed, base64(b"not a request")),
        (Refusal::CsrMalformed, base64(&good[..good.len() - 1])),
        (Refusal::CsrMalformed, base64(&[&good[..], &[0]].concat())),
        (Refusal::CsrTooLarge, base64(&vec![0x30; 8193])),
        (Refusal::CsrTooLarge, "A".repeat(40_000)),
        (Refusal::CsrNotSigned, base64(&unsigned)),
        (Refusal::KeyNotAllowed, base64(&p384)),
        (Refusal::KeyNotAllowed, base64(&fixture::rsa_csr())),
    ] {
        fixture.refuses(refusal, fixture::enrolling(&code, &csr)).await;
    }
    assert_eq!(fixture.enroll(&code, &base64(&good)).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn an_invitation_that_is_not_good_says_why() {
    let fixture = EnrollFixture::new().await;
    let [used, expired, withdrawn] = [
        fixture.invite(Role::Device).await,
        fixture.invite(Role::Device).await,
        fixture.invite(Role::Device).await,
    ];
    assert_eq!(fixture.enroll(&used, &fresh_csr()).await.status, StatusCode::CREATED);
    fixture.withdraw(&withdrawn).await;
    let unknown = "0".repeat(32);
    for (refusal, code) in [
        (Refusal::InvitationUsed, used.as_str()),
        (Refusal::InvitationWithdrawn, &withdrawn),
        (Refusal::InvitationUnknown, &unknown),
        (Refusal::InvitationUnknown, "short"),
        (Refusal::InvitationUnknown, ""),
    ] {
        fixture.refuses(refusal, fixture::enrolling(code, &fresh_csr())).await;
        let open = json!({"code": code}).to_string();
        fixture.refuses(refusal, fixture::post("/api/v1/invitations/open", open)).await;
    }
    fixture.clock.set(NOW.plus(DAY).plus(Duration::from_millis(1)));
    fixture.refuses(Refusal::InvitationExpired, fixture::enrolling(&expired, &fresh_csr())).await;
}

#[tokio::test]
async fn a_key_serves_one_certificate_only() {
    let fixture = EnrollFixture::new().await;
    let csr = fresh_csr();
    let first = fixture.enroll(&fixture.invite(Role::Device).await, &csr).await;
    let second = fixture.invite(Role::Device).await;
    fixture.refuses(Refusal::KeyReused, fixture::enrolling(&second, &csr)).await;
    let old = fixture::certificate(&first);
    fixture.probe(Some(&old), None).await;
    fixture.refuses(Refusal::KeyReused, fixture::renewing(&old, &csr)).await;
    assert_eq!(fixture.enroll(&second, &fresh_csr()).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_certificate_that_is_not_good_neither_renews_nor_passes_the_probe() {
    let fixture = EnrollFixture::new().await;
    let mut holders = Vec::new();
    for _ in 0..5 {
        let answer = fixture.enroll(&fixture.invite(Role::Device).await, &fresh_csr()).await;
        holders.push(fixture::certificate(&answer));
        fixture.probe(holders.last(), None).await;
    }
    let [good, revoked, suspended, laid_aside, superseded] = holders.try_into().unwrap();
    fixture.act(&revoked, DeviceAction::Revoke(RevocationReason::KeyCompromise)).await;
    fixture.act(&suspended, DeviceAction::Suspend).await;
    fixture.act(&laid_aside, DeviceAction::Retire).await;
    fixture.supersede(&superseded).await;
    let mut foreign = good.clone();
    foreign.path = TrustVerdict::Foreign;
    let mut unknown = good.clone();
    unknown.thumbprint = Thumbprint::of(b"signed by our key, yet nowhere written down");
    for (refusal, certificate) in [
        (Refusal::CertificateRevoked, &revoked),
        (Refusal::DeviceSuspended, &suspended),
        (Refusal::CertificateRetired, &laid_aside),
        (Refusal::CertificateRetired, &superseded),
        (Refusal::ForeignCertificate, &foreign),
        (Refusal::UnknownCertificate, &unknown),
    ] {
        fixture.refuses(refusal, fixture::renewing(certificate, &fresh_csr())).await;
        fixture.refuses(refusal, fixture::probing(Some(certificate), Some(PORTAL))).await;
    }
    fixture.refuses(Refusal::NoCertificate, fixture::probing(None, Some(PORTAL))).await;
    assert_eq!(fixture.refusals_of(&revoked).await, 1, "the operator can see that a lost terminal asked");
    fixture.ca.ledger.write_refusals(now_of(&fixture), true).await.unwrap();
    assert_eq!(fixture.refusals_of(&revoked).await, 2, "and how often");
    assert_eq!(fixture.refusals_of(&good).await, 0, "a foreign certificate is nobody's");
    fixture.pass_time(DAY * 366).await;
    fixture.refuses(Refusal::CertificateExpired, fixture::renewing(&good, &fresh_csr())).await;
    fixture.refuses(Refusal::CertificateExpired, fixture::probing(Some(&good), None)).await;
}

#[tokio::test]
async fn a_body_that_is_not_what_the_route_reads_is_refused() {
    let fixture = EnrollFixture::new().await;
    let (code, csr) = (fixture.invite(Role::Device).await, fresh_csr());
    let path = "/api/v1/enrollments";
    let good = json!({"code": code, "csr": csr}).to_string();
    let twice = format!(r#"{{"code":"{code}","code":"{code}","csr":"{csr}"}}"#);
    let long = format!(r#"{{"code":"{code}","csr":"{}"}}"#, "A".repeat(70_000));
    for (refusal, body) in [
        (Refusal::RequestMalformed, String::new()),
        (Refusal::RequestMalformed, "{".into()),
        (Refusal::RequestMalformed, good.replace("csr", "CSR")),
        (Refusal::RequestMalformed, json!({"code": code, "csr": csr, "role": "gate"}).to_string()),
        (Refusal::RequestMalformed, json!({"code": code, "csr": 5}).to_string()),
        (Refusal::RequestMalformed, json!({"code": code}).to_string()),
        (Refusal::RequestMalformed, twice),
        (Refusal::RequestMalformed, format!("{good}{good}")),
        (Refusal::RequestTooLarge, long),
    ] {
        let answer = fixture.refuses(refusal, fixture::post(path, body)).await;
        assert!(!answer.text.contains(&code), "a code is never said back");
    }
    for media in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx"] {
        let mut request = fixture::post(path, good.clone());
        request.headers_mut().insert("content-type", media.parse().unwrap());
        fixture.refuses(Refusal::MediaType, request).await;
    }
    for (name, value) in
        [("origin", "https://evil.example"), ("origin", "null"), ("sec-fetch-site", "cross-site")]
    {
        let mut request = fixture::post(path, good.clone());
        request.headers_mut().insert(name, value.parse().unwrap());
        fixture.refuses(Refusal::ForeignOrigin, request).await;
    }
    let mut ours = fixture::post(path, good);
    ours.headers_mut().insert("origin", PORTAL.parse().unwrap());
    assert_eq!(fixture.send(ours).await.status, StatusCode::CREATED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_sixteen_keys_at_once_one_gets_the_invitation() {
    let fixture = EnrollFixture::new().await;
    let code = fixture.invite(Role::Device).await;
    let requests: Vec<_> = (0..16).map(|_| fixture::enrolling(&code, &fresh_csr())).collect();
    let answers =
        futures_util::future::join_all(requests.into_iter().map(|request| fixture.spawn(request))).await;
    let (given, refused): (Vec<_>, Vec<_>) =
        answers.iter().partition(|answer| answer.status == StatusCode::CREATED);
    assert_eq!((given.len(), refused.len()), (1, 15));
    for answer in refused {
        is_problem(answer, Refusal::InvitationUsed);
    }
    assert_eq!(fixture.certificates().await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_key_sent_sixteen_times_at_once_gets_one_certificate_everywhere() {
    let fixture = EnrollFixture::new().await;
    let (code, csr) = (fixture.invite(Role::Device).await, fresh_csr());
    let requests: Vec<_> = (0..16).map(|_| fixture::enrolling(&code, &csr)).collect();
    let answers =
        futures_util::future::join_all(requests.into_iter().map(|request| fixture.spawn(request))).await;
    let settled = fixture.enroll(&code, &csr).await;
    assert_eq!(settled.status, StatusCode::CREATED);
    for answer in &answers {
        match answer.status {
            StatusCode::CREATED => assert_eq!(answer.json, settled.json),
            _ => is_problem(answer, Refusal::Unavailable),
        }
    }
    assert!(answers.iter().any(|answer| answer.status == StatusCode::CREATED));
    assert_eq!(fixture.certificates().await, 1);
}

#[tokio::test]
async fn only_our_own_pages_can_read_the_probe() {
    let fixture = EnrollFixture::new().await;
    let answer = fixture.enroll(&fixture.invite(Role::Device).await, &fresh_csr()).await;
    let certificate = fixture::certificate(&answer);
    for presented in [Some(&certificate), None] {
        for ours in [PORTAL, DEVICE] {
            let probe = fixture.probe(presented, Some(ours)).await;
            assert_eq!(probe.headers["access-control-allow-origin"], ours);
            assert_eq!(probe.headers["access-control-allow-credentials"], "true");
        }
        for other in
            [None, Some("https://evil.example"), Some("null"), Some("https://portal.example.evil.example")]
        {
            let probe = fixture.probe(presented, other).await;
            assert!(!probe.headers.contains_key("access-control-allow-origin"), "{other:?}");
            assert!(!probe.headers.contains_key("access-control-allow-credentials"), "{other:?}");
            assert_eq!(probe.headers["vary"], "origin");
        }
    }
}

#[tokio::test]
async fn a_flood_of_refusals_does_not_drown_the_log() {
    let fixture = EnrollFixture::new().await;
    let code = "0".repeat(32);
    for number in 0..1000_u32 {
        let mut request = enrolling(&code, "");
        let [.., high, low] = number.to_be_bytes();
        request.extensions_mut().insert(PeerAddress(([10, 0, high, low], 50_000).into()));
        assert_eq!(fixture.send(request).await.status, StatusCode::NOT_FOUND);
    }
    assert_eq!(fixture.audited("certificate.refused").await, 1);
    fixture.pass_time(Duration::from_hours(1)).await;
    fixture.ca.ledger.write_refusals(now_of(&fixture), false).await.unwrap();
    assert_eq!(fixture.audited("certificate.refused").await, 2, "how many there were is one more entry");
    fixture.enroll(&code, "").await;
    assert_eq!(fixture.audited("certificate.refused").await, 3, "the next hour begins anew");
}

fn now_of(fixture: &EnrollFixture) -> Timestamp {
    use tegata_core::Clock;
    fixture.clock.now()
}

#[tokio::test]
async fn a_person_who_closed_the_page_too_early_may_replace_the_unused_key() {
    let fixture = EnrollFixture::new().await;
    let (code, lost, found) = (fixture.invite(Role::Device).await, fresh_csr(), fresh_csr());
    let first = fixture.enroll(&code, &lost).await;
    let open = |replace: bool| json!({"code": code, "replace": replace});
    let path = "/api/v1/invitations/open";
    is_problem(&fixture.portal(path, &open(false)).await, Refusal::InvitationUsed);
    fixture.refuses(Refusal::InvitationUsed, enrolling(&code, &found)).await;
    assert_eq!(fixture.portal(path, &open(true)).await.status, StatusCode::OK, "only whoever asks for it");

    let replace = |csr: &str| json!({"code": code, "csr": csr, "replace": true});
    let second = fixture.portal("/api/v1/enrollments", &replace(&found)).await;
    assert_eq!((second.status, &second.json["generation"]), (StatusCode::CREATED, &json!(2)));
    assert_eq!(second.json["device"], first.json["device"], "no second device");
    let again = fixture.portal("/api/v1/enrollments", &replace(&found)).await;
    assert_eq!(again.json, second.json, "a lost answer replaces nothing");
    fixture.pass_time(Duration::ZERO).await;
    let old = fixture.probe(Some(&fixture::certificate(&first)), None).await;
    is_problem(&old, Refusal::CertificateRevoked);
    assert_eq!(fixture.audited("certificate.superseded").await, 1);

    let used = fixture.probe(Some(&fixture::certificate(&second)), None).await;
    assert_eq!(used.status, StatusCode::OK);
    is_problem(&fixture.portal(path, &open(true)).await, Refusal::InvitationUsed);
    let late = fixture.portal("/api/v1/enrollments", &replace(&fresh_csr())).await;
    is_problem(&late, Refusal::InvitationUsed);
}

#[tokio::test]
async fn staff_of_a_suspended_tenant_read_so_on_the_invitation_and_whom_to_call() {
    let fixture = EnrollFixture::new().await;
    let (code, gate) = (fixture.invite(Role::Device).await, fixture.invite(Role::Gate).await);
    let tenant = fixture.ca.invitation(&InvitationCode::parse(&code).unwrap()).await.tenant;
    let guidance = Guidance { contact: Contact::new("本部", "03-1234-5678").ok(), product: None };
    let place = PolicyPlace { tenant: tenant.clone(), site: None };
    let mut transaction = fixture.ca.ledger.begin(NOW).await.unwrap();
    transaction.set_guidance(&place, &guidance, &OPERATOR).await.unwrap();
    transaction.act_on_tenant(&tenant, TenantAction::Suspend, "", &OPERATOR).await.unwrap();
    transaction.commit().await.unwrap();
    let refused = fixture.portal("/api/v1/invitations/open", &json!({"code": code})).await;
    is_problem(&refused, Refusal::TenantSuspended);
    assert_eq!(refused.json["contact"], json!({"name": "本部", "phone": "03-1234-5678"}));
    let opened = fixture.portal("/api/v1/invitations/open", &json!({"code": gate})).await;
    assert_eq!(opened.status, StatusCode::OK, "gates go on");
    let stranger = json!({"code": "0".repeat(32)});
    let unknown = fixture.portal("/api/v1/invitations/open", &stranger).await;
    assert_eq!(unknown.json.get("contact"), None, "no company is told to whoever has no invitation");
}

#[tokio::test]
async fn a_person_gets_a_name_that_tells_old_from_new_a_program_the_known_one() {
    let fixture = EnrollFixture::new().await;
    let first = fixture.enroll(&fixture.invite(Role::Device).await, &fresh_csr()).await;
    let old = fixture::certificate(&first);
    let renewing = |body: Value| presenting(post("/api/v1/renewals", body.to_string()), &old);
    let program = fixture.send(renewing(json!({"csr": fresh_csr()}))).await;
    assert_eq!(program.json["name"], first.json["name"]);
    let csr = fresh_csr();
    let person = fixture.send(renewing(json!({"csr": csr, "name_until": true}))).await;
    let name = person.json["name"].as_str().unwrap();
    assert!(name.starts_with("本店 受付PC（20") && name.ends_with("月まで）"), "{name}");
    let der = fixture::certificate(&person).der;
    assert!(der.windows(name.len()).any(|part| part == name.as_bytes()), "it is the certificate's own");
    let again = fixture.send(renewing(json!({"csr": csr, "name_until": true}))).await;
    assert_eq!(again.json["name"], name);
}
