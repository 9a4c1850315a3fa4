//! Signing out: tokens of a device or a tenant are denied by their age, here and at every gate.

use crate::cli::proof::{ReceiptOptions, ReceiptReport};
use crate::cli::scope::rows;
use serde_json::{Value, json};
use tegata_core::Timestamp;
use tegata_core::feed::TokenHolder;
use tegata_installation::{CommittedExt, Failure, FailureContext, SystemContext};
use tegata_storage::{Ledger, LedgerError};

/// What `revoke-tokens` asks for.
#[derive(clap::Args)]
pub struct SignOut {
    /// Deny tokens issued before this time (RFC 3339, as 2026-11-21T10:00:00Z); now, unless it is given
    #[arg(long, value_name = "TIME", value_parser = moment)]
    before: Option<Timestamp>,
    #[command(flatten)]
    proof: ReceiptOptions,
}

/// Denies the tokens and shows the receipts. `what` is the beginning of the JSON answer, `name` of the readable one.
pub async fn run(
    ledger: &Ledger,
    of: &TokenHolder,
    (what, name): (Value, &str),
    options: &SignOut,
    system: &SystemContext,
) -> Result<(), Failure> {
    let (now, proof) = (system.now(), &options.proof);
    if let Some(before) = options.before.filter(|before| *before > now) {
        return Err(Failure::misuse(format!(
            "{before} has not come yet: tokens of the future cannot be denied"
        )));
    }
    let stopping = ReceiptReport::begin(ledger, proof, system).await?;
    let mut transaction = rows(ledger, None).begin(now).await.doing("cannot read the ledger")?;
    let event =
        match transaction.deny_tokens(of, options.before, &proof.note, &SystemContext::operator()).await {
            Ok(event) => event,
            Err(error @ LedgerError::Guard(_)) => return Err(Failure::wrong(format!("{name}: {error}"))),
            Err(error) => return Err(Failure::wrong(error)),
        };
    transaction.commit().await.committed("the change is not durable; nothing was changed")?;
    let mut what = what;
    what["issued_before"] = json!(options.before.unwrap_or(now));
    stopping.report(&what, name, event).await
}

fn moment(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).ok_or_else(|| "not a time such as 2026-11-21T10:00:00Z".into())
}
