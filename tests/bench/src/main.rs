//! What a request costs the server, next to the least that any server could pay for it.
//!
//! `tegata-bench TEGATA [--json]` starts that program and the limit server, puts the same load on both in turn, and
//! reads what each of them used from `/proc`. `tegata-bench limit …` and
//! `tegata-bench still …` are the limit servers themselves, `tegata-bench lists …` is a process whose memory is measured.

mod answers;
mod client;
mod cpu;
mod devices;
mod issuing;
mod limit;
mod lists;
mod load;
mod report;
mod rounds;
mod servers;
mod still;
mod tokens;

use client::Trust;
use report::Row;
use servers::{Limit, Tegata};
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const USAGE: &str = "usage: tegata-bench TEGATA [--json], where TEGATA is the program to measure";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["limit", devices, identity] => limit::serve(devices.as_ref(), identity.as_ref()).await,
        ["still", answer] => still::serve(answer.as_ref()).await,
        ["lists", shards] => lists::make_once(shards),
        [tegata] => compare(tegata.into(), false).await,
        [tegata, "--json"] => compare(tegata.into(), true).await,
        _ => Err(USAGE.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn compare(program: PathBuf, as_json: bool) -> Outcome<()> {
    let tegata = Tegata::start(&program)?;
    let limit = Limit::start(&tegata.chain)?;
    let trust = Trust::read(&[&tegata.tls_ca, &limit.tls_ca])?;
    let sign_us = cpu::signature()?;
    let devices = devices::enroll(&tegata, &trust).await?;
    let mut rows = vec![
        tokens::kept_alive(&tegata, &limit, &trust, &devices).await?,
        tokens::new_connection(&tegata, &limit, &trust, &devices).await?,
        issuing::issue(&tegata, &trust).await?,
    ];
    rows.extend(answers::rows(&tegata, &devices).await?);
    rows.extend(lists::rows()?);
    let memory = lists::memory()?;
    // Both ends of the run, because a shared machine changes its pace.
    let sign_us = f64::midpoint(sign_us, cpu::signature()?);
    print!("{}", if as_json { Row::json(&rows, &memory) } else { Row::table(&rows, &memory, sign_us) });
    Ok(())
}
