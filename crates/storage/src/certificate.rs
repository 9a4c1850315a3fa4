//! Certificates: reserved before the key signs, and every step after it.

mod due;
mod eligibility;
mod ending;
mod issuing;
mod reading;
mod revoking;
mod taking_over;
mod together;

pub use due::{DueRenewal, SiteProgress};
pub(crate) use eligibility::may_claim;
pub use issuing::{IssuanceRight, ReserveSerial, StoreCertificate};
pub use reading::{Certificate, EndedCertificate, HeldCertificate, SerialStatus};
pub use revoking::{Lineage, RevocationEffect};
pub use taking_over::TakenOver;
