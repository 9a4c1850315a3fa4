//! What a request costs the server, next to the least that any server could pay for it.
//!
//! `tegata-bench TEGATA [--json] [--large] [--only=ROWS]` starts that program and the limit server, puts the same load
//! on both in turn, and reads what each of them used from `/proc`; `--large` adds what takes minutes. `tegata-bench
//! limit …` and `tegata-bench still …` are the limit servers themselves, `tegata-bench gate …` is a gate that nginx asks, `tegata-bench lists …`,
//! `tegata-bench devices …`, `tegata-bench renewals …` and `tegata-bench denied …` are processes whose memory is measured.

mod answers;
mod choice;
mod client;
mod codes;
mod cpu;
mod denied;
mod devices;
mod forward_auth;
mod gates;
mod introspection;
mod issuing;
mod ledgers;
mod limit;
mod lists;
mod load;
mod pages;
mod parcel;
mod population;
mod renewals;
mod report;
mod revocations;
mod rounds;
mod search;
mod servers;
mod sessions;
mod sign_ins;
mod statuses;
mod still;
mod storm;
mod tokens;

use choice::Choice;
use client::BenchTrust;
use report::BenchReport;
use servers::{Limit, Tegata};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

type BenchOutcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["limit", devices, identity] => limit::serve(devices.as_ref(), identity.as_ref()).await,
        ["gate", identity, issuer, audience, tls_ca, cached] => {
            forward_auth::serve(identity.as_ref(), issuer, audience, tls_ca.as_ref(), cached).await
        }
        ["still", answer] => still::serve(answer.as_ref()).await,
        ["lists", shards] => lists::make_once(shards),
        ["devices", url] => search::list_once(url).await,
        ["renewals", url] => renewals::count_once(url).await,
        ["pages", url] => search::page_once(url).await,
        ["denied", file] => denied::load_once(file.as_ref()),
        [tegata, ref options @ ..] => match Choice::of(options) {
            Ok(choice) => compare(tegata.into(), choice).await,
            Err(error) => Err(error),
        },
        _ => Err(choice::USAGE.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn compare(program: PathBuf, choice: Choice<'_>) -> BenchOutcome<()> {
    let sign_us = cpu::signature()?;
    let mut report = if ["search", "renewals", "storm"].iter().any(|row| choice.is_only(row)) {
        BenchReport::default()
    } else {
        measure(&program, &choice).await?
    };
    if choice.large {
        report.rows.extend(ledgers::rows(&program).await?);
    }
    if choice.large || choice.names("search") {
        let BenchReport { rows, memory, delays, .. } = search::rows(choice.devices).await?;
        report.rows.extend(rows);
        report.delays.extend(delays);
        report.memory.extend(memory);
    }
    if choice.large || choice.names("renewals") {
        let (delays, memory) = renewals::rows(choice.devices).await?;
        report.delays.extend(delays);
        report.memory.extend(memory);
    }
    if choice.large || choice.names("storm") {
        let (storms, delays) = storm::rows(&program).await?;
        report.storms.extend(storms);
        report.delays.extend(delays);
    }
    // Both ends of the run, because a shared machine changes its pace.
    let sign_us = f64::midpoint(sign_us, cpu::signature()?);
    print!("{}", if choice.json { report.json() } else { report.table(sign_us) });
    Ok(())
}

async fn measure(program: &Path, choice: &Choice<'_>) -> BenchOutcome<BenchReport> {
    let tegata = Tegata::start(program)?;
    let limit = Limit::start(&tegata.chain)?;
    let trust = BenchTrust::read(&[&tegata.tls_ca, &limit.tls_ca])?;
    let devices = devices::enroll(&tegata, &trust).await?;
    let mut report = BenchReport::default();
    let rows = &mut report.rows;
    if choice.wants("token kept alive") {
        rows.push(tokens::kept_alive(&tegata, &limit, &trust, &devices).await?);
    }
    if choice.wants("token new connection") {
        rows.push(tokens::new_connection(&tegata, &limit, &trust, &devices).await?);
    }
    if choice.wants("introspection") {
        rows.push(introspection::row(&tegata, &limit, &trust, &devices).await?);
    }
    if choice.wants("issue") {
        rows.push(issuing::issue(&tegata, &trust).await?);
    }
    if choice.wants("ocsp") {
        rows.extend(answers::rows(&tegata, &devices).await?);
    }
    if choice.wants("crl") {
        rows.extend(lists::rows()?);
        report.memory.extend(lists::memory()?);
    }
    if choice.wants("status") {
        rows.extend(statuses::rows()?);
    }
    if choice.wants("parcel") {
        rows.push(parcel::row()?);
    }
    if choice.wants("gate") {
        rows.extend(gates::rows(&tegata, &trust, &devices).await?);
        let (loading, held) = denied::measure()?;
        rows.push(loading);
        report.memory.push(held);
    }
    if choice.wants("session") {
        rows.extend(sessions::rows(&tegata, &trust, &devices).await?);
    }
    if choice.wants("session code") {
        rows.push(codes::row(&tegata, &limit, &trust, &devices).await?);
    }
    if choice.wants("session sign-in") {
        rows.push(sign_ins::row(&tegata, &trust, &devices).await?);
    }
    if choice.wants("forward-auth") {
        rows.extend(forward_auth::rows(&tegata, &trust, &devices).await?);
    }
    if choice.wants("revoke") {
        report.delays = revocations::rows(&tegata, &trust, &devices).await?;
    }
    Ok(report)
}
