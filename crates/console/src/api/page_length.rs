//! How many entries a page of the API has.

use tegata_core::Refusal;

/// Entries of a page unless it is said, and the most that may be said.
const PAGE: u32 = 100;
const LARGEST: u32 = 500;

/// How long a page is to be.
///
/// # Errors
/// [`Refusal::RequestMalformed`] for none, or more than the most.
pub(crate) fn length(limit: Option<u32>) -> Result<u32, Refusal> {
    let limit = limit.unwrap_or(PAGE);
    if (1..=LARGEST).contains(&limit) { Ok(limit) } else { Err(Refusal::RequestMalformed) }
}
