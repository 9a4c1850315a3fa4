//! The feed as its followers fold it.

use super::*;
use crate::claims::{AccessClaims, Confirmation, device_subject};
use crate::entropy::Seeded;
use crate::id::SiteId;

fn event(seq: u64, change: Change) -> Event {
    Event { seq, at: Timestamp::from_seconds(1), change }
}

#[test]
fn a_gate_that_missed_an_event_notices() {
    let device = DeviceId::random(&Seeded::new(1));
    let mut denials = Denials::default();
    let denied = Change::DeviceDenied { device: device.clone(), reason: Denial::Revoked };
    assert_eq!(denials.apply(&event(2, denied.clone())), Err(Gap { applied: 0, found: 2 }));
    assert_eq!(denials.denial(&device, &Thumbprint::of(b"x")), None);
    denials.apply(&event(1, denied)).unwrap();
    denials.apply(&event(2, Change::DeviceAllowed { device: device.clone() })).unwrap();
    assert_eq!(denials.denial(&device, &Thumbprint::of(b"x")), None);
}

#[test]
fn a_snapshot_says_the_same_as_the_events_before_it() {
    let device = DeviceId::random(&Seeded::new(1));
    let until = Timestamp::from_seconds(100);
    let thumbprint = Thumbprint::of(b"certificate");
    let mut denials = Denials::default();
    denials
        .apply(&event(1, Change::DeviceDenied { device: device.clone(), reason: Denial::Suspended }))
        .unwrap();
    denials
        .apply(&event(2, Change::CertificateDenied { thumbprint, reason: Denial::Retired, until }))
        .unwrap();
    denials.apply(&event(3, Change::TokenDenied { jti: "t".into(), until })).unwrap();
    let claims =
        FeedClaims { iss: "https://issuer".into(), message: FeedMessage::Snapshot(denials.snapshot(until)) };
    let decoded: FeedClaims = serde_json::from_str(&serde_json::to_string(&claims).unwrap()).unwrap();
    let FeedMessage::Snapshot(snapshot) = decoded.message else { panic!("a snapshot stays one") };
    let copy = Denials::from(snapshot);
    assert_eq!(copy, denials);
    assert!(copy.token_denied("t"));
    assert_eq!(copy.denial(&device, &thumbprint), Some(Denial::Suspended));
}

#[test]
fn what_has_ended_is_forgotten_and_what_has_not_stays() {
    let mut denials = Denials::default();
    let until = Timestamp::from_seconds(100);
    denials.apply(&event(1, Change::TokenDenied { jti: "t".into(), until })).unwrap();
    denials.forget(until);
    assert!(denials.token_denied("t"));
    denials.forget(Timestamp::from_seconds(101));
    assert!(!denials.token_denied("t"));
}

#[test]
fn a_denied_tenant_takes_its_devices_along_and_no_others() {
    let entropy = Seeded::new(2);
    let (device, thumbprint) = (DeviceId::random(&entropy), Thumbprint::of(b"x"));
    let [ours, theirs] = [TenantId::random(&entropy), TenantId::random(&entropy)];
    let mut denials = Denials::default();
    let stop = Change::TenantDenied { tenant: ours.clone(), reason: Denial::Suspended };
    denials.apply(&event(1, stop)).unwrap();
    assert_eq!(denials.denial_within(Some(&ours), &device, &thumbprint), Some(Denial::Suspended));
    assert_eq!(denials.denial_within(Some(&theirs), &device, &thumbprint), None);
    assert_eq!(denials.denial_within(None, &device, &thumbprint), None, "a gate goes on");
    let lost = Change::DeviceDenied { device: device.clone(), reason: Denial::Revoked };
    denials.apply(&event(2, lost)).unwrap();
    assert_eq!(denials.denial_within(Some(&ours), &device, &thumbprint), Some(Denial::Revoked));
    denials.apply(&event(3, Change::TenantAllowed { tenant: ours.clone() })).unwrap();
    assert_eq!(denials.denial_within(Some(&ours), &device, &thumbprint), Some(Denial::Revoked));
    let other = DeviceId::random(&entropy);
    assert_eq!(denials.denial_within(Some(&ours), &other, &thumbprint), None);
}

#[test]
fn who_is_signed_out_loses_older_tokens_and_keeps_younger_ones() {
    let entropy = Seeded::new(3);
    let claims = claims(&entropy);
    let issued = |iat| AccessClaims { iat, ..claims.clone() };
    for of in [TokenHolder::Device(claims.device.clone()), TokenHolder::Tenant(claims.tenant.clone())] {
        let mut denials = Denials::default();
        denials.apply(&event(1, before(&of, 100))).unwrap();
        assert!(denials.denies_token(&issued(99)));
        assert!(!denials.denies_token(&issued(100)));
        assert_eq!(denials.tokens_before(&claims.tenant, &claims.device), Some(Timestamp::from_seconds(100)));
        denials.apply(&event(2, before(&of, 50))).unwrap();
        assert!(denials.denies_token(&issued(99)), "an earlier moment takes nothing back");
        let stranger = AccessClaims {
            device: DeviceId::random(&entropy),
            tenant: TenantId::random(&entropy),
            ..issued(1)
        };
        assert!(!denials.denies_token(&stranger));
        let copy = Denials::from(denials.snapshot(Timestamp::from_seconds(100)));
        assert_eq!(copy, denials);
        assert!(copy.denies_token(&issued(99)));
        denials.forget(Timestamp::from_seconds(100 + 3600));
        assert!(denials.denies_token(&issued(99)), "until the last of them has expired");
        denials.forget(Timestamp::from_seconds(101 + 3600));
        assert!(!denials.denies_token(&issued(99)));
    }
}

#[test]
fn every_change_travels_as_it_is() {
    let entropy = Seeded::new(4);
    let (tenant, device) = (TenantId::random(&entropy), DeviceId::random(&entropy));
    for (change, text) in [
        (
            Change::TenantDenied { tenant: tenant.clone(), reason: Denial::Suspended },
            format!(
                r#"{{"seq":7,"at":"1970-01-01T00:00:01Z","change":"tenant_denied","tenant":"{tenant}","reason":"suspended"}}"#
            ),
        ),
        (
            Change::TenantAllowed { tenant: tenant.clone() },
            format!(
                r#"{{"seq":7,"at":"1970-01-01T00:00:01Z","change":"tenant_allowed","tenant":"{tenant}"}}"#
            ),
        ),
        (
            before(&TokenHolder::Device(device.clone()), 100),
            format!(
                r#"{{"seq":7,"at":"1970-01-01T00:00:01Z","change":"tokens_denied","device":"{device}","issued_before":"1970-01-01T00:01:40Z","until":"1970-01-01T01:01:40Z"}}"#
            ),
        ),
        (
            before(&TokenHolder::Tenant(tenant.clone()), 100),
            format!(
                r#"{{"seq":7,"at":"1970-01-01T00:00:01Z","change":"tokens_denied","tenant":"{tenant}","issued_before":"1970-01-01T00:01:40Z","until":"1970-01-01T01:01:40Z"}}"#
            ),
        ),
    ] {
        let event = event(7, change);
        assert_eq!(serde_json::to_string(&event).unwrap(), text);
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
    }
}

#[test]
fn a_follower_refuses_what_it_does_not_know_rather_than_leave_it_out() {
    let read = |text: &str| serde_json::from_str::<FeedClaims>(text);
    let snapshot = |more: &str| {
        format!(
            r#"{{"iss":"i","message":"snapshot","seq":1,"at":"1970-01-01T00:00:01Z","devices":"","certificates":"","tokens":[]{more}}}"#
        )
    };
    assert!(read(&snapshot("")).is_ok(), "an older platform");
    assert!(read(&snapshot(r#","cities":["Kobe"]"#)).is_err(), "a newer one that denies by city");
    let event = |change: &str| {
        format!(r#"{{"iss":"i","message":"event","seq":1,"at":"1970-01-01T00:00:01Z",{change}}}"#)
    };
    assert!(read(&event(r#""change":"token_denied","jti":"t","until":"1970-01-01T00:00:01Z""#)).is_ok());
    assert!(read(&event(r#""change":"city_denied","city":"Kobe""#)).is_err());
}

fn before(of: &TokenHolder, seconds: i64) -> Change {
    let issued_before = Timestamp::from_seconds(seconds);
    let until = issued_before.plus(crate::claims::LONGEST_LIFETIME);
    Change::TokensDenied(TokensBefore { of: of.clone(), issued_before, until })
}

fn claims(entropy: &Seeded) -> AccessClaims {
    let device = DeviceId::random(entropy);
    AccessClaims {
        iss: "https://issuer".into(),
        sub: device_subject(&device),
        act: None,
        status: None,
        scope: None,
        aud: "product".into(),
        client_id: device.to_string(),
        iat: 0,
        exp: 300,
        nbf: None,
        jti: "t".into(),
        cnf: Confirmation::Certificate(Thumbprint::of(b"certificate")),
        shown_certificate: None,
        tenant: TenantId::random(entropy),
        site: SiteId::random(entropy),
        device,
        generation: 1,
        sid: None,
        auth_time: None,
        acr: None,
        amr: None,
    }
}
