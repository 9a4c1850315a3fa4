mod discovery;
mod feed;
mod introspection;
mod issuance;
mod revocation;
mod surfaces;
mod world;
