//! Staged migration: a password of another product proves itself on an enrolled device, and leads to a second factor first.

use super::{OPERATOR, TestCompany, goes_to, shows};
use crate::portal_routes;
use axum::body::Body;
use http::header::CONTENT_TYPE;
use http::{Request, StatusCode};
use tegata_core::{PersonId, SetupCode};
use tegata_testkit::{Everything, TestResponse, send};

/// What Django keeps of `OLD`, with few rounds.
const OLD: &str = "薬局の朝は早い1";
const HASH: &str = "pbkdf2_sha256$12000$seasalt$eqKgXIChO78/QzmaQ1PVqehhZGX7PU6COrDER19StCA=";

async fn import(company: &TestCompany, person: &PersonId, hash: &str) {
    let context = &company.installation.context;
    let mut transaction = context.ledger.begin(context.now()).await.unwrap();
    assert!(transaction.import_password(person, hash, &OPERATOR).await.unwrap());
    transaction.commit().await.unwrap();
}

/// The code of the link that the page leads to.
fn setup_code(page: &TestResponse) -> SetupCode {
    let (_, rest) = page.text.split_once("/setup?lang=ja#").unwrap_or_else(|| panic!("{}", page.text));
    SetupCode::parse(&rest[..32]).unwrap()
}

async fn open(company: &TestCompany, code: &SetupCode) -> String {
    let request = Request::post("/setup").header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    let request = request.body(Body::from(format!("code={}", code.reveal()))).unwrap();
    send(portal_routes(company.service.clone()), None, request).await.text
}

#[tokio::test]
async fn an_imported_password_leads_to_a_second_factor_and_is_kept() {
    let company = TestCompany::new().await;
    let (person, link) = company.add("sato").await;
    import(&company, &person, HASH).await;
    let browser = company.browser().await;
    let page = browser.sign_in("sato", OLD, "").await;
    assert_eq!(
        (page.status, browser.session()),
        (StatusCode::OK, None),
        "no session without a second factor"
    );
    let code = setup_code(&page);
    assert!(open(&company, &code).await.contains("keeps-password"));
    assert_ne!(code.hash(), link.hash());
    let digits = company.digits(&code, 0).await;
    let done = company.complete(&code, "", "", &digits).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.text);
    let entered = browser.sign_in("sato", OLD, &company.digits(&code, 1).await).await;
    assert_eq!(goes_to(&entered), "/account?lang=ja");
    let login = tegata_core::LoginId::parse("sato").unwrap().key();
    let rows = company.installation.context.ledger.everything();
    let candidate = rows.sign_in_candidate(&login, &browser.device.id).await.unwrap().unwrap();
    assert!(candidate.password.starts_with("$argon2id$v=19$m=19456,t=2,p=1$") && !candidate.is_imported);
    let audit = company.audit().await.join("\n");
    assert!(audit.contains("person.password_proved") && !audit.contains("seasalt"));
}

#[tokio::test]
async fn a_wrong_imported_password_is_answered_as_any_other_and_costs_a_hash() {
    let company = TestCompany::new().await;
    let (person, _) = company.add("sato").await;
    import(&company, &person, HASH).await;
    let browser = company.browser().await;
    let before = company.service.hasher.done();
    for (login, password) in [("nobody", OLD), ("sato", "another password"), ("sato", "")] {
        let page = browser.sign_in(login, password, "").await;
        assert!(page.status == StatusCode::UNAUTHORIZED && shows(&page, "U-01"), "{}", page.text);
    }
    assert_eq!(company.service.hasher.done(), before + 3, "one each");
    for _ in 0..8 {
        browser.sign_in("sato", "another password", "").await;
    }
    assert!(shows(&browser.sign_in("sato", OLD, "").await, "U-02"), "throttled like everybody");
}

#[tokio::test]
async fn a_weak_imported_password_is_replaced_and_a_disabled_person_stays_out() {
    let company = TestCompany::new().await;
    let (person, _) = company.add("sato").await;
    // bcrypt of "password", with the fewest rounds there are.
    import(&company, &person, &bcrypt_of("password")).await;
    let browser = company.browser().await;
    let code = setup_code(&browser.sign_in("sato", "password", "").await);
    assert!(!open(&company, &code).await.contains("keeps-password"));
    let digits = company.digits(&code, 0).await;
    assert_eq!(company.complete(&code, "", "", &digits).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let context = &company.installation.context;
    let mut transaction = context.ledger.begin(context.now()).await.unwrap();
    transaction.disable_person(&person, "", &OPERATOR).await.unwrap();
    transaction.commit().await.unwrap();
    assert!(shows(&browser.sign_in("sato", "password", "").await, "U-04"));
    assert!(shows(&browser.sign_in("sato", "wrong", "").await, "U-01"), "said to nobody else");
}

fn bcrypt_of(password: &str) -> String {
    bcrypt::hash_with_salt(password, 4, [7; 16]).unwrap().to_string()
}
