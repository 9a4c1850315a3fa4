//! What is asked for in a query (RFC 7644 section 3.4.2).

use super::answer::Projection;
use super::error::ScimResult;
use super::filter::{self, Comparison};
use serde::Deserialize;

/// Resources of one answer, unless fewer are asked for, and at most.
const USUAL: u32 = 100;
pub(super) const MOST: u32 = 500;

/// The query of a request. Parameters that are not known are passed over.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ScimQuery {
    filter: Option<String>,
    start_index: Option<i64>,
    count: Option<i64>,
    attributes: Option<String>,
    excluded_attributes: Option<String>,
}

impl ScimQuery {
    pub(super) fn comparisons(&self) -> ScimResult<Vec<Comparison>> {
        self.filter.as_deref().map_or(Ok(Vec::new()), filter::parse)
    }

    /// From 1 on; less than that is 1.
    pub(super) fn start(&self) -> u32 {
        u32::try_from(self.start_index.unwrap_or(1).max(1)).unwrap_or(u32::MAX)
    }

    /// Less than nothing is nothing.
    pub(super) fn count(&self) -> u32 {
        let wanted = self.count.map_or(USUAL, |count| u32::try_from(count.max(0)).unwrap_or(u32::MAX));
        wanted.min(MOST)
    }

    pub(super) fn projection(&self) -> Projection {
        Projection::new(self.attributes.as_deref(), self.excluded_attributes.as_deref())
    }
}
