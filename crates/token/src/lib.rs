//! OAuth for devices: certificate-bound tokens, introspection, revocation, and the feed for gates.
