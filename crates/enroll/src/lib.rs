//! From an invitation or an old certificate to a new certificate.
