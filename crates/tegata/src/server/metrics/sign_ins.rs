//! What is counted of sign-ins.

use super::labels::Labels;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use tegata_identity::{SignInAlarm, SignInAlarmObserver};

/// By the names of the alarms.
#[derive(Default)]
pub struct SignInMetrics {
    alarms: Family<Labels, Counter>,
}

impl SignInMetrics {
    /// Each with the value zero, so that the first alarm is a change.
    pub(super) fn register(&self, registry: &mut Registry) {
        for alarm in SignInAlarm::ALL {
            let _ = self.of(alarm);
        }
        registry.register(
            "sign_in_alarms",
            "Sign-ins with an emergency code or an account for emergencies",
            self.alarms.clone(),
        );
    }

    fn of(&self, alarm: SignInAlarm) -> Counter {
        self.alarms.get_or_create(&vec![("alarm", alarm.as_str().to_owned())]).clone()
    }
}

impl SignInAlarmObserver for SignInMetrics {
    fn rang(&self, alarm: SignInAlarm) {
        self.of(alarm).inc();
    }
}
