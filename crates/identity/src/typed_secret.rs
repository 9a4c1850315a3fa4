//! A secret in a form.

use serde::Deserialize;
use std::ops::Deref;
use zeroize::Zeroizing;

/// What somebody typed that nobody else should read. It never prints itself, and its memory is cleared.
#[derive(Default, Deserialize)]
#[serde(from = "String")]
pub(crate) struct TypedSecret(Zeroizing<String>);

impl From<String> for TypedSecret {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl Deref for TypedSecret {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}
