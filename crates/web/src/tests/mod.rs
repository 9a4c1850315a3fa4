mod connections;
mod paths;
mod requests;
mod subjects;
mod world;
