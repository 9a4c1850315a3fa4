//! The clock-driven passes over the ledger: due, overdue, retired, abandoned.
