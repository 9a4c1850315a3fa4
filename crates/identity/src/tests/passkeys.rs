//! Passkeys, from a person's account page to the sign-in and to their end.

use super::authenticator::TestAuthenticator;
use super::fixture::{PASSWORD, TestBrowser, TestCompany, form_token, goes_to, shows};
use http::StatusCode;
use serde_json::Value;
use std::time::Duration;
use tegata_testkit::TestResponse;

impl TestBrowser<'_> {
    /// Up to the page on which the browser makes a passkey: its options.
    async fn creation_options(&self) -> (String, Value) {
        let token = form_token(&self.go("/account/passkeys/new").await);
        let fields = [("form_token", &token[..]), ("name", "わたしの電話"), ("password", PASSWORD)];
        let page = self.post("/account/passkeys/new", &fields).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
        let (_, rest) = page.text.split_once("data-options=\"").unwrap();
        let options = rest.split_once('"').unwrap().0.replace("&#34;", "\"");
        (token, serde_json::from_str(&options).unwrap())
    }

    async fn keep(&self, token: &str, made: &str) -> TestResponse {
        let fields = [("form_token", token), ("name", "わたしの電話"), ("passkey", made)];
        self.post("/account/passkeys", &fields).await
    }

    async fn register(&self, authenticator: &TestAuthenticator) {
        let (token, options) = self.creation_options().await;
        let kept = self.keep(&token, &authenticator.create(&options)).await;
        assert_eq!(goes_to(&kept), "/account?lang=ja", "{}", kept.text);
    }

    /// The sign-in page's token, and what its script asks the browser with.
    async fn request_options(&self) -> (String, Value) {
        let token = form_token(&self.go("/sign-in").await);
        let options = self.go("/sign-in/passkey").await;
        assert_eq!(options.status, StatusCode::OK, "{}", options.text);
        (token, options.json())
    }

    async fn sign_in_with(&self, authenticator: &TestAuthenticator) -> TestResponse {
        let (token, options) = self.request_options().await;
        let signed = authenticator.get(&options);
        self.post("/sign-in", &[("form_token", &token[..]), ("passkey", &signed)]).await
    }
}

/// A company with a browser whose person has registered this authenticator.
async fn registered<'a>(company: &'a TestCompany, authenticator: &TestAuthenticator) -> TestBrowser<'a> {
    let person = company.set_up("tanaka").await;
    let browser = company.browser().await;
    browser.sign_in("tanaka", PASSWORD, &company.digits(&person.code, 1).await).await;
    browser.register(authenticator).await;
    browser
}

async fn sign_out(browser: &TestBrowser<'_>) {
    let token = form_token(&browser.go("/account").await);
    browser.post("/account/sign-out", &[("form_token", &token)]).await;
}

#[tokio::test]
async fn a_passkey_alone_signs_its_person_in() {
    let company = TestCompany::new().await;
    let authenticator = TestAuthenticator::new(b"one");
    let browser = registered(&company, &authenticator).await;
    let account = browser.go("/account").await;
    assert!(account.text.contains("わたしの電話") && account.text.contains("まだ使われていません"));
    sign_out(&browser).await;
    assert_eq!(goes_to(&browser.sign_in_with(&authenticator).await), "/account?lang=ja");
    let account = browser.go("/account").await;
    assert!(account.text.contains("田中 花子") && !account.text.contains("まだ使われていません"));
    let audit = company.audit().await.join("\n");
    assert!(audit.contains("person.passkey_added") && audit.contains("\"factor\":\"passkey\""), "{audit}");
    assert!(!audit.contains("電話"), "what somebody calls a passkey is theirs");
}

#[tokio::test]
async fn a_passkey_stands_for_the_code_beside_the_password() {
    let company = TestCompany::new().await;
    let authenticator = TestAuthenticator::new(b"one");
    let browser = registered(&company, &authenticator).await;
    let stranger = company.set_up("sato").await;
    sign_out(&browser).await;
    // Possession is enough where the password is known.
    authenticator.verifies.set(false);
    assert!(shows(&browser.sign_in_with(&authenticator).await, "U-06"), "alone it has to verify the person");
    for (login, password, code) in
        [("tanaka", "another password", "U-01"), ("sato", PASSWORD, "U-01"), ("nobody", PASSWORD, "U-01")]
    {
        let (token, options) = browser.request_options().await;
        let signed = authenticator.get(&options);
        let before = company.service.hasher.done();
        let fields =
            [("form_token", &token[..]), ("login", login), ("password", password), ("passkey", &signed)];
        assert!(shows(&browser.post("/sign-in", &fields).await, code), "{login}");
        assert_eq!(company.service.hasher.done(), before + 1);
    }
    let (token, options) = browser.request_options().await;
    let signed = authenticator.get(&options);
    let fields =
        [("form_token", &token[..]), ("login", "tanaka"), ("password", PASSWORD), ("passkey", &signed)];
    assert_eq!(goes_to(&browser.post("/sign-in", &fields).await), "/account?lang=ja");
    assert!(company.audit().await.pop().unwrap().contains("\"factor\":\"password and passkey\""));
    assert_eq!(stranger.recovery.len(), 10);
}

#[tokio::test]
async fn a_removed_passkey_lets_nobody_in() {
    let company = TestCompany::new().await;
    let authenticator = TestAuthenticator::new(b"one");
    let browser = registered(&company, &authenticator).await;
    let account = browser.go("/account").await;
    let (_, rest) = account.text.split_once("data-passkey=\"").unwrap();
    let passkey = rest.split_once('"').unwrap().0.to_owned();
    let token = form_token(&account);
    browser.post("/account/passkeys/remove", &[("form_token", &token), ("passkey", &passkey)]).await;
    sign_out(&browser).await;
    assert!(shows(&browser.sign_in_with(&authenticator).await, "U-06"));
    assert!(company.audit().await.iter().any(|entry| entry.contains("person.passkey_removed")));
}

#[tokio::test]
async fn an_answer_counts_once_on_this_site_in_this_browser_and_in_its_time() {
    let company = TestCompany::new().await;
    let authenticator = TestAuthenticator::new(b"one");
    let browser = registered(&company, &authenticator).await;
    sign_out(&browser).await;
    authenticator.origin.set("https://evil.example");
    assert!(shows(&browser.sign_in_with(&authenticator).await, "U-06"), "a page of another site has asked");
    authenticator.origin.set(tegata_testkit::DEVICE);
    let (token, options) = browser.request_options().await;
    let signed = authenticator.get(&options);
    let other = company.browser_on(browser.device.clone());
    let foreign = form_token(&other.go("/sign-in").await);
    let stolen = other.post("/sign-in", &[("form_token", &foreign[..]), ("passkey", &signed)]).await;
    assert!(shows(&stolen, "U-06"), "another browser's challenge");
    let form = browser.cookies.borrow().clone();
    assert_eq!(
        goes_to(&browser.post("/sign-in", &[("form_token", &token[..]), ("passkey", &signed)]).await),
        "/account?lang=ja"
    );
    browser.cookies.borrow_mut().clone_from(&form);
    let again = browser.post("/sign-in", &[("form_token", &token[..]), ("passkey", &signed)]).await;
    assert!(shows(&again, "U-05"), "{}", again.text);
    let (token, options) = browser.request_options().await;
    let signed = authenticator.get(&options);
    company.installation.advance(Duration::from_mins(5)).await;
    let late = browser.post("/sign-in", &[("form_token", &token[..]), ("passkey", &signed)]).await;
    assert!(shows(&late, "U-06"));
}

#[tokio::test]
async fn a_counter_that_goes_back_is_a_copy_and_refused() {
    let company = TestCompany::new().await;
    let authenticator = TestAuthenticator::new(b"one");
    authenticator.counter.set(5);
    let browser = registered(&company, &authenticator).await;
    sign_out(&browser).await;
    assert_eq!(goes_to(&browser.sign_in_with(&authenticator).await), "/account?lang=ja");
    sign_out(&browser).await;
    authenticator.counter.set(3);
    let refused = browser.sign_in_with(&authenticator).await;
    assert!(shows(&refused, "U-07") && refused.status == StatusCode::FORBIDDEN);
    let audit = company.audit().await;
    assert!(audit.iter().any(|entry| entry.contains("session.refused") && entry.contains("U-07")));
    authenticator.counter.set(6);
    assert_eq!(goes_to(&browser.sign_in_with(&authenticator).await), "/account?lang=ja");
}

#[tokio::test]
async fn a_passkey_is_registered_once_by_whoever_knows_the_password() {
    let company = TestCompany::new().await;
    let authenticator = TestAuthenticator::new(b"one");
    let browser = registered(&company, &authenticator).await;
    let (token, options) = browser.creation_options().await;
    assert_eq!(options["excludeCredentials"][0], "b25l", "the browser is told what there is");
    assert!(browser.keep(&token, &authenticator.create(&options)).await.text.contains("U-08"));
    let another = TestAuthenticator::new(b"two");
    let (token, options) = browser.creation_options().await;
    another.verifies.set(false);
    assert!(
        browser.keep(&token, &another.create(&options)).await.text.contains("U-09"),
        "it verifies nobody"
    );
    another.verifies.set(true);
    another.origin.set("https://evil.example");
    assert!(browser.keep(&token, &another.create(&options)).await.text.contains("U-09"));
    another.origin.set(tegata_testkit::DEVICE);
    for nonsense in ["", "{}", "[]", "{\"clientDataJSON\":\"!\",\"attestationObject\":\"\"}"] {
        assert!(browser.keep(&token, nonsense).await.text.contains("U-09"), "{nonsense}");
    }
    let made = another.create(&options);
    assert_eq!(goes_to(&browser.keep(&token, &made).await), "/account?lang=ja");
    assert!(browser.keep(&token, &made).await.text.contains("U-05"), "a challenge is answered once");
    let wrong = [("form_token", &token[..]), ("name", "x"), ("password", "another password")];
    let page = browser.post("/account/passkeys/new", &wrong).await;
    assert!(page.status == StatusCode::UNPROCESSABLE_ENTITY && page.text.contains("password-problem"));
    let unnamed = [("form_token", &token[..]), ("password", PASSWORD)];
    assert!(browser.post("/account/passkeys/new", &unnamed).await.text.contains("name-problem"));
}
