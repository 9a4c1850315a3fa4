mod client_cas;
mod connection_registry;
mod connections;
mod paths;
mod proxies;
mod requests;
mod subjects;
mod world;
