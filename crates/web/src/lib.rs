//! How HTTP, peer certificates, problems and pages are spoken here.
