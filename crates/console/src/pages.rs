//! The pages. What is around each of them is [`crate::frame`]'s.

pub(crate) mod approvals;
pub(crate) mod calendar;
pub(crate) mod call;
pub(crate) mod change;
pub(crate) mod checking;
pub(crate) mod device;
pub(crate) mod devices;
pub(crate) mod devices_csv;
pub(crate) mod entrances;
pub(crate) mod entrances_csv;
pub(crate) mod figures;
pub(crate) mod health;
pub(crate) mod home;
pub(crate) mod invitations;
pub(crate) mod people;
pub(crate) mod person;
mod person_choices;
pub(crate) mod person_new;
pub(crate) mod reviews;
pub(crate) mod sites;
pub(crate) mod trail;
pub(crate) mod trail_csv;
pub(crate) mod views;
pub(crate) mod why;
