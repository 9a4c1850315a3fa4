mod discovery;
mod feed;
mod introspection;
mod issuance;
mod refresh;
mod registered;
mod revocation;
mod surfaces;
pub(crate) mod world;
