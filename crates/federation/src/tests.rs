//! A provider on a web of its own that answers well and badly, and tokens that it would never have signed.

use crate::{
    AuthorizationCallback, BegunSignIn, ClientSecret, IdentityProvider, IdentityProviders, LogoutToken,
    MfaStatements, Provider, ProviderAuthentication, ProviderSignIn, ProviderTransport, SignInClient,
    SignInParameters, SignOutParameters, TransportAnswer,
};
use futures_util::future::BoxFuture;
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tegata_core::encoding::{base64, base64url};
use tegata_core::entropy::Seeded;
use tegata_core::jws::{KeySet, SigningKey};
use tegata_core::{Language, Refusal, TenantId, Timestamp};

const ISSUER: &str = "https://login.example/aoba";
const REDIRECT: &str = "https://device.example/sign-in/provider/callback";
const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

/// What the provider answers, and what it was asked.
struct ScriptedProvider {
    key: Mutex<Arc<SigningKey>>,
    metadata: Mutex<Value>,
    answer: Mutex<Option<(u16, String)>>,
    posted: Mutex<Vec<(String, Option<String>, String)>>,
    fetched: Mutex<usize>,
}

fn new_key() -> Arc<SigningKey> {
    Arc::new(SigningKey::from_pkcs8(&SigningKey::generate().unwrap()).unwrap())
}

impl ScriptedProvider {
    fn new() -> Arc<Self> {
        let metadata = json!({
            "issuer": ISSUER, "jwks_uri": "https://login.example/jwks",
            "authorization_endpoint": "https://login.example/authorize",
            "token_endpoint": "https://login.example/token",
            "end_session_endpoint": "https://login.example/end?realm=aoba",
            "authorization_response_iss_parameter_supported": true,
        });
        Arc::new(Self {
            key: Mutex::new(new_key()),
            metadata: Mutex::new(metadata),
            answer: Mutex::default(),
            posted: Mutex::default(),
            fetched: Mutex::default(),
        })
    }

    fn sign(&self, claims: &Value) -> String {
        self.key.lock().unwrap().sign("JWT", claims.to_string().as_bytes()).unwrap()
    }

    fn answers(&self, status: u16, body: &impl ToString) {
        *self.answer.lock().unwrap() = Some((status, body.to_string()));
    }
}

impl ProviderTransport for ScriptedProvider {
    fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Option<Vec<u8>>> {
        *self.fetched.lock().unwrap() += 1;
        let document = if url.ends_with("openid-configuration") {
            self.metadata.lock().unwrap().clone()
        } else {
            let keys = KeySet::new([self.key.lock().unwrap().public().clone()]);
            serde_json::to_value(keys.jwks()).unwrap()
        };
        Box::pin(async move { (!document.is_null()).then(|| document.to_string().into_bytes()) })
    }

    fn post_form<'a>(
        &'a self,
        url: &'a str,
        authorization: Option<HeaderValue>,
        form: String,
    ) -> BoxFuture<'a, Option<TransportAnswer>> {
        let authorization = authorization.map(|value| value.to_str().unwrap().to_owned());
        self.posted.lock().unwrap().push((url.to_owned(), authorization, form));
        let answer = self.answer.lock().unwrap().clone();
        Box::pin(async move {
            let (status, body) = answer?;
            let status = StatusCode::from_u16(status).unwrap();
            Some(TransportAnswer { status, body: body.into_bytes() })
        })
    }
}

fn client() -> SignInClient {
    SignInClient {
        client_id: "tegata".into(),
        authentication: ProviderAuthentication::SecretBasic(ClientSecret::new("a b:c".into())),
        scope: "openid profile".into(),
        acr_values: Vec::new(),
        max_age: Some(Duration::from_hours(12)),
        mfa: MfaStatements { acr: vec!["urn:two".into()], amr: vec!["mfa".into()] },
    }
}

fn provider_with(transport: &Arc<ScriptedProvider>, sign_in: SignInClient) -> Arc<Provider> {
    let tenant = TenantId::random(&Seeded::new(1));
    let providers = IdentityProviders::new([IdentityProvider {
        tenant: tenant.clone(),
        issuer: ISSUER.into(),
        audiences: vec!["app".into()],
        require: BTreeMap::from([("hd".to_owned(), "aoba".to_owned())]),
        person_claim: "sub".into(),
        site_claim: Some("stores".into()),
        sign_in: Some(sign_in),
        transport: transport.clone(),
    }]);
    providers.of_tenant(&tenant).unwrap().clone()
}

fn begun() -> BegunSignIn<'static> {
    BegunSignIn {
        redirect_uri: REDIRECT,
        nonce: "n-1",
        verifier: "v-1",
        max_age: Some(Duration::from_hours(12)),
        begun_at: NOW.minus(Duration::from_mins(1)),
    }
}

fn good(change: &Value) -> Value {
    let now = NOW.seconds();
    let mut claims = json!({
        "iss": ISSUER, "sub": "staff-1", "aud": "tegata", "iat": now, "exp": now + 300, "nonce": "n-1", "hd": "aoba",
        "auth_time": now - 3600, "sid": "s-1", "stores": ["本店"], "name": "佐藤 花子",
    });
    for (name, value) in change.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

fn callback(fields: &Value) -> AuthorizationCallback {
    serde_json::from_value(fields.clone()).unwrap()
}

async fn complete(
    provider: &Provider,
    transport: &ScriptedProvider,
    id_token: String,
) -> Result<ProviderSignIn, Refusal> {
    transport.answers(200, &json!({"id_token": id_token, "token_type": "Bearer", "access_token": "x"}));
    let back = callback(&json!({"state": "s", "code": "c-1", "iss": ISSUER}));
    provider.complete_sign_in(&back, &begun(), NOW, &Seeded::new(2)).await
}

#[tokio::test]
async fn a_sign_in_asks_for_a_code_bound_to_this_browser_and_nothing_else() {
    let transport = ScriptedProvider::new();
    let acr_values = vec!["urn:two".to_owned(), "urn:three".to_owned()];
    let provider = provider_with(&transport, SignInClient { acr_values, ..client() });
    let parameters = SignInParameters {
        redirect_uri: REDIRECT,
        state: "state-1",
        nonce: "nonce-1",
        verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        max_age: Some(Duration::ZERO),
        login_hint: Some("佐藤"),
        language: Language::Ja,
    };
    let start = provider.start_sign_in(&parameters, NOW).await.unwrap();
    assert_eq!(start.max_age, Some(Duration::ZERO));
    assert_eq!(
        start.url,
        "https://login.example/authorize?response_type=code&client_id=tegata\
         &redirect_uri=https%3A%2F%2Fdevice.example%2Fsign-in%2Fprovider%2Fcallback&scope=openid%20profile\
         &state=state-1&nonce=nonce-1&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM\
         &code_challenge_method=S256&ui_locales=ja&acr_values=urn%3Atwo%20urn%3Athree&max_age=0&prompt=login\
         &login_hint=%E4%BD%90%E8%97%A4"
    );
    let usual = provider.start_sign_in(&SignInParameters { max_age: None, ..parameters }, NOW).await.unwrap();
    assert!(usual.url.contains("&max_age=43200") && !usual.url.contains("prompt"), "{}", usual.url);
}

#[tokio::test]
async fn a_code_is_redeemed_with_verifier_and_secret_and_names_the_person() {
    let transport = ScriptedProvider::new();
    let provider = provider_with(&transport, client());
    let token = transport.sign(&good(&json!({"amr": ["pwd", "otp", "mfa", "made-up"]})));
    let signed_in = complete(&provider, &transport, token).await.unwrap();
    assert_eq!((&*signed_in.person, &*signed_in.subject), ("staff-1", "staff-1"));
    assert_eq!((signed_in.session.as_deref(), &*signed_in.amr), (Some("s-1"), "otp pwd mfa"));
    assert_eq!(signed_in.sites, Some(vec!["本店".to_owned()]));
    assert_eq!(signed_in.auth_time, Some(NOW.minus(Duration::from_hours(1))));
    let (url, authorization, form) = transport.posted.lock().unwrap().pop().unwrap();
    assert_eq!(url, "https://login.example/token");
    assert_eq!(authorization, Some(format!("Basic {}", base64(b"tegata:a%20b%3Ac"))));
    assert!(form.contains("code=c-1") && form.contains("code_verifier=v-1"), "{form}");
    assert!(!form.contains("secret"), "{form}");
}

#[tokio::test]
async fn two_factors_count_where_the_operator_believes_it_and_nowhere_else() {
    let transport = ScriptedProvider::new();
    let believing = provider_with(&transport, client());
    let doubting = provider_with(&transport, SignInClient { mfa: MfaStatements::default(), ..client() });
    for (claims, amr) in [
        (json!({"acr": "urn:two"}), "mfa"),
        (json!({"acr": "urn:one", "amr": ["pwd"]}), "pwd"),
        (json!({"amr": ["mfa", "hwk"]}), "hwk mfa"),
        (json!({"amr": "mfa"}), "mfa"),
        (json!({"amr": {"mfa": true}}), ""),
    ] {
        let token = transport.sign(&good(&claims));
        assert_eq!(complete(&believing, &transport, token.clone()).await.unwrap().amr, amr, "{claims}");
        let doubted = complete(&doubting, &transport, token).await.unwrap().amr;
        assert!(!doubted.contains("mfa"), "{claims}");
    }
}

#[tokio::test]
async fn an_id_token_that_was_not_made_for_this_sign_in_lets_nobody_in() {
    let transport = ScriptedProvider::new();
    let provider = provider_with(&transport, client());
    let now = NOW.seconds();
    for (attack, change) in [
        ("foreign nonce", json!({"nonce": "n-2"})),
        ("no nonce", json!({"nonce": null})),
        ("token of another client", json!({"aud": "app"})),
        ("token that another client obtained", json!({"aud": ["tegata", "app"], "azp": "app"})),
        ("token for several without azp", json!({"aud": ["tegata", "app"]})),
        ("mix-up: another issuer", json!({"iss": "https://evil.example"})),
        ("over", json!({"exp": now})),
        ("old", json!({"iat": now - 700})),
        ("of the future", json!({"iat": now + 60})),
        ("no auth_time", json!({"auth_time": null})),
        ("auth_time too long ago", json!({"auth_time": now - 43_200 - 120})),
        ("auth_time to come", json!({"auth_time": now + 60})),
        ("logout token", json!({"events": {}})),
        ("nobody", json!({"sub": ""})),
        ("a name too long", json!({"sub": "x".repeat(256)})),
    ] {
        let token = transport.sign(&good(&change));
        let outcome = complete(&provider, &transport, token).await.err();
        assert_eq!(outcome, Some(Refusal::ProviderSignInFailed), "{attack}");
    }
    let elsewhere = transport.sign(&good(&json!({"hd": "another"})));
    assert_eq!(complete(&provider, &transport, elsewhere).await.err(), Some(Refusal::PersonElsewhere));
    let both = json!({"aud": ["tegata", "app"], "azp": "tegata"});
    assert!(complete(&provider, &transport, transport.sign(&good(&both))).await.is_ok());
}

#[tokio::test]
async fn alg_none_and_signatures_of_others_are_believed_nowhere() {
    let transport = ScriptedProvider::new();
    let provider = provider_with(&transport, client());
    let claims = base64url(good(&json!({})).to_string().as_bytes());
    let header = |text: &str| base64url(text.as_bytes());
    let foreign = new_key().sign("JWT", good(&json!({})).to_string().as_bytes()).unwrap();
    for token in [
        format!("{}.{claims}.", header("{\"alg\":\"none\"}")),
        format!("{}.{claims}.AAAA", header("{\"alg\":\"HS256\"}")),
        foreign,
        "not.a.token".to_owned(),
        String::new(),
    ] {
        let outcome = complete(&provider, &transport, token.clone()).await.err();
        assert_eq!(outcome, Some(Refusal::ProviderSignInFailed), "{token}");
    }
}

#[tokio::test]
async fn mix_up_an_answer_names_the_provider_where_that_is_promised() {
    let transport = ScriptedProvider::new();
    let provider = provider_with(&transport, client());
    let token = transport.sign(&good(&json!({})));
    transport.answers(200, &json!({"id_token": token}));
    for fields in [json!({"code": "c"}), json!({"code": "c", "iss": "https://evil.example"})] {
        let outcome = provider.complete_sign_in(&callback(&fields), &begun(), NOW, &Seeded::new(1)).await;
        assert_eq!(outcome.err(), Some(Refusal::ProviderSignInFailed), "{fields}");
    }
    assert!(transport.posted.lock().unwrap().is_empty(), "no code goes anywhere");
    let silent = ScriptedProvider::new();
    silent.metadata.lock().unwrap()["authorization_response_iss_parameter_supported"] = json!(false);
    let provider = provider_with(&silent, client());
    silent.answers(200, &json!({"id_token": silent.sign(&good(&json!({})))}));
    let back = callback(&json!({"code": "c"}));
    assert!(provider.complete_sign_in(&back, &begun(), NOW, &Seeded::new(1)).await.is_ok());
}

#[tokio::test]
async fn a_bad_answer_is_told_apart_from_a_provider_that_is_away() {
    let transport = ScriptedProvider::new();
    let provider = provider_with(&transport, client());
    let back = callback(&json!({"code": "c", "iss": ISSUER}));
    let outcome = async || provider.complete_sign_in(&back, &begun(), NOW, &Seeded::new(1)).await.err();
    assert_eq!(outcome().await, Some(Refusal::ProviderUnavailable), "no answer");
    for (status, body, refusal) in [
        (500, "oops", Refusal::ProviderUnavailable),
        (429, "", Refusal::ProviderUnavailable),
        (200, "{", Refusal::ProviderSignInFailed),
        (200, "{\"access_token\":\"x\"}", Refusal::ProviderSignInFailed),
        (400, "{\"error\":\"invalid_grant\"}", Refusal::ProviderSignInFailed),
        (401, "{\"error\":\"invalid_client\"}", Refusal::ProviderSignInFailed),
        (302, "", Refusal::ProviderSignInFailed),
    ] {
        transport.answers(status, &body);
        assert_eq!(outcome().await, Some(refusal), "{status} {body}");
    }
    for (error, refusal) in [
        ("access_denied", Refusal::ProviderSignInFailed),
        ("temporarily_unavailable", Refusal::ProviderUnavailable),
        ("unmet_authentication_requirements", Refusal::SignInTooWeak),
        ("<script>", Refusal::ProviderSignInFailed),
    ] {
        let back = callback(&json!({"error": error, "iss": ISSUER}));
        let outcome = provider.complete_sign_in(&back, &begun(), NOW, &Seeded::new(1)).await.err();
        assert_eq!(outcome, Some(refusal), "{error}");
    }
}

#[tokio::test]
async fn the_strength_that_is_asked_for_is_what_has_to_come_back() {
    let transport = ScriptedProvider::new();
    let provider = provider_with(&transport, SignInClient { acr_values: vec!["urn:two".into()], ..client() });
    for acr in [json!(null), json!("urn:one")] {
        let token = transport.sign(&good(&json!({"acr": acr})));
        let outcome = complete(&provider, &transport, token).await.err();
        assert_eq!(outcome, Some(Refusal::SignInTooWeak), "{acr}");
    }
    let token = transport.sign(&good(&json!({"acr": "urn:two"})));
    assert_eq!(complete(&provider, &transport, token).await.unwrap().amr, "mfa");
}

#[tokio::test]
async fn a_provider_that_changes_keys_is_asked_again_but_not_for_every_guess() {
    let transport = ScriptedProvider::new();
    let provider = provider_with(&transport, client());
    let token = transport.sign(&good(&json!({})));
    assert!(complete(&provider, &transport, token.clone()).await.is_ok());
    assert_eq!(*transport.fetched.lock().unwrap(), 2);
    *transport.key.lock().unwrap() = new_key();
    let newer = transport.sign(&good(&json!({})));
    // The documents were fetched at this very moment.
    assert!(complete(&provider, &transport, newer.clone()).await.is_err());
    assert_eq!(*transport.fetched.lock().unwrap(), 2);
    let later = NOW.plus(Duration::from_secs(6));
    transport.answers(200, &json!({"id_token": newer}));
    let back = callback(&json!({"code": "c", "iss": ISSUER}));
    assert!(provider.complete_sign_in(&back, &begun(), later, &Seeded::new(1)).await.is_ok());
    assert_eq!(*transport.fetched.lock().unwrap(), 4);
}

#[tokio::test]
async fn a_certificate_is_shown_where_the_provider_wants_it_shown() {
    let transport = ScriptedProvider::new();
    transport.metadata.lock().unwrap()["mtls_endpoint_aliases"] =
        json!({"token_endpoint": "https://mtls.login.example/token"});
    let certificate = SignInClient { authentication: ProviderAuthentication::Certificate, ..client() };
    let token = transport.sign(&good(&json!({})));
    complete(&provider_with(&transport, certificate), &transport, token.clone()).await.unwrap();
    complete(&provider_with(&transport, client()), &transport, token).await.unwrap();
    let posted = transport.posted.lock().unwrap();
    let urls: Vec<_> = posted.iter().map(|(url, ..)| url.as_str()).collect();
    assert_eq!(urls, ["https://mtls.login.example/token", "https://login.example/token"]);
    assert!(posted[0].1.is_none() && posted[0].2.contains("client_id=tegata"));
}

fn logout(change: &Value) -> Value {
    let now = NOW.seconds();
    let event = "http://schemas.openid.net/event/backchannel-logout";
    let mut claims = json!({
        "iss": ISSUER, "aud": "tegata", "iat": now, "exp": now + 120, "jti": "j-1", "sub": "staff-1", "sid": "s-1",
        "events": {event: {}},
    });
    for (name, value) in change.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

#[tokio::test]
async fn a_logout_token_is_believed_and_nothing_that_looks_like_one() {
    let transport = ScriptedProvider::new();
    let provider = provider_with(&transport, client());
    let read = async |claims: Value| -> Result<LogoutToken, Refusal> {
        provider.logout_token(&transport.sign(&claims), NOW).await
    };
    let token = read(logout(&json!({}))).await.ok().unwrap();
    assert_eq!((token.subject.as_deref(), token.session.as_deref()), (Some("staff-1"), Some("s-1")));
    let again = read(logout(&json!({}))).await.ok().unwrap();
    let other = read(logout(&json!({"jti": "j-2"}))).await.ok().unwrap();
    assert!(token.hash == again.hash && token.hash != other.hash);
    assert!(
        read(logout(&json!({"sid": null}))).await.is_ok()
            && read(logout(&json!({"sub": null}))).await.is_ok()
    );
    let sealed = "s".repeat(400);
    let token = read(logout(&json!({"sid": sealed, "sub": null}))).await.ok().unwrap();
    assert_eq!(token.session.as_deref(), Some(&*sealed), "idpyoidc's names of sessions are sealed texts");
    let now = NOW.seconds();
    for (attack, change) in [
        ("with a nonce", json!({"nonce": "n"})),
        ("another issuer", json!({"iss": "https://evil.example"})),
        ("another client", json!({"aud": "app"})),
        ("nobody", json!({"sub": null, "sid": null})),
        ("no jti", json!({"jti": null})),
        ("no events", json!({"events": null})),
        ("another event", json!({"events": {"https://example/event": {}}})),
        (
            "an event that is no object",
            json!({"events": {"http://schemas.openid.net/event/backchannel-logout": 1}}),
        ),
        ("over", json!({"exp": now})),
        ("old", json!({"iat": now - 301})),
    ] {
        assert_eq!(read(logout(&change)).await.err(), Some(Refusal::LogoutTokenRefused), "{attack}");
    }
    assert_eq!(read(good(&json!({}))).await.err(), Some(Refusal::LogoutTokenRefused), "an ID token");
}

#[tokio::test]
async fn whoever_signs_out_is_led_to_the_provider_s_own_sign_out() {
    let transport = ScriptedProvider::new();
    let provider = provider_with(&transport, client());
    let back = "https://device.example/sign-in";
    let signing_out =
        SignOutParameters { id_token: Some("a.b.c"), back, state: Some("s"), language: Language::En };
    let url = provider.sign_out_url(&signing_out, NOW).await.unwrap();
    assert_eq!(
        url,
        "https://login.example/end?realm=aoba&client_id=tegata\
         &post_logout_redirect_uri=https%3A%2F%2Fdevice.example%2Fsign-in&ui_locales=en&id_token_hint=a.b.c&state=s"
    );
    for endpoint in [json!(null), json!("http://login.example/end"), json!("javascript:alert(1)")] {
        let transport = ScriptedProvider::new();
        transport.metadata.lock().unwrap()["end_session_endpoint"] = endpoint.clone();
        let provider = provider_with(&transport, client());
        assert_eq!(
            provider.sign_out_url(&SignOutParameters { id_token: None, ..signing_out }, NOW).await,
            None,
            "{endpoint}"
        );
    }
}
