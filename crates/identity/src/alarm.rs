//! Sign-ins that somebody should know of at once: an error line of the log, and a number that monitoring watches.

use std::sync::Arc;
use tegata_storage::StartSession;

/// Why an alarm rings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SignInAlarm {
    /// A second factor was done without.
    EmergencyCode,
    /// An account for emergencies was used.
    BreakGlass,
}

/// Counts alarms, or does something else about them.
pub trait SignInAlarmObserver: Send + Sync {
    /// An alarm has rung at this server.
    fn rang(&self, alarm: SignInAlarm);
}

/// Rings at whoever observes, and in the log.
#[derive(Clone, Default)]
pub(crate) struct SignInAlarms(pub(crate) Option<Arc<dyn SignInAlarmObserver>>);

impl SignInAlarm {
    /// All alarms there are.
    pub const ALL: [Self; 2] = [Self::EmergencyCode, Self::BreakGlass];

    /// Its name in the log and in the numbers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EmergencyCode => "emergency_code",
            Self::BreakGlass => "break_glass",
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::EmergencyCode => "a person signed in with an emergency code",
            Self::BreakGlass => "an account for emergencies was used",
        }
    }
}

impl SignInAlarms {
    pub(crate) fn ring(&self, alarm: SignInAlarm, begun: &StartSession) {
        tracing::error!(
            person = %begun.person, session = %begun.id, device = %begun.device, alarm = alarm.as_str(),
            "{}", alarm.text()
        );
        if let Some(observer) = &self.0 {
            observer.rang(alarm);
        }
    }
}
