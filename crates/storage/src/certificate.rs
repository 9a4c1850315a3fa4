//! Certificates: reserved before the key signs, and every step after it.

mod eligibility;
mod ending;
mod issuing;
mod reading;
mod revoking;
mod taking_over;
mod together;

pub(crate) use eligibility::may_claim;
pub use issuing::{IssuanceRight, ReserveSerial, StoreCertificate};
pub use reading::{Certificate, DueRenewal, EndedCertificate, HeldCertificate, SerialStatus};
pub use revoking::{Lineage, RevocationEffect};
pub use taking_over::TakenOver;
