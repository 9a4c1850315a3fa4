//! How numbers are told apart.

use prometheus_client::metrics::gauge::Gauge;
use std::sync::atomic::AtomicU64;

/// Name and value of each label.
pub type Labels = Vec<(&'static str, String)>;

/// A number with a fraction that goes up and down.
pub type Level = Gauge<f64, AtomicU64>;
