//! How often browsers may have the gate ask the platform: whoever comes back from a sign-in with a code makes it send a request, and
//! codes can be made up.
//!
//! One device is let so many exchanges in a minute, whichever certificate it shows. All together have so many under way at a
//! time; who comes beyond them waits a little, and is then asked to come again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tegata_core::{DeviceId, Refusal};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout};

/// Exchanges of one device in a window. A browser has six sign-ins under way at most.
const OF_A_DEVICE: u32 = 20;

const WINDOW: Duration = Duration::from_mins(1);

/// Exchanges of all devices at a time.
const AT_A_TIME: usize = 64;

/// How long somebody waits for others.
const PATIENCE: Duration = Duration::from_secs(5);

/// Devices that are counted. Only enrolled ones come here, so a product has to be a big one for a window to end before its time.
const DEVICES: usize = 20_000;

pub(super) struct ExchangeLimits {
    window: Mutex<ExchangeWindow>,
    places: Semaphore,
}

struct ExchangeWindow {
    begun: Instant,
    of_devices: HashMap<DeviceId, u32>,
}

impl ExchangeLimits {
    pub(super) fn new() -> Self {
        let window = ExchangeWindow { begun: Instant::now(), of_devices: HashMap::new() };
        Self { window: Mutex::new(window), places: Semaphore::new(AT_A_TIME) }
    }

    /// A place for one exchange of a device whose certificate was verified.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`] where it has had its share, or too many others are under way.
    pub(super) async fn enter(&self, device: &DeviceId) -> Result<SemaphorePermit<'_>, Refusal> {
        if !self.count(device, Instant::now()) {
            return Err(Refusal::Unavailable);
        }
        let place = timeout(PATIENCE, self.places.acquire()).await;
        place.ok().and_then(Result::ok).ok_or(Refusal::Unavailable)
    }

    fn count(&self, device: &DeviceId, now: Instant) -> bool {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = window.of_devices.len() >= DEVICES && !window.of_devices.contains_key(device);
        if is_full || now.duration_since(window.begun) >= WINDOW {
            *window = ExchangeWindow { begun: now, of_devices: HashMap::new() };
        }
        let exchanges = window.of_devices.entry(device.clone()).or_default();
        *exchanges = exchanges.saturating_add(1);
        *exchanges <= OF_A_DEVICE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tegata_core::entropy::Seeded;

    #[tokio::test]
    async fn a_device_has_its_share_of_exchanges_and_all_together_have_theirs() {
        let (limits, entropy) = (ExchangeLimits::new(), Seeded::new(1));
        let busy = DeviceId::random(&entropy);
        let mut places = Vec::new();
        for _ in 0..OF_A_DEVICE {
            places.push(limits.enter(&busy).await.unwrap());
        }
        assert_eq!(limits.enter(&busy).await.err(), Some(Refusal::Unavailable));
        while places.len() < AT_A_TIME {
            places.push(limits.enter(&DeviceId::random(&entropy)).await.expect("others notice nothing"));
        }
        let last = DeviceId::random(&entropy);
        timeout(Duration::from_millis(50), limits.enter(&last)).await.expect_err("it waits for a place");
        places.pop();
        drop(limits.enter(&last).await.expect("a place is free again"));
        assert!(limits.count(&busy, Instant::now() + WINDOW), "the next minute");
    }
}
