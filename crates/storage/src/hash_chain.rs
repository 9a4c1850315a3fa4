//! Entries chained to their predecessors: the audit log and the revocation log.

use ring::digest::{Context, SHA256};

/// SHA-256 over the predecessor's hash and the entry.
pub(crate) fn next_hash(previous: &[u8], entry: &str) -> Vec<u8> {
    let mut context = Context::new(&SHA256);
    context.update(previous);
    context.update(entry.as_bytes());
    context.finish().as_ref().to_vec()
}
