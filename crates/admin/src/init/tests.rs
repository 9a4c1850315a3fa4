//! What an installation that was just made is good for.

use super::{InitOptions, init};
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tegata_core::entropy::Seeded;
use tegata_core::{Clock, Timestamp};
use tegata_installation::{KeyRing, SystemContext, pem, server_certificates::renew_due};
use x509_parser::prelude::{FromDer, X509Certificate};

struct MovableClock(Mutex<Timestamp>);

impl Clock for MovableClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

#[tokio::test]
async fn a_server_started_after_a_year_renews_its_listener_certificates() {
    let folder = tempfile::tempdir().unwrap();
    let start = Timestamp::parse("2026-11-21T00:00:00Z").unwrap();
    let clock = Arc::new(MovableClock(Mutex::new(start)));
    let system = SystemContext { clock: clock.clone(), entropy: Arc::new(Seeded::new(1)) };
    let config = init(folder.path(), &InitOptions::for_development(), &system).await.unwrap();
    let ring = KeyRing::open(&config).unwrap();
    let portal = config.path(&config.portal.certificate);
    let device = config.path(&config.device.certificate);
    let [old_portal, old_device] = [&portal, &device].map(|file| fs::read(file).unwrap());

    *clock.0.lock().unwrap() = start.plus(Duration::from_hours(24 * 300));
    renew_due(&config, &ring, &system).unwrap();
    assert_eq!(fs::read(&portal).unwrap(), old_portal);

    *clock.0.lock().unwrap() = start.plus(Duration::from_hours(24 * 390));
    renew_due(&config, &ring, &system).unwrap();
    for (file, old) in [(&portal, &old_portal), (&device, &old_device)] {
        let new = fs::read(file).unwrap();
        assert_ne!(&new, old);
        assert_eq!(names(&new), names(old));
    }
    ring.server_identity(&device, &config.path(&config.device.key)).unwrap();
}

fn names(pem: &[u8]) -> Vec<String> {
    let der = pem::decode(pem).unwrap();
    let (_, certificate) = X509Certificate::from_der(&der).unwrap();
    let names = certificate.subject_alternative_name().unwrap().unwrap();
    names.value.general_names.iter().map(ToString::to_string).collect()
}
