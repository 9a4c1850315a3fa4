//! What time does to devices, and who hears of it.

#![allow(clippy::unwrap_used)]

mod decade;
mod notices;
mod three_years;
