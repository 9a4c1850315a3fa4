//! The products that tokens are for.

use crate::rules::ConfigurationError;
use tegata_core::HttpUrl;

/// A product that tokens are for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProductAudience {
    /// Its name, as `aud` carries it. An absolute URI if clients are to ask by `resource` (RFC 8707).
    pub audience: String,
    /// Whether a request that names no product is for this one. At most one is.
    pub default: bool,
    /// Whether devices need a license for it, by tenant or site, as the ledger has them.
    pub licensed: bool,
    /// Its scopes: what of it a token may be good for.
    pub scopes: Vec<String>,
    /// Origins under which gates serve it, beside that of its name.
    pub origins: Vec<String>,
}

impl ProductAudience {
    /// The origins at which browsers find it: that of its name, where the name is an address, and the others.
    pub(crate) fn served_at(&self) -> impl Iterator<Item = String> {
        let own = HttpUrl::parse(&self.audience).ok().map(|url| url.origin().to_string());
        own.into_iter().chain(self.origins.iter().cloned())
    }
}

/// Names and scopes that can be told apart, and one default at most.
pub(crate) fn check_products(products: &[ProductAudience]) -> Result<(), ConfigurationError> {
    let unnamed = products.iter().any(|product| product.audience.is_empty());
    let twice = products
        .iter()
        .enumerate()
        .any(|(place, product)| products[..place].iter().any(|earlier| earlier.audience == product.audience));
    if products.is_empty() || unnamed || twice {
        return Err(ConfigurationError::Products);
    }
    if !products.iter().flat_map(|product| &product.scopes).all(|scope| is_scope(scope)) {
        return Err(ConfigurationError::Scopes);
    }
    let defaults = products.iter().filter(|product| product.default).count();
    if defaults <= 1 { Ok(()) } else { Err(ConfigurationError::Defaults) }
}

/// Whether it can be one: visible ASCII without quotes and backslashes.
fn is_scope(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}
