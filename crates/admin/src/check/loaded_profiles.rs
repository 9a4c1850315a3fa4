//! The certificate profiles of an installation, those that load.

use tegata_ca::CertificateProfile;
use tegata_core::Role;

/// The profiles of the installation; what is refused is found by the look at them.
#[derive(Default)]
pub struct LoadedProfiles {
    pub device: Option<CertificateProfile>,
    pub gate: Option<CertificateProfile>,
}

impl LoadedProfiles {
    pub fn of(&self, role: Role) -> Option<&CertificateProfile> {
        match role {
            Role::Device => self.device.as_ref(),
            Role::Gate => self.gate.as_ref(),
        }
    }

    /// All that could be loaded.
    pub fn all(&self) -> impl Iterator<Item = &CertificateProfile> {
        self.device.iter().chain(&self.gate)
    }
}
