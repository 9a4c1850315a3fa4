//! Taking over the devices of another authority's CA, with their revocations.
//!
//! The CA is trusted for the certificates that were taken over and no other: the ledger refuses what it does not know,
//! whoever signed it. Renewal then moves each device to a CA of this installation, in its own time.

mod crl;
mod devices;
mod foreign;

pub use crl::{AppliedEntry, AppliedList, ForeignList};
pub use devices::{COLUMNS, DeviceImport, DeviceImportFacts, DeviceImportReport, DeviceLine, import_devices};
