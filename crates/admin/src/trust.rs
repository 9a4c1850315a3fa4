//! Whom the device listener would trust, judged by the server's own rules: a certificate that is taken in here and refused
//! there would lock its device out.

use tegata_core::Timestamp;

/// The rules of the device listener about CAs.
pub trait ListenerTrust {
    /// Refuses an issuing CA that the listener would not trust below this root, in a few words.
    fn issuing_ca(&self, root: &[u8], issuing: &[u8]) -> Result<(), String>;

    /// Opens the trust in a CA of another authority, or says why it cannot vouch for devices.
    fn foreign_ca(&self, certificate: &[u8]) -> Result<Box<dyn ForeignCaTrust>, String>;
}

/// The listener's trust in one CA of another authority.
pub trait ForeignCaTrust {
    /// Whether the listener would take a certificate for a living one of this CA's at `now`.
    fn accepts(&self, certificate: &[u8], now: Timestamp) -> bool;
}
