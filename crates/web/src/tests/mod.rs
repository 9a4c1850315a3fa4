mod client_cas;
mod connection_registry;
mod connections;
mod fixture;
mod paths;
mod proxies;
mod requests;
mod subjects;
