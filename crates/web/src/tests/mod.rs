mod connections;
mod paths;
mod requests;
mod world;
