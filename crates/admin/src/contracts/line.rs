//! A line of the list, as it was written.

use serde::{Deserialize, Deserializer};
use tegata_core::{ExternalKey, Language, Name};

/// The columns of a list.
pub const CONTRACT_COLUMNS: &[&str] = &["tenant_key", "tenant", "site_key", "site", "products"];

/// How many of them a list must have.
pub const CONTRACT_NEEDED: usize = 2;

/// The word for no product at all; an empty cell leaves licenses as they are.
const NONE: &str = "-";

/// What a line says: of a company as a whole, or of one of its sites.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListedContract {
    /// The register's key of the company.
    pub tenant_key: String,
    /// What the company is called.
    pub tenant: String,
    /// The register's key of the site; empty where the line is about the company.
    #[serde(default, deserialize_with = "written")]
    pub site_key: Option<String>,
    /// What the site is called.
    #[serde(default, deserialize_with = "written")]
    pub site: Option<String>,
    /// The products that the company, or this site, is licensed for, with `;` between.
    #[serde(default, deserialize_with = "written")]
    pub products: Option<String>,
}

/// A line that makes sense by itself.
pub(super) struct ReadContract {
    pub(super) tenant: (ExternalKey, Name),
    pub(super) site: Option<(ExternalKey, Name)>,
    /// Nothing where licenses stay as they are.
    pub(super) products: Option<Vec<String>>,
}

fn written<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let cell = String::deserialize(deserializer)?;
    Ok(Some(cell).filter(|cell| !cell.trim().is_empty()))
}

impl ListedContract {
    /// How a list writes these products.
    pub fn cell(products: &[String]) -> String {
        if products.is_empty() { NONE.into() } else { products.join(";") }
    }

    /// Reads the cells. The error says what is wrong, for whoever wrote the list.
    pub(super) fn read(&self, products: &[String]) -> Result<ReadContract, String> {
        let tenant = place("tenant_key", &self.tenant_key, &self.tenant)?;
        let site = match (&self.site_key, &self.site) {
            (Some(key), Some(name)) => Some(place("site_key", key, name)?),
            (None, None) => None,
            _ => return Err("site_key and site come together, or neither of them".into()),
        };
        let products = self.products.as_deref().map(|cell| listed(cell, products)).transpose()?;
        Ok(ReadContract { tenant, site, products })
    }
}

fn place(column: &str, key: &str, name: &str) -> Result<(ExternalKey, Name), String> {
    let key = ExternalKey::parse(key).map_err(|why| format!("{column}: {}", why.text(Language::En)))?;
    let name = Name::of_place(name).map_err(|why| why.text(Language::En))?;
    Ok((key, name))
}

fn listed(cell: &str, known: &[String]) -> Result<Vec<String>, String> {
    if cell.trim() == NONE {
        return Ok(Vec::new());
    }
    let members = cell.split([';', '；']).map(str::trim).filter(|product| !product.is_empty());
    let products: Vec<_> = members.map(str::to_owned).collect();
    match products.iter().find(|product| !known.contains(product)) {
        Some(unknown) => Err(format!("there is no [[product]] with the audience {unknown:?} in tegata.toml")),
        None => Ok(products),
    }
}
