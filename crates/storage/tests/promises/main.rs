//! What the other crates may rely on, each promise on both engines: SQLite in a file of its own and PostgreSQL
//! in a schema of its own. `TEGATA_TEST_POSTGRES` names the server (`postgres://…`); without it the tests start one.

#![allow(clippy::unwrap_used)]

mod acme;
mod ahead;
mod approvals;
mod audit;
mod authorizations;
mod changed_people;
mod clients;
mod devices;
mod directories;
mod engines;
mod every_write;
mod families;
mod faults;
mod feed;
mod fixture;
mod foreign_tenants;
mod group;
mod guesses;
mod guidance;
mod histories;
mod inspecting;
mod invitation_lists;
mod invitations;
mod isolation;
mod issuing;
mod kitting;
mod licenses;
mod life;
mod lookups;
mod loss_reports;
mod machine;
mod passes;
mod passkeys;
mod people;
mod policies;
mod publishing;
mod receivers;
mod renewal_rules;
mod replacing;
mod restoring;
mod reviews;
mod revoking;
mod row_level_security;
mod scep;
mod scope_classes;
mod searching;
mod servers;
mod several_logs;
mod status;
mod status_lists;
mod tenants;
mod together;
mod versions;
