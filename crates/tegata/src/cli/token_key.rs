//! `tegata token-key …`: the keys that sign tokens, as an operator sees them.

use crate::cli::confirm::OperatorConsent;
use crate::cli::installation_args::InstallationArgs;
use crate::cli::output::OutputFormat;
use crate::server::token_keys::{LOOK, appoint, files, succession, withdraw};
use serde_json::{Value, json};
use std::time::Duration;
use tegata_core::Timestamp;
use tegata_installation::{Failure, FailureContext, KeyRing, SystemContext};
use tegata_signals::{KeyDuty, KeySuccession, NOTICE};
use tegata_storage::Ledger;

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
    let ring = KeyRing::open(&place.config()?)?;
    let ledger = place.ledger(system).await?;
    let done = act(&ledger, &ring, command, system).await;
    ledger.close().await;
    let output = match command {
        TokenKeyCommand::List(output)
        | TokenKeyCommand::Rotate { output, .. }
        | TokenKeyCommand::Withdraw { output, .. } => output,
    };
    show(&done?, system.now(), output.json);
    Ok(())
}

/// Keys of an older version are taken in before, and its files follow what was changed.
async fn act(
    ledger: &Ledger,
    ring: &KeyRing,
    command: &TokenKeyCommand,
    system: &SystemContext,
) -> Result<KeySuccession, Failure> {
    files::synchronize(ring, ledger, system.now()).await?;
    let (actor, entropy) = (SystemContext::operator(), system.entropy.as_ref());
    match command {
        TokenKeyCommand::List(_) => {}
        TokenKeyCommand::Rotate { notice, .. } => {
            // A server publishes the key within `LOOK`; before that nobody may meet its signature.
            let notice = Duration::from_secs(*notice).max(LOOK * 2);
            appoint(ring, ledger, &actor, system.now(), notice, entropy, |_| true).await?;
        }
        TokenKeyCommand::Withdraw { kid, note, consent, .. } => {
            if known(ledger).await?.terms().iter().all(|term| term.kid != *kid) {
                return Err(Failure::misuse(format!(
                    "there is no token key {kid}: see `tegata token-key list`"
                )));
            }
            consent.obtain(format!("every token that the key {kid} signed is refused from now on"))?;
            withdraw(ring, ledger, &actor, system.now(), (kid, note), entropy).await?;
        }
    }
    files::synchronize(ring, ledger, system.now()).await?;
    known(ledger).await
}

async fn known(ledger: &Ledger) -> Result<KeySuccession, Failure> {
    succession(&ledger.token_keys().await.doing("cannot read the token keys")?)
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
