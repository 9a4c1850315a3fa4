//! What the CA makes, judged by programs that others wrote.
//!
//! These tests live inside the crate because signing a certificate is not reachable from outside: in
//! the program only the issuing function does it.

mod chain;
pub(crate) mod draft;
pub(crate) mod fixture;
mod openssl;
mod pkilint;
mod scep;
pub(crate) mod tools;
