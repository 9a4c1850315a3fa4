use super::sealed::Purpose;
use super::*;
use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;
use tegata_core::encoding::{base64url, from_base64url};
use tegata_core::entropy::Seeded;
use tegata_core::{DeviceId, SiteId, TenantId, Timestamp};

const KEY: &str = "tegata-session-key-1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

fn sealer(audience: &str, origin: &str) -> CookieSealer {
    CookieSealer::new(SessionKeys::parse(KEY).unwrap(), audience, &origin.parse().unwrap())
}

fn facts() -> SessionFacts {
    let chance = Seeded::new(1);
    SessionFacts {
        subject: "person:ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0".into(),
        device: DeviceId::random(&chance),
        tenant: TenantId::random(&chance),
        site: SiteId::random(&chance),
        generation: 3,
        sid: Some("0123456789abcdefghjkmnpqrs".into()),
        acr: "urn:tegata:acr:mfa".into(),
        amr: "pwd otp hwk".into(),
        auth_time: Some(1_800_000_000),
        issued: Timestamp::from_seconds(1_800_000_060),
        used: Timestamp::from_seconds(1_800_000_070),
        ends: Timestamp::from_seconds(1_800_043_200),
    }
}

#[test]
fn a_cookie_opens_for_its_product_origin_and_purpose_alone() {
    let (one, chance) = (sealer("rezept", "https://a.example"), Seeded::new(2));
    let sealed = one.seal(Purpose::Session, facts().to_bytes(), &chance).unwrap();
    assert!(sealed.len() < 600, "{} characters with every request", sealed.len());
    let opened = one.open(Purpose::Session, &sealed).unwrap();
    assert_eq!(SessionFacts::from_bytes(&opened), Some(facts()));
    assert_eq!(one.open(Purpose::SignIn, &sealed), None);
    assert_eq!(sealer("other", "https://a.example").open(Purpose::Session, &sealed), None);
    assert_eq!(sealer("rezept", "https://b.example").open(Purpose::Session, &sealed), None);
    assert!(sealer("rezept", "https://a.example").open(Purpose::Session, &sealed).is_some());
    let again = one.seal(Purpose::Session, facts().to_bytes(), &chance).unwrap();
    assert_ne!(again, sealed, "no nonce comes twice");
}

#[test]
fn no_octet_of_a_cookie_can_be_changed() {
    let one = sealer("rezept", "https://a.example");
    let sealed = one.seal(Purpose::Session, facts().to_bytes(), &Seeded::new(2)).unwrap();
    let octets = from_base64url(&sealed).unwrap();
    for place in 0..octets.len() {
        let mut changed = octets.clone();
        changed[place] ^= 1;
        assert_eq!(one.open(Purpose::Session, &base64url(&changed)), None, "{place}");
        assert_eq!(one.open(Purpose::Session, &base64url(&octets[..place])), None, "{place}");
    }
}

#[test]
fn facts_that_are_cut_or_longer_are_none() {
    let whole = facts().to_bytes();
    for length in 0..whole.len() {
        assert_eq!(SessionFacts::from_bytes(&whole[..length]), None, "{length}");
    }
    assert_eq!(SessionFacts::from_bytes(&[&whole[..], &[0]].concat()), None);
    let alone = SessionFacts { sid: None, auth_time: None, ..facts() };
    assert_eq!(SessionFacts::from_bytes(&alone.to_bytes()), Some(alone));
}

#[test]
fn a_file_of_keys_is_read_line_by_line() {
    let other = "tegata-session-key-1:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8";
    assert!(SessionKeys::parse(&format!("# a word\n\n{KEY}\n {other} \n")).is_ok());
    for wrong in [
        "",
        "# nothing",
        &format!("{KEY}\n{KEY}"),
        "key",
        &KEY[..60],
        &format!("{KEY}A"),
        &KEY.replace('1', "2"),
    ] {
        assert!(SessionKeys::parse(wrong).is_err(), "{wrong}");
    }
    let many: String = (0..9).map(|seed| SessionKeys::new_line(&Seeded::new(seed)).to_string()).collect();
    assert!(SessionKeys::parse(&many).is_err());
    assert!(SessionKeys::parse(&many[..many.len() - 66]).is_ok());
}

#[test]
fn a_gate_makes_the_file_of_keys_once_and_for_itself_alone() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("session.keys");
    SessionKeys::read_or_make(&file, &Seeded::new(1)).unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(std::fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
    SessionKeys::read_or_make(&file, &Seeded::new(2)).unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text, "what is there stays");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "and nothing beside it");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    let error = SessionKeys::read(&file).err().unwrap().to_string();
    assert!(error.contains("chmod 600") && !error.contains("tegata-session-key-1:"), "{error}");
    let error = SessionKeys::read_or_make(&folder.path().join("none/keys"), &Seeded::new(1)).err().unwrap();
    assert!(error.to_string().contains("none/keys"), "{error}");
}

#[test]
fn a_product_never_reads_the_gates_cookies() {
    let left = |fields: &[&'static str]| {
        let headers: HeaderMap =
            fields.iter().map(|field| (http::header::COOKIE, HeaderValue::from_static(field))).collect();
        without_own_cookies(&headers).map(|left| left.to_str().unwrap().to_owned())
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(left(&["a=1; __Host-tegata-session=x; b=2"]), some("a=1; b=2"));
    assert_eq!(left(&["__Host-tegata-sign-in-abc=x;a=1", "b=2"]), some("a=1; b=2"));
    assert_eq!(left(&["__host-TEGATA-session=x", " __Host-tegata-session = y ;"]), None);
    assert_eq!(left(&["__Host-other=1; tegata=2"]), some("__Host-other=1; tegata=2"));
    assert_eq!(left(&[]), None);
}

#[test]
fn a_callback_has_everything_once() {
    let parsed = CallbackParameters::parse("code=c&state=s&iss=https%3A%2F%2Fca.example&more=1").unwrap();
    assert_eq!((&*parsed.state, &*parsed.issuer), ("s", "https://ca.example"));
    assert_eq!(parsed.outcome, Ok("c".into()));
    for wrong in
        ["", "code=c", "code=c&state=s", "code=c&code=d&state=s&iss=i", "code=c&error=e&state=s&iss=i"]
    {
        assert_eq!(CallbackParameters::parse(wrong), None, "{wrong}");
    }
    let refused = CallbackParameters::parse("error=access_denied&error_description=T-03%3A+x&state=s&iss=i");
    let refused = refused.unwrap().outcome.unwrap_err();
    assert_eq!(refused.refusal, Some(tegata_core::Refusal::PersonElsewhere));
}

proptest! {
    #[test]
    fn nothing_that_was_not_sealed_opens(text in "[A-Za-z0-9_-]{0,400}") {
        let sealer = sealer("rezept", "https://a.example");
        prop_assert_eq!(sealer.open(Purpose::Session, &text), None);
        prop_assert_eq!(sealer.open(Purpose::SignIn, &text), None);
    }
}
