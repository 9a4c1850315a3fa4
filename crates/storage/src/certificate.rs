//! Certificates: reserved before the key signs, and every step after it.

mod ending;
mod issuing;
mod reading;

pub use issuing::{Complete, Intent, Origin};
pub use reading::{Certificate, Due, Ended, Holding};
