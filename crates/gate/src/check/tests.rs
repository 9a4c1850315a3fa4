//! What a product may rely on, whatever the network does.

use super::*;
use crate::check_time::LastHeard;
use crate::state::GateStateWriter;
use serde_json::{Value, json};
use std::time::Duration;
use tegata_core::encoding::base64url;
use tegata_core::entropy::Seeded;
use tegata_core::feed::{Change, Event, TokenHolder, TokensBefore};
use tegata_core::jws::SigningKey;
use tegata_core::{DeviceId, SiteId, TenantId, Timestamp};

const ISSUER: &str = "https://ca.example";
pub(crate) const NOW: i64 = 1_800_000_000;

pub(crate) struct GateFixture {
    key: SigningKey,
    state: Arc<GateState>,
    writer: GateStateWriter,
    pub(crate) gate: RequestVerifier,
    pub(crate) device: DeviceId,
    tenant: TenantId,
    site: SiteId,
}

pub(crate) fn certificate() -> Thumbprint {
    Thumbprint::of(b"certificate")
}

pub(crate) fn at(second: i64) -> CheckTime {
    let uptime = Duration::from_secs(u64::try_from(second).unwrap());
    CheckTime { now: Timestamp::from_seconds(NOW + second), uptime }
}

pub(crate) fn new_key() -> SigningKey {
    SigningKey::from_pkcs8(&SigningKey::generate().unwrap()).unwrap()
}

impl GateFixture {
    pub(crate) fn new() -> Self {
        let key = new_key();
        let state = Arc::new(GateState::default());
        state.set_keys(KeySet::new([key.public().clone()]));
        state.hear(LastHeard::new(Timestamp::from_seconds(NOW), at(0)));
        let writer = GateStateWriter::new(Arc::clone(&state));
        let gate = RequestVerifier::new(GatePolicy::new(ISSUER, "rezept"), Arc::clone(&state), 100);
        let entropy = Seeded::new(1);
        let (device, tenant, site) =
            (DeviceId::random(&entropy), TenantId::random(&entropy), SiteId::random(&entropy));
        Self { key, state, writer, gate, device, tenant, site }
    }

    /// Lets the gate take tokens that are bound to a key, for a product at this origin.
    pub(crate) fn take_keys_at(&mut self, origin: &str) {
        let mut policy = GatePolicy::new(ISSUER, "rezept");
        policy.dpop_origins = vec![origin.parse().unwrap()];
        self.gate = RequestVerifier::new(policy, Arc::clone(&self.state), 100);
    }

    fn claims(&self) -> Value {
        json!({
            "iss": ISSUER, "sub": format!("device:{}", self.device), "aud": "rezept",
            "client_id": self.device, "iat": NOW, "exp": NOW + 300, "jti": "token-1",
            "cnf": { "x5t#S256": certificate() },
            "tenant": self.tenant, "site": self.site, "device": self.device, "generation": 1,
        })
    }

    fn sign(&self, claims: &Value) -> String {
        self.key.sign(ACCESS_TOKEN, claims.to_string().as_bytes()).unwrap()
    }

    pub(crate) fn token(&self) -> String {
        self.sign(&self.claims())
    }

    /// A token with some claims replaced; `null` removes one.
    pub(crate) fn token_with(&self, changes: Value) -> String {
        let mut claims = self.claims();
        let Value::Object(changes) = changes else { panic!("changes are an object") };
        for (name, value) in changes {
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(&name);
            } else {
                claims[name] = value;
            }
        }
        self.sign(&claims)
    }

    pub(crate) fn check(&self, token: &str) -> Result<(), Refusal> {
        self.gate.check(token, Some(certificate()), at(0)).map(drop)
    }

    pub(crate) fn happen(&mut self, change: Change) {
        let seq = self.state.denials.load().seq() + 1;
        self.writer.apply(Event { seq, at: Timestamp::from_seconds(NOW), change }).unwrap();
    }
}

#[test]
fn a_good_token_with_its_certificate_passes_and_says_who_asks() {
    let fixture = GateFixture::new();
    let verified = fixture.gate.check(&fixture.token(), Some(certificate()), at(0)).unwrap();
    assert_eq!(verified.device(), &fixture.device);
    assert_eq!((verified.tenant(), verified.site()), (&fixture.tenant, &fixture.site));
    assert_eq!((verified.generation(), verified.thumbprint()), (1, &certificate()));
}

#[test]
fn a_gate_of_a_part_of_a_product_takes_only_tokens_for_it() {
    let mut fixture = GateFixture::new();
    let mut policy = GatePolicy::new(ISSUER, "rezept");
    policy.scopes = vec!["stock.read".into(), "stock.write".into()];
    fixture.gate = RequestVerifier::new(policy, Arc::clone(&fixture.state), 100);
    for (scope, verdict) in [
        (Value::Null, Err(Refusal::ScopeInsufficient)),
        (json!(""), Err(Refusal::ScopeInsufficient)),
        (json!("stock.read"), Err(Refusal::ScopeInsufficient)),
        (json!("stock.read stock.writer"), Err(Refusal::ScopeInsufficient)),
        (json!("stock.write admin stock.read"), Ok(())),
        (json!(["stock.read", "stock.write"]), Err(Refusal::TokenInvalid)),
    ] {
        let token = fixture.token_with(json!({"scope": scope}));
        for _warm in 0..2 {
            assert_eq!(fixture.check(&token), verdict, "{scope}");
        }
    }
    let stolen = fixture.gate.check(&fixture.token(), Some(Thumbprint::of(b"another")), at(0));
    assert_eq!(
        stolen,
        Err(Refusal::TokenNotBound),
        "whoever may not come in at all is not told what is missing"
    );
}

#[test]
fn a_bound_token_is_nothing_without_its_certificate() {
    let fixture = GateFixture::new();
    let token = fixture.token();
    for _warm in 0..2 {
        assert_eq!(fixture.gate.check(&token, None, at(0)), Err(Refusal::NoCertificate));
        // A certificate of another device, of the same key, or of the next generation has another
        // thumbprint; nothing else about it is looked at.
        let other = Some(Thumbprint::of(b"same key, other certificate"));
        assert_eq!(fixture.gate.check(&token, other, at(0)), Err(Refusal::TokenNotBound));
        assert_eq!(fixture.check(&token), Ok(()));
    }
}

#[test]
fn a_token_without_exactly_one_known_confirmation_is_refused() {
    let fixture = GateFixture::new();
    let thumbprint = certificate().to_string();
    for cnf in [
        json!(null),
        json!({}),
        json!({ "jkt": thumbprint }),
        json!({ "x5t#S256": thumbprint, "jkt": thumbprint }),
        json!({ "x5t#S256": thumbprint, "unknown": 1 }),
        json!({ "x5t#S256": &thumbprint[..42] }),
        json!({ "x5t#S256": format!("{thumbprint}=") }),
        json!("x"),
    ] {
        assert_eq!(
            fixture.check(&fixture.token_with(json!({ "cnf": cnf }))),
            Err(Refusal::TokenInvalid),
            "{cnf}"
        );
    }
    let twice = fixture.claims().to_string();
    let twice = twice.replacen('{', &format!(r#"{{"cnf":{{"x5t#S256":"{thumbprint}"}},"#), 1);
    let token = fixture.key.sign(ACCESS_TOKEN, twice.as_bytes()).unwrap();
    assert_eq!(fixture.check(&token), Err(Refusal::TokenInvalid));
}

#[test]
fn a_person_who_uses_a_device_passes_with_the_device_s_certificate() {
    let fixture = GateFixture::new();
    let person = tegata_core::claims::person_subject("https://idp.example", "staff-1");
    let acting = json!({ "sub": format!("device:{}", fixture.device) });
    let token = fixture.token_with(json!({ "sub": person, "act": acting }));
    let verified = fixture.gate.check(&token, Some(certificate()), at(0)).unwrap();
    assert_eq!((verified.person(), verified.device()), (Some(&*person), &fixture.device));
    assert_eq!(fixture.gate.check(&fixture.token(), Some(certificate()), at(0)).unwrap().person(), None);
    for changes in [
        json!({ "sub": person }),
        json!({ "sub": person, "act": { "sub": "device:other" } }),
        json!({ "sub": person, "act": { "sub": person } }),
        json!({ "sub": person, "act": { "sub": format!("device:{}", fixture.device), "act": {} } }),
        json!({ "sub": person, "act": acting, "client_id": "other" }),
        json!({ "act": acting }),
        json!({ "sub": "staff-1", "act": acting }),
    ] {
        let token = fixture.token_with(changes.clone());
        assert_eq!(fixture.check(&token), Err(Refusal::TokenInvalid), "{changes}");
    }
}

#[test]
fn only_this_issuer_and_this_audience_exactly_are_believed() {
    let fixture = GateFixture::new();
    for (refusal, changes) in [
        (Refusal::TokenOfAnotherIssuer, json!({ "iss": "https://ca.example/" })),
        (Refusal::TokenOfAnotherIssuer, json!({ "iss": "https://CA.example" })),
        (Refusal::TokenOfAnotherIssuer, json!({ "iss": "https://evil.example", "aud": "other" })),
        (Refusal::TokenForAnother, json!({ "aud": "other", "exp": NOW })),
        (Refusal::TokenForAnother, json!({ "aud": "rezept " })),
        (Refusal::TokenInvalid, json!({ "iss": null })),
        (Refusal::TokenInvalid, json!({ "aud": ["rezept"] })),
        (Refusal::TokenInvalid, json!({ "aud": null })),
        (Refusal::TokenInvalid, json!({ "sub": "device:other" })),
        (Refusal::TokenInvalid, json!({ "sub": fixture.device })),
        (Refusal::TokenInvalid, json!({ "client_id": "other" })),
        (Refusal::TokenInvalid, json!({ "exp": null })),
        (Refusal::TokenInvalid, json!({ "iat": null })),
        (Refusal::TokenInvalid, json!({ "jti": null })),
        (Refusal::TokenInvalid, json!({ "exp": "soon" })),
    ] {
        let token = fixture.token_with(changes.clone());
        assert_eq!(fixture.check(&token), Err(refusal), "{changes}");
    }
}

#[test]
fn clocks_may_differ_by_ten_seconds_and_not_by_a_minute() {
    let fixture = GateFixture::new();
    for claim in ["iat", "nbf"] {
        for (ahead, accepted) in [(0, true), (10, true), (11, false), (60, false), (3600, false)] {
            let token = fixture.token_with(json!({ claim: NOW + ahead }));
            assert_eq!(fixture.check(&token).is_ok(), accepted, "{claim} {ahead}");
        }
    }
    assert_eq!(
        fixture.check(&fixture.token_with(json!({ "nbf": i64::MAX }))),
        Err(Refusal::TokenNotYetValid)
    );
}

#[test]
fn a_token_ends_in_its_last_second_also_when_it_is_remembered() {
    let fixture = GateFixture::new();
    let token = fixture.token_with(json!({ "exp": NOW + 5 }));
    let check = |second| fixture.gate.check(&token, Some(certificate()), at(second)).map(drop);
    assert_eq!([check(0), check(4)], [Ok(()), Ok(())]);
    assert_eq!(check(5), Err(Refusal::TokenEnded));
    assert_eq!(check(6), Err(Refusal::TokenEnded));
    assert_eq!(check(4), Ok(()), "remembered, and within its time");
}

#[test]
fn another_kind_of_signed_text_is_no_access_token() {
    let fixture = GateFixture::new();
    let payload = fixture.claims().to_string();
    for typ in ["JWT", "tegata-feed+jwt", "logout+jwt", "id_token", ""] {
        let text = fixture.key.sign(typ, payload.as_bytes()).unwrap();
        assert_eq!(fixture.check(&text), Err(Refusal::TokenInvalid), "{typ}");
    }
    let stranger = new_key().sign(ACCESS_TOKEN, payload.as_bytes()).unwrap();
    assert_eq!(fixture.check(&stranger), Err(Refusal::TokenInvalid));
}

#[test]
fn no_header_talks_a_gate_into_another_algorithm_or_key() {
    let fixture = GateFixture::new();
    let token = fixture.token();
    let (_, rest) = token.split_once('.').unwrap();
    let (payload, signature) = rest.split_once('.').unwrap();
    let kid = fixture.key.public().kid();
    let jwk = serde_json::to_value(new_key().public().jwk()).unwrap();
    for header in [
        json!({ "alg": "none", "typ": "at+jwt", "kid": kid }),
        json!({ "alg": "HS256", "typ": "at+jwt", "kid": kid }),
        json!({ "alg": "ES384", "typ": "at+jwt", "kid": kid }),
        json!({ "alg": "ES256", "typ": "at+jwt", "kid": "unknown" }),
        json!({ "alg": "ES256", "typ": "at+jwt" }),
        json!({ "alg": "ES256", "typ": "at+jwt", "kid": kid, "jwk": jwk }),
        json!({ "alg": "ES256", "typ": "at+jwt", "jku": "https://evil.example", "x5u": "https://evil.example" }),
    ] {
        let header = base64url(header.to_string().as_bytes());
        for signature in [signature, ""] {
            let forged = format!("{header}.{payload}.{signature}");
            assert_eq!(fixture.check(&forged), Err(Refusal::TokenInvalid));
        }
    }
    assert_eq!(fixture.check(&token), Ok(()));
}

#[test]
fn a_denial_bites_at_the_next_request_however_warm_the_token() {
    let until = Timestamp::from_seconds(NOW + 1000);
    let device = GateFixture::new().device;
    let of_device = |reason| Change::DeviceDenied { device: device.clone(), reason };
    let denials = [
        (of_device(Denial::Suspended), Refusal::DeviceSuspended),
        (of_device(Denial::Revoked), Refusal::CertificateRevoked),
        (
            Change::CertificateDenied { thumbprint: certificate(), reason: Denial::Retired, until },
            Refusal::CertificateRetired,
        ),
        (Change::TokenDenied { jti: "token-1".into(), until }, Refusal::TokenRevoked),
        (
            Change::TenantDenied { tenant: GateFixture::new().tenant, reason: Denial::Suspended },
            Refusal::DeviceSuspended,
        ),
        (signed_out(TokenHolder::Device(device.clone()), NOW + 1), Refusal::TokenRevoked),
        (signed_out(TokenHolder::Tenant(GateFixture::new().tenant), NOW + 1), Refusal::TokenRevoked),
    ];
    for (change, refusal) in denials {
        let mut fixture = GateFixture::new();
        let token = fixture.token();
        assert_eq!((fixture.check(&token), fixture.check(&token)), (Ok(()), Ok(())));
        fixture.happen(change);
        assert_eq!(fixture.check(&token), Err(refusal));
    }
}

#[test]
fn a_resumed_device_enters_again_and_other_devices_never_noticed() {
    let mut fixture = GateFixture::new();
    let token = fixture.token();
    let device = fixture.device.clone();
    fixture
        .happen(Change::DeviceDenied { device: DeviceId::random(&Seeded::new(9)), reason: Denial::Revoked });
    assert_eq!(fixture.check(&token), Ok(()));
    fixture.happen(Change::DeviceDenied { device: device.clone(), reason: Denial::Suspended });
    assert_eq!(fixture.check(&token), Err(Refusal::DeviceSuspended));
    fixture.happen(Change::DeviceAllowed { device });
    assert_eq!(fixture.check(&token), Ok(()));
    let tenant = fixture.tenant.clone();
    let elsewhere = TenantId::random(&Seeded::new(9));
    fixture.happen(Change::TenantDenied { tenant: elsewhere.clone(), reason: Denial::Suspended });
    fixture.happen(signed_out(TokenHolder::Tenant(elsewhere), NOW + 1));
    assert_eq!(fixture.check(&token), Ok(()));
    fixture.happen(Change::TenantDenied { tenant: tenant.clone(), reason: Denial::Suspended });
    assert_eq!(fixture.check(&token), Err(Refusal::DeviceSuspended));
    fixture.happen(Change::TenantAllowed { tenant });
    assert_eq!(fixture.check(&token), Ok(()));
}

#[test]
fn who_was_signed_out_enters_with_a_younger_token() {
    let mut fixture = GateFixture::new();
    let (old, new) = (fixture.token(), fixture.token_with(json!({ "iat": NOW + 5, "jti": "token-2" })));
    fixture.happen(signed_out(TokenHolder::Device(fixture.device.clone()), NOW + 5));
    assert_eq!(fixture.check(&old), Err(Refusal::TokenRevoked));
    assert_eq!(fixture.check(&new), Ok(()));
}

fn signed_out(of: TokenHolder, second: i64) -> Change {
    let issued_before = Timestamp::from_seconds(second);
    Change::TokensDenied(TokensBefore { of, issued_before, until: Timestamp::from_seconds(second + 3600) })
}

#[test]
fn a_gate_without_news_for_ten_seconds_refuses_all_until_it_has_some() {
    let fixture = GateFixture::new();
    let token = fixture.token();
    let check = |second| fixture.gate.check(&token, Some(certificate()), at(second)).map(drop);
    assert_eq!([check(0), check(10)], [Ok(()), Ok(())]);
    assert_eq!(check(11), Err(Refusal::GateStale));
    fixture.state.hear(LastHeard::new(Timestamp::from_seconds(NOW + 12), at(12)));
    assert_eq!(check(12), Ok(()));
}

#[test]
fn a_gate_that_never_heard_anything_refuses_everybody() {
    let fixture = GateFixture::new();
    let gate = RequestVerifier::new(GatePolicy::new(ISSUER, "rezept"), Arc::new(GateState::default()), 100);
    assert_eq!(gate.check(&fixture.token(), Some(certificate()), at(0)), Err(Refusal::GateStale));
}

#[test]
fn a_withdrawn_key_takes_the_remembered_tokens_with_it() {
    let fixture = GateFixture::new();
    let token = fixture.token();
    assert_eq!(fixture.check(&token), Ok(()));
    fixture.state.set_keys(KeySet::new([fixture.key.public().clone()]));
    assert_eq!(fixture.check(&token), Ok(()));
    fixture.state.set_keys(KeySet::new([new_key().public().clone()]));
    assert_eq!(fixture.check(&token), Err(Refusal::TokenInvalid));
}
