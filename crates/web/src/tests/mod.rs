mod client_cas;
mod connections;
mod paths;
mod proxies;
mod requests;
mod subjects;
mod visitors;
mod world;
