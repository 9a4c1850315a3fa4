//! Numbers and short texts in a row of bytes: what sealed cookies hold.

use tegata_core::Timestamp;

/// Writes fields one after the other.
#[derive(Default)]
pub(super) struct FieldWriter(Vec<u8>);

impl FieldWriter {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    pub(super) fn number(&mut self, number: i64) -> &mut Self {
        self.bytes(&number.to_be_bytes())
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// A text of at most 65,535 bytes. What is longer is cut; callers bound their texts long before.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
        self.bytes(&length.to_be_bytes()).bytes(&text.as_bytes()[..usize::from(length)])
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Reads them in the same order; `None` where they end too early or are no text.
pub(super) struct FieldReader<'a>(&'a [u8]);

impl<'a> FieldReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn number(&mut self) -> Option<i64> {
        self.array().map(i64::from_be_bytes)
    }

    /// Seconds that a timestamp holds without loss.
    pub(super) fn moment(&mut self) -> Option<Timestamp> {
        let seconds = self.number()?;
        Some(Timestamp::from_seconds(seconds)).filter(|moment| moment.seconds() == seconds)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        let length = usize::from(u16::from_be_bytes(self.array()?));
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        str::from_utf8(text).ok()
    }

    /// Whether nothing is left.
    pub(super) fn is_finished(&self) -> bool {
        self.0.is_empty()
    }
}
