//! Tokens while the ledger grows: the same load on three servers that differ in nothing but the devices they know.

use crate::BenchOutcome;
use crate::client::BenchTrust;
use crate::devices;
use crate::report::BenchRow;
use crate::rounds::{ROUNDS, median};
use crate::servers::Tegata;
use crate::tokens::{KEPT_ALIVE, clients, kept_alive_round, request};
use sqlx::{Connection, SqliteConnection};
use std::path::Path;
use tegata_core::Role;

/// Devices that are written in one transaction: the log of SQLite does not grow without bound.
const BATCH: u32 = 50_000;

const SIZES: [(&str, u32); 3] =
    [("token, 0 devices", 0), ("token, 10^4 devices", 10_000), ("token, 10^6 devices", 1_000_000)];

/// A row for each size; the limit is the server that knows the few that ask, and nobody else.
pub async fn rows(program: &Path) -> BenchOutcome<Vec<BenchRow>> {
    let mut sides = Vec::new();
    for (path, size) in SIZES {
        let tegata = Tegata::start(program)?;
        let trust = BenchTrust::read(&[&tegata.tls_ca])?;
        let devices = devices::enroll_as(&tegata, &trust, Role::Device, 16).await?;
        grow(&tegata, size).await?;
        let load = clients(&tegata.device, &trust, &devices, KEPT_ALIVE, |_, device| request(device))?;
        sides.push((path, tegata, load, Vec::new()));
    }
    for _ in 0..ROUNDS {
        for (_, tegata, load, us) in &mut sides {
            us.push(kept_alive_round(tegata.pid(), load).await?);
        }
    }
    let medians: Vec<_> = sides.iter().map(|(path, .., us)| (*path, median(us.clone()))).collect();
    Ok(medians.iter().map(|&(path, us)| BenchRow { path, us, limit_us: medians[0].1 }).collect())
}

/// Writes devices like the first one, each with a certificate in use, past the server: what they are called, their
/// serials, keys and thumbprints are random. Their certificates have no bytes; nobody asks for those.
async fn grow(tegata: &Tegata, size: u32) -> BenchOutcome<()> {
    let mut ledger = SqliteConnection::connect(&tegata.ledger_url()).await?;
    let mut left = size;
    while left > 0 {
        let batch = left.min(BATCH);
        let mut transaction = ledger.begin().await?;
        for statement in [DEVICES, CERTIFICATES] {
            sqlx::query(statement).bind(batch).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        left -= batch;
    }
    ledger.close().await?;
    Ok(())
}

const DEVICES: &str = "
    INSERT INTO device (id, tenant, site, role, label, state, generation, created_at, changed_at)
    WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < $1)
    SELECT lower(hex(randomblob(13))), tenant, site, role, 'grown', state, generation, created_at, changed_at
    FROM number, (SELECT * FROM device WHERE role = 'device' ORDER BY rowid LIMIT 1)";

const CERTIFICATES: &str = "
    INSERT INTO certificate (issuer, serial, device, generation, state, key_hash, key_id, tbs, der, thumbprint,
        not_before, not_after, reserved_at, issued_at, delivered_at, used_at)
    SELECT issuer, randomblob(16), grown.id, first.generation, 'in_use', randomblob(32), randomblob(32), x'', x'', randomblob(32),
        not_before, not_after, reserved_at, issued_at, issued_at, issued_at
    FROM (SELECT id FROM device ORDER BY rowid DESC LIMIT $1) grown,
        (SELECT * FROM certificate WHERE der IS NOT NULL ORDER BY rowid LIMIT 1) first";
