//! The words of Tegata: pure rules, no I/O, no clock.
