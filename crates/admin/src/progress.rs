//! How far a long command is.

/// Hears how far a long command is, as often as there is something to say.
pub trait Progress {
    /// Hears that `done` of `total` are done of `what`.
    fn at(&mut self, what: &str, done: u64, total: u64);
}
