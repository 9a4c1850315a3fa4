//! Certificates: reserved before the key signs, and every step after it.

mod ending;
mod issuing;
mod reading;
mod revoking;
mod taking_over;
mod together;

pub use issuing::{Complete, Intent, Origin};
pub use reading::{Certificate, Due, Ended, Holding, SerialStatus};
pub use revoking::{Lineage, Revoked};
pub use taking_over::TakenOver;
