//! On which day a device was last seen, and as what. Good to know and no more: it is collected in memory and written now
//! and then, without an audit entry, and what a crash takes along is written at the next visit.

use crate::engine::on_transaction;
use crate::{Ledger, Result, Transaction};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use tegata_core::policy::Platform;
use tegata_core::{CLOCKS_APART, DeviceId, Timestamp};

/// Days are those of Japan, as the pages show them: the first visits of a day are spread over its morning.
const JAPAN_SECONDS: i64 = 9 * 3600;
const DAY_SECONDS: i64 = 24 * 3600;

/// How many are written by one transaction: other writers wait no longer than for these.
const AT_ONCE: usize = 50;

/// What waits to be written, at most this many devices.
const MOST: usize = 100_000;

/// Who was seen, and when, until it is written down.
#[derive(Default)]
pub(crate) struct SightingBuffer(Mutex<HashMap<DeviceId, Sighting>>);

struct Sighting {
    at: Timestamp,
    platform: Option<Platform>,
}

/// The day in which a moment lies.
pub(crate) fn day_of(at: Timestamp) -> i64 {
    (at.seconds() + JAPAN_SECONDS).div_euclid(DAY_SECONDS)
}

impl SightingBuffer {
    pub(crate) fn add(&self, device: &DeviceId, platform: Option<Platform>, at: Timestamp) {
        let mut waiting = self.waiting();
        if waiting.len() < MOST {
            let known = waiting.entry(device.clone()).or_insert(Sighting { at, platform });
            known.at = known.at.max(at);
            known.platform = platform.or(known.platform);
        }
    }

    /// Writes down what has been seen.
    pub(crate) async fn write(&self, ledger: &Ledger, now: Timestamp) -> Result<()> {
        let seen: Vec<_> = std::mem::take(&mut *self.waiting()).into_iter().collect();
        for some in seen.chunks(AT_ONCE) {
            let mut transaction = ledger.begin(now).await?;
            for (device, sighting) in some {
                transaction.note_sighting(device, sighting).await?;
            }
            transaction.commit().await?;
        }
        Ok(())
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, HashMap<DeviceId, Sighting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Transaction {
    async fn note_sighting(&mut self, device: &DeviceId, sighting: &Sighting) -> Result<()> {
        on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE device SET seen_at = $2, platform = COALESCE($3, platform) \
                 WHERE id = $1 AND (seen_at IS NULL OR seen_at < $2 OR seen_at > $4)",
            )
            .bind(device.as_str())
            .bind(sighting.at.millis())
            .bind(sighting.platform.map(Platform::as_str))
            .bind(sighting.at.plus(CLOCKS_APART).millis())
            .execute(connection)
            .await?;
        });
        Ok(())
    }
}
