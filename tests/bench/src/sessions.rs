//! A browser's session at a gate: cookie opened, certificate and device looked up, denials asked.

use crate::client::BenchTrust;
use crate::devices::{BenchDevice, Random};
use crate::gates::{self, spent};
use crate::report::BenchRow;
use crate::rounds::{ROUNDS, median};
use crate::servers::Tegata;
use crate::{BenchOutcome, devices};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::header::{COOKIE, HeaderValue};
use hyper::{HeaderMap, Method};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;
use tegata_core::entropy::bytes;
use tegata_core::{DeviceId, HttpOrigin, SiteId, TenantId};
use tegata_gate::session::{
    BrowserRequest, BrowserSessions, CookieSealer, RequiredSignIn, SessionConfig, SessionFacts, SessionKeys,
    SessionLimits,
};
use tegata_gate::{ClientCertificate, trust_from_pem_file};

/// Sessions of different people, so that nothing about one is of use to the next.
const SESSIONS: usize = 1_000;

/// Checks in a round.
const CHECKS: usize = 200_000;

const PRODUCT: &str = "https://product.example";

/// A session that comes again and again, and one after the other that nobody has seen before.
pub async fn rows(
    tegata: &Tegata,
    trust: &BenchTrust,
    devices: &[BenchDevice],
) -> BenchOutcome<[BenchRow; 2]> {
    let gate = gates::connect(tegata, trust, PRODUCT, 1, 1).await?.remove(0);
    let line = SessionKeys::new_line(&Random);
    let keys = || SessionKeys::parse(&line);
    let origin: HttpOrigin = PRODUCT.parse()?;
    let config = SessionConfig {
        origin: origin.clone(),
        requires: RequiredSignIn::Person,
        limits: SessionLimits::default(),
        client_ca: trust_from_pem_file(&tegata.chain)?,
        keys: keys()?,
    };
    let sessions = BrowserSessions::new(gate.gate.clone(), config)?;
    let presented = ClientCertificate::from_der(&devices[0].identity.chain[0]);
    let sealer = CookieSealer::new(keys()?, PRODUCT, &origin);
    let mut cookies = Vec::with_capacity(SESSIONS);
    for _ in 0..SESSIONS {
        let cookie = sealer.seal_session(&facts(&devices[0])?, &Random).ok_or("no cookie")?;
        let header: HeaderValue = format!("__Host-tegata-session={cookie}").parse()?;
        cookies.push(HeaderMap::from_iter([(COOKIE, header)]));
    }
    let least = Opening::new(cookies[0][COOKIE].len())?;
    let (mut warm, mut cold, mut opened) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        warm.push(checks(&sessions, &presented, &cookies[..1])?);
        cold.push(checks(&sessions, &presented, &cookies)?);
        opened.push(spent(CHECKS, || least.once())?);
        // The follower has its turn, so that the gate does not go stale.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let limit_us = median(opened);
    Ok([
        BenchRow { path: "session warm", us: median(warm), limit_us },
        BenchRow { path: "session cold", us: median(cold), limit_us },
    ])
}

fn checks(
    sessions: &Arc<BrowserSessions>,
    presented: &ClientCertificate,
    cookies: &[HeaderMap],
) -> BenchOutcome<f64> {
    let mut next = cookies.iter().cycle();
    spent(CHECKS, || {
        let headers = next.next().ok_or("no cookie")?;
        let asked =
            BrowserRequest { method: &Method::GET, target: "/orders", headers, presented: Some(presented) };
        let admitted = sessions.check(&asked);
        black_box(admitted.map_err(|refusal| format!("a gate refuses: {}", refusal.code()))?);
        Ok(())
    })
}

/// Somebody who signed in just now on the device.
fn facts(device: &BenchDevice) -> BenchOutcome<SessionFacts> {
    let now = devices::now()?;
    Ok(SessionFacts {
        subject: "person:ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0".into(),
        device: DeviceId::parse(&device.id).ok_or("no device")?,
        tenant: TenantId::random(&Random),
        site: SiteId::random(&Random),
        generation: 1,
        sid: Some(URL_SAFE_NO_PAD.encode(bytes::<16>(&Random)).into()),
        acr: "urn:tegata:acr:mfa".into(),
        amr: "pwd otp".into(),
        auth_time: Some(now.seconds()),
        issued: now,
        // Ahead of the last use's time by what a whole measurement takes, so that no check writes a use down.
        used: now.plus(Duration::from_mins(5)),
        ends: now.plus(Duration::from_hours(12)),
    })
}

/// AES-256-GCM over as many bytes as a cookie has: what nobody can do without.
struct Opening {
    key: LessSafeKey,
    sealed: Vec<u8>,
    nonce: [u8; 12],
}

impl Opening {
    fn new(cookie: usize) -> BenchOutcome<Self> {
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &bytes::<32>(&Random))?);
        let mut sealed = vec![b'x'; cookie * 3 / 4 - 49];
        let nonce = [7; 12];
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from([0; 32]), &mut sealed)?;
        Ok(Self { key, sealed, nonce })
    }

    fn once(&self) -> BenchOutcome<()> {
        let mut sealed = black_box(&self.sealed).clone();
        let nonce = Nonce::assume_unique_for_key(self.nonce);
        black_box(self.key.open_in_place(nonce, Aad::from([0; 32]), &mut sealed)?);
        Ok(())
    }
}
