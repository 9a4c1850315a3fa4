//! `tegata token-key …`: the keys that sign tokens, as an operator sees them.

use crate::cli::confirm::OperatorConsent;
use crate::cli::output::OutputFormat;
use crate::failure::{Failure, FailureContext};
use crate::installation_args::InstallationArgs;
use crate::keys::KeyRing;
use crate::server::token_keys::{KeyChange, LOOK, succession};
use crate::system_context::SystemContext;
use serde_json::{Value, json};
use std::time::Duration;
use tegata_core::Timestamp;
use tegata_signals::{KeyDuty, KeySuccession, NOTICE};

/// What can be done with them.
#[derive(clap::Subcommand)]
pub enum TokenKeyCommand {
    /// List them: which one signs, which one is next, which ones are still believed
    List(OutputFormat),
    /// Make the next key: published at once, signing after the notice. No client notices
    Rotate {
        /// Seconds from publishing to signing. With less than the usual quarter of an hour, verifiers that do not know
        /// the key yet have to fetch the key set again
        #[arg(long, value_name = "SECONDS", default_value_t = NOTICE.as_secs(), value_parser = clap::value_parser!(u64).range(..=86400))]
        notice: u64,
        #[command(flatten)]
        output: OutputFormat,
    },
    /// Take a compromised key out at once: every token it signed is refused, clients ask for new ones
    Withdraw {
        /// Its name, as `list` shows it
        kid: String,
        /// What happened, for the audit log
        #[arg(long, default_value = "")]
        note: String,
        #[command(flatten)]
        consent: OperatorConsent,
        #[command(flatten)]
        output: OutputFormat,
    },
}

pub async fn run(
    place: &InstallationArgs,
    command: &TokenKeyCommand,
    system: &SystemContext,
) -> Result<(), Failure> {
    let config = place.config()?;
    let ring = KeyRing::open(&config)?;
    let output = match command {
        TokenKeyCommand::List(output) => output,
        TokenKeyCommand::Rotate { notice, output } => {
            rotate(place, &ring, Duration::from_secs(*notice), system).await?;
            output
        }
        TokenKeyCommand::Withdraw { kid, note, consent, output } => {
            withdraw(place, &ring, kid, note, *consent, system).await?;
            output
        }
    };
    show(&succession(&ring)?, system.now(), output.json);
    Ok(())
}

async fn rotate(
    place: &InstallationArgs,
    ring: &KeyRing,
    notice: Duration,
    system: &SystemContext,
) -> Result<(), Failure> {
    let ledger = place.ledger(system).await?;
    let mut change = KeyChange::begin(ring, &ledger, SystemContext::operator(), system.now())?;
    // A server publishes the key within `LOOK`; before that nobody may meet its signature.
    let notice = notice.max(LOOK * 2);
    let outcome = change.appoint(notice, system.entropy.as_ref()).await;
    ledger.close().await;
    outcome.map(drop)
}

/// When it is the only one, its successor is made in the same step.
async fn withdraw(
    place: &InstallationArgs,
    ring: &KeyRing,
    kid: &str,
    note: &str,
    consent: OperatorConsent,
    system: &SystemContext,
) -> Result<(), Failure> {
    if succession(ring)?.terms().iter().all(|term| term.kid != kid) {
        return Err(Failure::misuse(format!("there is no token key {kid}: see `tegata token-key list`")));
    }
    // Before the lock is taken: servers and other commands wait for it.
    consent.obtain(format!("every token that the key {kid} signed is refused from now on"))?;
    let ledger = place.ledger(system).await?;
    let mut change = KeyChange::begin(ring, &ledger, SystemContext::operator(), system.now())?;
    if change.succession().terms().len() == 1 {
        change.appoint(Duration::ZERO, system.entropy.as_ref()).await.doing("cannot make a successor")?;
    }
    let outcome = change.withdraw(kid, note).await;
    ledger.close().await;
    outcome
}

fn show(succession: &KeySuccession, now: Timestamp, as_json: bool) {
    let described: Vec<Value> = succession
        .terms()
        .iter()
        .map(|term| {
            let (duty, until) = succession.duty(&term.kid, now);
            json!({
                "kid": term.kid, "state": name(duty), "published_at": term.published_at,
                "signs_from": term.signs_from, "until": until,
            })
        })
        .collect();
    if as_json {
        outln!("{}", Value::Array(described));
        return;
    }
    for key in &described {
        let until = key["until"].as_str().map(|until| format!("  until {until}")).unwrap_or_default();
        let [kid, state, from] =
            ["kid", "state", "signs_from"].map(|member| key[member].as_str().unwrap_or_default());
        outln!("{kid}  {state:10}  signs from {from}{until}");
    }
}

const fn name(duty: KeyDuty) -> &'static str {
    match duty {
        KeyDuty::Announced => "announced",
        KeyDuty::Signing => "signing",
        KeyDuty::Remembered => "remembered",
        KeyDuty::Ended => "ended",
    }
}
