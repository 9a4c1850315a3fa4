//! An authorization code becomes tokens: for a gate, on a connection that it keeps, about a device that enters for itself.

use crate::BenchOutcome;
use crate::client::{BenchAddress, BenchConnection, BenchTrust, Post};
use crate::devices::{self, BenchDevice};
use crate::load;
use crate::report::BenchRow;
use crate::rounds::{ROUNDS, cost, median};
use crate::servers::{Limit, Tegata};
use crate::tokens::{self, KEPT_ALIVE};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::body::Bytes;
use hyper::{HeaderMap, StatusCode};
use serde_json::Value;
use std::time::Duration;
use tegata_core::Role;
use tegata_core::encoding::percent_encoded;
use tokio::task::JoinSet;

/// Codes of each connection in a round. A code lives for a minute, and all are granted before the first is redeemed.
const CODES: usize = 32;

/// All of them are redeemed in the time that the first of them lives.
const PATIENCE: Duration = Duration::from_secs(30);

/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// Who redeems, and where codes are sent.
struct CodeClient {
    gate: BenchDevice,
    product: String,
}

/// Redeemed codes, next to the limit of one token: an ID token and a refresh token come with it.
pub async fn row(
    tegata: &Tegata,
    limit: &Limit,
    trust: &BenchTrust,
    devices: &[BenchDevice],
) -> BenchOutcome<BenchRow> {
    let gate = devices::enroll_as(tegata, trust, Role::Gate, 1).await?.remove(0);
    let product = default_product(tegata, trust, &devices[0]).await?;
    let client = CodeClient { gate, product };
    let least = tokens::clients(&limit.url, trust, devices, KEPT_ALIVE, |_, device| tokens::request(device))?;
    let (mut us, mut limit_us) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let ready = client.ready(tegata, trust, devices).await?;
        let (connections, posts) = ready;
        us.push(cost(tegata.pid(), load::once_each(connections, posts, PATIENCE)).await?);
        limit_us.push(tokens::kept_alive_round(limit.pid(), &least).await?);
    }
    Ok(BenchRow { path: "session code", us: median(us), limit_us: median(limit_us) })
}

/// What tokens are for that name nothing.
async fn default_product(tegata: &Tegata, trust: &BenchTrust, device: &BenchDevice) -> BenchOutcome<String> {
    let token = devices::tokens(tegata, trust, device, 1).await?.remove(0);
    let payload = token.split('.').nth(1).ok_or("no token")?;
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload)?)?;
    Ok(claims["aud"].as_str().ok_or("no audience")?.to_owned())
}

impl CodeClient {
    /// Open connections of the gate, each used once before, and the codes that it is to redeem.
    async fn ready(
        &self,
        tegata: &Tegata,
        trust: &BenchTrust,
        devices: &[BenchDevice],
    ) -> BenchOutcome<(Vec<BenchConnection>, Vec<Post>)> {
        let mut granting: JoinSet<BenchOutcome<Vec<Post>>> = JoinSet::new();
        for device in devices.iter().cycle().take(KEPT_ALIVE) {
            let browser = BenchAddress::new(&tegata.device, trust, Some(&device.identity))?;
            let (asking, redeeming) = (self.asking(), self.redeeming());
            granting.spawn(async move {
                let mut browser = browser.connect().await?;
                let mut posts = Vec::with_capacity(CODES);
                for _ in 0..=CODES {
                    let back = browser.led_on(&asking).await?;
                    let (_, code) = back.split_once("code=").ok_or("no code")?;
                    let code = code.split('&').next().unwrap_or_default();
                    let body = format!("{redeeming}&code={code}");
                    posts.push(Post { body: Bytes::from(body), ..form("/oauth/token") });
                }
                Ok(posts)
            });
        }
        let (mut connections, mut all) = (Vec::with_capacity(KEPT_ALIVE), Vec::new());
        while let Some(granted) = granting.join_next().await {
            let mut posts = granted??;
            let gate = BenchAddress::new(&tegata.device, trust, Some(&self.gate.identity))?;
            let mut connection = gate.connect().await?;
            connection.post(&posts.pop().ok_or("no code")?).await?;
            connections.push(connection);
            all.extend(posts);
        }
        Ok((connections, all))
    }

    /// What the browser of a device is sent with.
    fn asking(&self) -> Post {
        let (gate, product) = (&self.gate.id, percent_encoded(&self.product));
        let callback = percent_encoded(&self.callback());
        let path = format!(
            "/authorize?response_type=code&client_id={gate}&redirect_uri={callback}&resource={product}&scope=openid\
             &acr_values=urn%3Ategata%3Aacr%3Adevice&prompt=none&state=s&nonce=n&code_challenge={CHALLENGE}\
             &code_challenge_method=S256"
        );
        Post { expected: StatusCode::SEE_OTHER, ..form(&path) }
    }

    fn redeeming(&self) -> String {
        let (gate, callback) = (&self.gate.id, percent_encoded(&self.callback()));
        format!(
            "grant_type=authorization_code&client_id={gate}&redirect_uri={callback}&code_verifier={VERIFIER}"
        )
    }

    fn callback(&self) -> String {
        format!("{}/.tegata/callback", self.product)
    }
}

fn form(path: &str) -> Post {
    Post {
        path: path.into(),
        media_type: "application/x-www-form-urlencoded",
        headers: HeaderMap::new(),
        body: Bytes::new(),
        expected: StatusCode::OK,
    }
}
