//! Introspection: the same load on the product and on the limit, which verifies one signature for each answer.

use crate::BenchOutcome;
use crate::client::{BenchTrust, Post};
use crate::devices::{self, BenchDevice};
use crate::report::BenchRow;
use crate::rounds::{ROUNDS, median};
use crate::servers::{Limit, Tegata};
use crate::tokens::{KEPT_ALIVE, clients, kept_alive_round};
use hyper::body::Bytes;
use hyper::{HeaderMap, StatusCode};

/// Each device asks about a token of its own, on a connection that has been there before.
pub async fn row(
    tegata: &Tegata,
    limit: &Limit,
    trust: &BenchTrust,
    devices: &[BenchDevice],
) -> BenchOutcome<BenchRow> {
    let mut requests = Vec::with_capacity(devices.len());
    for device in devices {
        let token = devices::tokens(tegata, trust, device, 1).await?.remove(0);
        requests.push(request(device, &token));
    }
    let asks = |place: usize, _: &BenchDevice| requests[place].clone();
    let product = clients(&tegata.device, trust, devices, KEPT_ALIVE, asks)?;
    let least = clients(&limit.url, trust, devices, KEPT_ALIVE, asks)?;
    let (mut us, mut limit_us) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        us.push(kept_alive_round(tegata.pid(), &product).await?);
        limit_us.push(kept_alive_round(limit.pid(), &least).await?);
    }
    Ok(BenchRow { path: "introspection", us: median(us), limit_us: median(limit_us) })
}

fn request(device: &BenchDevice, token: &str) -> Post {
    Post {
        path: "/oauth/introspect".into(),
        media_type: "application/x-www-form-urlencoded",
        headers: HeaderMap::new(),
        body: Bytes::from(format!("client_id={}&token={token}", device.id)),
        expected: StatusCode::OK,
    }
}
