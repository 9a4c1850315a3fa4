//! Tokens: the same load on the product and on the limit, in turn.

use crate::BenchOutcome;
use crate::client::{BenchAddress, BenchTrust, Post};
use crate::devices::BenchDevice;
use crate::load::{self, Bounds, Clients};
use crate::report::BenchRow;
use crate::rounds::{ROUNDS, cost, median};
use crate::servers::{Limit, Tegata};
use hyper::body::Bytes;
use hyper::{HeaderMap, StatusCode};
use std::time::Duration;

/// Enough for the records of many tokens to reach the disk together.
pub const KEPT_ALIVE: usize = 64;

/// Handshakes at one time.
const HANDSHAKES: usize = 16;

const ROUND: Bounds = Bounds { requests: 200_000, time: Duration::from_millis(2500) };
const WARM_UP: Bounds = Bounds { requests: 2_000, time: Duration::from_millis(500) };

/// A token on a connection that has been there before.
pub async fn kept_alive(
    tegata: &Tegata,
    limit: &Limit,
    trust: &BenchTrust,
    devices: &[BenchDevice],
) -> BenchOutcome<BenchRow> {
    let product = clients(&tegata.device, trust, devices, KEPT_ALIVE, |_, device| request(device))?;
    let least = clients(&limit.url, trust, devices, KEPT_ALIVE, |_, device| request(device))?;
    let (mut us, mut limit_us) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        us.push(kept_alive_round(tegata.pid(), &product).await?);
        limit_us.push(kept_alive_round(limit.pid(), &least).await?);
    }
    Ok(BenchRow { path: "token kept alive", us: median(us), limit_us: median(limit_us) })
}

/// A token with a full handshake before it.
pub async fn new_connection(
    tegata: &Tegata,
    limit: &Limit,
    trust: &BenchTrust,
    devices: &[BenchDevice],
) -> BenchOutcome<BenchRow> {
    let product = clients(&tegata.device, trust, devices, HANDSHAKES, |_, device| request(device))?;
    let least = clients(&limit.url, trust, devices, HANDSHAKES, |_, device| request(device))?;
    let (mut us, mut limit_us) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        us.push(cost(tegata.pid(), load::new_connections(product.clone(), ROUND)).await?);
        limit_us.push(cost(limit.pid(), load::new_connections(least.clone(), ROUND)).await?);
    }
    Ok(BenchRow { path: "token new connection", us: median(us), limit_us: median(limit_us) })
}

/// Handshakes and the first requests of a connection are over before the measurement begins.
pub async fn kept_alive_round(pid: u32, clients: &Clients) -> BenchOutcome<f64> {
    load::kept_alive(load::connect(clients).await?, WARM_UP).await?;
    let connections = load::connect(clients).await?;
    cost(pid, load::kept_alive(connections, ROUND)).await
}

/// So many clients, device after device, each with what `asks` makes of its place among the devices.
pub fn clients(
    url: &str,
    trust: &BenchTrust,
    devices: &[BenchDevice],
    count: usize,
    asks: impl Fn(usize, &BenchDevice) -> Post,
) -> BenchOutcome<Clients> {
    let each = devices.iter().enumerate().cycle().take(count);
    each.map(|(place, device)| {
        Ok((BenchAddress::new(url, trust, Some(&device.identity))?, asks(place, device)))
    })
    .collect()
}

/// A request for a token.
pub fn request(device: &BenchDevice) -> Post {
    Post {
        path: "/oauth/token".into(),
        media_type: "application/x-www-form-urlencoded",
        headers: HeaderMap::new(),
        body: Bytes::from(format!("grant_type=client_credentials&client_id={}", device.id)),
        expected: StatusCode::OK,
    }
}
