//! What time does to devices, and who hears of it.

#![allow(clippy::unwrap_used)]

mod decade;
mod moves;
mod notices;
mod three_years;
