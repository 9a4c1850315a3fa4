mod discovery;
mod feed;
mod introspection;
mod issuance;
mod registered;
mod revocation;
mod surfaces;
pub(crate) mod world;
