//! The life of a device.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What a holder of certificates is to Tegata.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A terminal of a pharmacy: it obtains tokens.
    Device,
    /// A gate in front of a product: it reads the feed and introspects tokens.
    Gate,
}

/// Where a device stands.
///
/// ```text
/// active ⇄ suspended
///    └───────┴──→ revoked      (lost, stolen, broken: no way back)
///    └───────┴──→ retired      (planned end: no way back)
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceState {
    /// The device may authenticate.
    Active,
    /// Stopped for now; can be resumed.
    Suspended,
    /// It is revoked, which is final.
    Revoked,
    /// Laid aside as planned.
    Retired,
}

impl DeviceState {
    /// Whether the device may move from this state to `next`.
    pub fn may_become(self, next: Self) -> bool {
        use DeviceState::{Active, Retired, Revoked, Suspended};
        matches!(
            (self, next),
            (Active, Suspended | Revoked | Retired) | (Suspended, Active | Revoked | Retired)
        )
    }
}

impl DeviceState {
    /// What a holder in this state counts as while its tenant is in that one. A suspended tenant takes its devices along
    /// and leaves its gates active: they have to go on hearing whom to refuse, this tenant's devices among them.
    #[must_use]
    pub fn within(self, tenant: TenantState, role: Role) -> Self {
        match (self, tenant, role) {
            (Self::Active, TenantState::Suspended, Role::Device) => Self::Suspended,
            _ => self,
        }
    }
}

/// Where a tenant stands. It is stopped and let go on as often as need be, with all its devices.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TenantState {
    /// Its devices may authenticate.
    #[default]
    Active,
    /// Stopped for now: none of its devices is accepted, and none receives a certificate.
    Suspended,
}

/// The text is none of the words this type knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a word of this type")]
pub struct UnknownWord;

macro_rules! text_form {
    ($($type:ident { $($variant:ident = $text:literal),* $(,)? })*) => {$(
        impl $type {
            /// All values, in the order of life.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Its name in the ledger and in JSON.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }

            /// Reads the word that [`Self::word`] writes; `None` for any other text.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)* _ => None }
            }
        }

        impl TryFrom<String> for $type {
            type Error = $crate::device::UnknownWord;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::parse(&text).ok_or($crate::device::UnknownWord)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(self.as_str())
            }
        }
    )*};
}
pub(crate) use text_form;

text_form! {
    Role { Device = "device", Gate = "gate" }
    DeviceState { Active = "active", Suspended = "suspended", Revoked = "revoked", Retired = "retired" }
    TenantState { Active = "active", Suspended = "suspended" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_returns_from_revoked_or_retired() {
        for &next in DeviceState::ALL {
            assert!(!DeviceState::Revoked.may_become(next));
            assert!(!DeviceState::Retired.may_become(next));
        }
        assert!(DeviceState::Suspended.may_become(DeviceState::Active));
    }

    #[test]
    fn a_resumed_tenant_brings_back_no_device_that_was_stopped_by_itself() {
        for &state in DeviceState::ALL {
            for &role in Role::ALL {
                assert_eq!(state.within(TenantState::Active, role), state);
            }
            let stopped = state.within(TenantState::Suspended, Role::Device);
            assert_eq!(stopped == state, state != DeviceState::Active);
            assert_ne!(stopped, DeviceState::Active);
            assert_eq!(state.within(TenantState::Suspended, Role::Gate), state);
        }
    }

    #[test]
    fn the_word_in_json_is_the_word_in_the_ledger() {
        for &state in DeviceState::ALL {
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
            assert_eq!(DeviceState::parse(state.as_str()), Some(state));
        }
        for &state in TenantState::ALL {
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
    }
}
