//! `tegata client issue-token|tokens|withdraw-token`: by what products register clients themselves.

use crate::cli::output::{OutputFormat, nothing_found};
use clap::Args;
use serde_json::{Value, json};
use std::time::Duration;
use tegata_core::encoding::base32;
use tegata_core::entropy::bytes;
use tegata_core::{InitialAccessToken, Timestamp};
use tegata_installation::{CommittedExt, Config, Failure, FailureContext, SystemContext};
use tegata_storage::{InitialToken, Ledger, NewInitialToken};

#[derive(Args)]
pub struct IssueTokenOptions {
    /// A product that clients are registered for, as its audience in tegata.toml; may be said more than once
    #[arg(long, required = true, value_name = "PRODUCT")]
    audience: Vec<String>,
    /// What of them, and `profile` where they may learn what people are called; separated by spaces
    #[arg(long, default_value = "")]
    scope: String,
    /// How many clients may be registered by it
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    uses: u32,
    /// For how many hours it is good
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=2160))]
    hours: u32,
    #[command(flatten)]
    output: OutputFormat,
}

#[derive(Args)]
pub struct WithdrawTokenOptions {
    /// Its name, as `tegata client tokens` shows it
    id: String,
    #[command(flatten)]
    output: OutputFormat,
}

const READ: &str = "cannot read the ledger";
const WRITE: &str = "no token was changed";

pub async fn issue(
    config: &Config,
    ledger: &Ledger,
    options: &IssueTokenOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let is_product = |name: &&String| config.products.iter().any(|product| product.audience == **name);
    if let Some(unknown) = options.audience.iter().find(|name| !is_product(name)) {
        return Err(Failure::misuse(format!(
            "there is no [[product]] with the audience {unknown:?} in tegata.toml"
        )));
    }
    let (now, token) = (system.now(), InitialAccessToken::random(&*system.entropy));
    let new = NewInitialToken {
        id: base32(&bytes::<5>(&*system.entropy)),
        token_hash: token.hash(),
        audiences: options.audience.clone(),
        scope: options.scope.clone(),
        uses: options.uses,
        expires_at: now.plus(Duration::from_hours(options.hours.into())),
    };
    let mut transaction = ledger.begin(now).await.doing(WRITE)?;
    transaction.add_initial_token(&new, &SystemContext::operator()).await.doing(WRITE)?;
    transaction.commit().await.committed(WRITE)?;
    if !config.clients.registration {
        errln!("no server takes it until tegata.toml says registration = true under [clients]");
    }
    if options.output.json {
        let line = json!({
            "id": new.id, "token": token.reveal(), "audiences": new.audiences, "scope": new.scope,
            "uses": new.uses, "expires_at": new.expires_at,
        });
        outln!("{line}");
    } else {
        outln!("{}", token.reveal());
        errln!(
            "{}: for {} clients until {}. This is the only time it is shown.",
            new.id,
            new.uses,
            new.expires_at
        );
    }
    Ok(())
}

pub async fn list(ledger: &Ledger, as_json: bool, system: &SystemContext) -> Result<(), Failure> {
    let tokens = ledger.initial_tokens().await.doing(READ)?;
    if as_json {
        outln!("{}", tokens.iter().map(described).collect::<Value>());
    } else {
        for token in &tokens {
            outln!("{}", line(token, system.now()));
        }
    }
    nothing_found(tokens.is_empty(), "there is no initial access token")
}

pub async fn withdraw(
    ledger: &Ledger,
    options: &WithdrawTokenOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let known = ledger.initial_tokens().await.doing(READ)?;
    if !known.iter().any(|token| token.id == options.id) {
        return Err(Failure::misuse("there is no such token: tegata client tokens"));
    }
    let mut transaction = ledger.begin(system.now()).await.doing(WRITE)?;
    transaction.withdraw_initial_token(&options.id, &SystemContext::operator()).await.doing(WRITE)?;
    transaction.commit().await.committed(WRITE)?;
    if options.output.json {
        outln!("{}", json!({"id": options.id, "withdrawn": true}));
    } else {
        outln!("withdrawn: {}", options.id);
    }
    Ok(())
}

fn line(token: &InitialToken, now: Timestamp) -> String {
    let InitialToken { id, audiences, scope, uses, uses_left, expires_at, .. } = token;
    let state = if *expires_at <= now { "over" } else { "until" };
    format!("{id}  {}  {scope:?}  {uses_left} of {uses} left  {state} {expires_at}", audiences.join(" "))
}

fn described(token: &InitialToken) -> Value {
    json!({
        "id": token.id, "audiences": token.audiences, "scope": token.scope, "uses": token.uses,
        "uses_left": token.uses_left, "created_at": token.created_at, "expires_at": token.expires_at,
    })
}
