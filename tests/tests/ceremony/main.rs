//! The hierarchy: an auditor can follow every act, a successor takes over without anybody noticing, and an end is an end.

mod acts;
mod life;
mod refusals;
mod silos;
mod support;
