//! Rounds of one measurement after the other, because a shared machine changes its pace.

use crate::{Outcome, cpu};

/// How often each side is measured.
pub const ROUNDS: usize = 3;

/// CPU time of a server per request, in microseconds, over what `load` has answered.
pub async fn cost(pid: u32, load: impl Future<Output = Outcome<u32>>) -> Outcome<f64> {
    let before = cpu::of(pid)?;
    let answers = load.await?;
    if answers == 0 {
        return Err("nothing was answered".into());
    }
    Ok((cpu::of(pid)? - before) / f64::from(answers))
}

/// The one in the middle.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
