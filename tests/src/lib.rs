//! End to end: the real binary against real clients.
