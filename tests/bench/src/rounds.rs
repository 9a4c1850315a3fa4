//! Rounds of one measurement after the other, because a shared machine changes its pace.

use crate::{BenchOutcome, cpu};

/// How often each side is measured.
pub const ROUNDS: usize = 3;

/// CPU time of a server per request, in microseconds, over what `load` has answered.
pub async fn cost(pid: u32, load: impl Future<Output = BenchOutcome<u32>>) -> BenchOutcome<f64> {
    cost_together(&[pid], load).await
}

/// The CPU time of several servers that answer a request together.
pub async fn cost_together(pids: &[u32], load: impl Future<Output = BenchOutcome<u32>>) -> BenchOutcome<f64> {
    let spent = || pids.iter().map(|pid| cpu::of(*pid)).sum::<BenchOutcome<f64>>();
    let before = spent()?;
    let answers = load.await?;
    if answers == 0 {
        return Err("nothing was answered".into());
    }
    Ok((spent()? - before) / f64::from(answers))
}

/// The one in the middle.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
