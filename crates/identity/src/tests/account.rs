//! What a person changes of their own account.

use super::fixture::{PASSWORD, TestBrowser, TestCompany, form_token, goes_to, shows};
use http::StatusCode;
use std::time::Duration;

const OTHER: &str = "秋の夜長のながい散歩";

/// Two browsers of one person, both signed in, and the person.
async fn twice(company: &TestCompany) -> (super::fixture::SetUpPerson, [TestBrowser<'_>; 2]) {
    let person = company.set_up("tanaka").await;
    let [one, two] = [company.browser().await, company.browser().await];
    one.sign_in("tanaka", PASSWORD, &company.digits(&person.code, 1).await).await;
    company.installation.advance(Duration::from_mins(1)).await;
    two.sign_in("tanaka", PASSWORD, &company.digits(&person.code, 0).await).await;
    (person, [one, two])
}

#[tokio::test]
async fn another_password_takes_the_old_one_and_ends_all_other_sessions() {
    let company = TestCompany::new().await;
    let (person, [one, two]) = twice(&company).await;
    let token = form_token(&one.go("/account/password").await);
    for (old, password, again, problem) in [
        ("another password", OTHER, OTHER, "old-problem"),
        (PASSWORD, "short", "short", "password-problem"),
        (PASSWORD, OTHER, "another one", "password-problem"),
        ("", OTHER, OTHER, "old-problem"),
    ] {
        let fields = [("form_token", &token[..]), ("old", old), ("password", password), ("again", again)];
        let answer = one.post("/account/password", &fields).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
        assert!(answer.text.contains(&format!("id=\"{problem}\"")) && !answer.text.contains(OTHER));
    }
    assert_eq!(two.go("/account").await.status, StatusCode::OK);
    let fields = [("form_token", &token[..]), ("old", PASSWORD), ("password", OTHER), ("again", OTHER)];
    assert_eq!(goes_to(&one.post("/account/password", &fields).await), "/account?lang=ja");
    assert_eq!(one.go("/account").await.status, StatusCode::OK);
    assert_eq!(goes_to(&two.go("/account").await), "/sign-in?lang=ja");
    company.installation.advance(Duration::from_mins(1)).await;
    let digits = company.digits(&person.code, 0).await;
    assert!(shows(&two.sign_in("tanaka", PASSWORD, &digits).await, "U-01"));
    assert_eq!(goes_to(&two.sign_in("tanaka", OTHER, &digits).await), "/account?lang=ja");
    let audit = company.audit().await.join("\n");
    assert!(audit.contains("person.password_changed"), "{audit}");
}

#[tokio::test]
async fn nobody_guesses_a_password_on_a_screen_that_was_left_open() {
    let company = TestCompany::new().await;
    let (_, [one, _]) = twice(&company).await;
    let token = form_token(&one.go("/account/recovery-codes").await);
    let mut answers = Vec::new();
    for _ in 0..12 {
        let fields = [("form_token", &token[..]), ("password", "a guess of somebody")];
        answers.push(one.post("/account/recovery-codes", &fields).await.status);
    }
    assert_eq!(
        answers[9..],
        [StatusCode::UNPROCESSABLE_ENTITY, StatusCode::TOO_MANY_REQUESTS, StatusCode::TOO_MANY_REQUESTS]
    );
}

#[tokio::test]
async fn another_app_takes_the_place_of_the_one_before() {
    let company = TestCompany::new().await;
    let (person, [one, two]) = twice(&company).await;
    let page = one.go("/account/app").await;
    let field = |name: &str| {
        let (_, rest) = page.text.split_once(&format!("name=\"{name}\" value=\"")).unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    };
    let (token, chance) = (field("form_token"), field("chance"));
    let (_, rest) = page.text.split_once("id=\"totp-secret\">").unwrap();
    let secret = rest.split_once('<').unwrap().0.to_owned();
    let code = |steps| totp(&secret, company.installation.context.now().seconds() / 30 + steps);
    let old = company.digits(&person.code, 0).await;
    for (password, digits, problem) in
        [(PASSWORD, old, "code-problem"), ("another password", code(0), "password-problem")]
    {
        let fields =
            [("form_token", &token[..]), ("chance", &chance), ("password", password), ("totp", &digits)];
        assert!(one.post("/account/app", &fields).await.text.contains(&format!("id=\"{problem}\"")));
    }
    let now = code(0);
    let fields = [("form_token", &token[..]), ("chance", &chance), ("password", PASSWORD), ("totp", &now)];
    assert_eq!(goes_to(&one.post("/account/app", &fields).await), "/account?lang=ja");
    assert_eq!(goes_to(&two.go("/account").await), "/sign-in?lang=ja");
    assert!(shows(&two.sign_in("tanaka", PASSWORD, &company.digits(&person.code, 1).await).await, "U-01"));
    assert!(shows(&two.sign_in("tanaka", PASSWORD, &now).await, "U-01"), "a code works once, here too");
    assert_eq!(goes_to(&two.sign_in("tanaka", PASSWORD, &code(1)).await), "/account?lang=ja");
}

#[tokio::test]
async fn other_recovery_codes_take_the_place_of_those_before() {
    let company = TestCompany::new().await;
    let (person, [one, two]) = twice(&company).await;
    let token = form_token(&one.go("/account/recovery-codes").await);
    let fields = [("form_token", &token[..]), ("password", PASSWORD)];
    let shown = one.post("/account/recovery-codes", &fields).await;
    let codes: Vec<_> = shown.text.split("<li><code>").skip(1).map(|rest| rest[..19].to_owned()).collect();
    assert_eq!(codes.len(), 10, "{}", shown.text);
    assert!(shows(&two.sign_in("tanaka", PASSWORD, &person.recovery[0]).await, "U-01"));
    assert_eq!(goes_to(&two.sign_in("tanaka", PASSWORD, &codes[0]).await), "/account?lang=ja");
}

#[tokio::test]
async fn whoever_is_not_signed_in_signs_in_first_and_comes_back() {
    let company = TestCompany::new().await;
    let browser = company.browser().await;
    for path in ["/account/password", "/account/app", "/account/recovery-codes", "/account/passkeys/new"] {
        let leads_to = goes_to(&browser.go(&format!("{path}?lang=en&x=//evil.example")).await).to_owned();
        assert_eq!(leads_to, format!("/sign-in?next={path}&lang=en"));
    }
}

/// What an app shows that was given the secret as it is typed.
fn totp(typed: &str, step: i64) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let (mut secret, mut held, mut bits) = (Vec::new(), 0u32, 0);
    for letter in typed.bytes().filter(|byte| *byte != b' ') {
        let five = ALPHABET.iter().position(|known| *known == letter).unwrap();
        (held, bits) = (held << 5 | u32::try_from(five).unwrap(), bits + 5);
        if bits >= 8 {
            bits -= 8;
            secret.push((held >> bits & 0xff) as u8);
        }
    }
    format!("{:06}", crate::totp::TotpSecret::new(&secret).code(step))
}
