//! What a request costs the server, next to the least that any server could pay for it.
//!
//! `tegata-bench TEGATA [--json] [--large]` starts that program and the limit server, puts the same load on both in
//! turn, and reads what each of them used from `/proc`; `--large` adds what takes minutes. `tegata-bench limit …` and
//! `tegata-bench still …` are the limit servers themselves, `tegata-bench lists …` and
//! `tegata-bench denied …` are processes whose memory is measured.

mod answers;
mod client;
mod cpu;
mod denied;
mod devices;
mod gates;
mod introspection;
mod issuing;
mod ledgers;
mod limit;
mod lists;
mod load;
mod report;
mod revocations;
mod rounds;
mod servers;
mod statuses;
mod still;
mod tokens;

use client::Trust;
use report::Report;
use servers::{Limit, Tegata};
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const USAGE: &str = "usage: tegata-bench TEGATA [--json] [--large], where TEGATA is the program to measure";

const OPTIONS: [&str; 2] = ["--json", "--large"];

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["limit", devices, identity] => limit::serve(devices.as_ref(), identity.as_ref()).await,
        ["still", answer] => still::serve(answer.as_ref()).await,
        ["lists", shards] => lists::make_once(shards),
        ["denied", file] => denied::load_once(file.as_ref()),
        [tegata, ref options @ ..] if options.iter().all(|option| OPTIONS.contains(option)) => {
            compare(tegata.into(), options.contains(&"--json"), options.contains(&"--large")).await
        }
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

async fn compare(program: PathBuf, as_json: bool, large: bool) -> Outcome<()> {
    let tegata = Tegata::start(&program)?;
    let limit = Limit::start(&tegata.chain)?;
    let trust = Trust::read(&[&tegata.tls_ca, &limit.tls_ca])?;
    let sign_us = cpu::signature()?;
    let devices = devices::enroll(&tegata, &trust).await?;
    let mut report = Report {
        rows: vec![
            tokens::kept_alive(&tegata, &limit, &trust, &devices).await?,
            tokens::new_connection(&tegata, &limit, &trust, &devices).await?,
            introspection::row(&tegata, &limit, &trust, &devices).await?,
            issuing::issue(&tegata, &trust).await?,
        ],
        ..Report::default()
    };
    report.rows.extend(answers::rows(&tegata, &devices).await?);
    report.rows.extend(lists::rows()?);
    report.rows.extend(statuses::rows()?);
    report.rows.extend(gates::rows(&tegata, &trust, &devices).await?);
    let (loading, held) = denied::measure()?;
    report.rows.push(loading);
    report.memory = lists::memory()?;
    report.memory.push(held);
    report.delays = revocations::rows(&tegata, &trust, &devices).await?;
    if large {
        report.rows.extend(ledgers::rows(&program).await?);
    }
    // Both ends of the run, because a shared machine changes its pace.
    let sign_us = f64::midpoint(sign_us, cpu::signature()?);
    print!("{}", if as_json { report.json() } else { report.table(sign_us) });
    Ok(())
}
