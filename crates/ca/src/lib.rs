//! The certificate authority: the only holder of the issuing key.
