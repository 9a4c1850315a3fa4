//! Where a ledger is.

/// Where a ledger is, and what is demanded of the place.
#[derive(Clone, Copy, Debug)]
pub struct LedgerPlace<'a> {
    /// The address of the ledger: `sqlite:PATH`, or `postgres://USER@HOST:PORT,HOST:PORT/DATABASE`.
    pub url: &'a str,
    /// Stand-bys of PostgreSQL that every commit has to wait for; where it would not, nothing is written.
    pub synchronous_standbys: u32,
}

impl<'a> From<&'a str> for LedgerPlace<'a> {
    fn from(url: &'a str) -> Self {
        Self { url, synchronous_standbys: 0 }
    }
}

impl<'a> From<&'a String> for LedgerPlace<'a> {
    fn from(url: &'a String) -> Self {
        url.as_str().into()
    }
}
