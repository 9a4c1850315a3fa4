//! What was sent.

use crate::cli::output::{OutputFormat, nothing_found};
use crate::cli::scope::TenantDirectory;
use serde_json::{Value, json};
use tegata_core::{MailId, Timestamp};
use tegata_installation::{Failure, FailureContext};
use tegata_storage::{Ledger, Mail};

/// Which mails to list.
#[derive(clap::Args)]
pub struct ListMailsOptions {
    /// Of this tenant alone: name or identifier
    #[arg(long)]
    tenant: Option<String>,
    /// At most so many
    #[arg(long, short = 'n', default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    number: u16,
    #[command(flatten)]
    output: OutputFormat,
}

/// Which mail to show.
#[derive(clap::Args)]
pub struct ShowMailOptions {
    /// Its identifier, as `tegata notices list` shows it
    mail: MailId,
    #[command(flatten)]
    output: OutputFormat,
}

const READ: &str = "cannot read the ledger";

pub async fn list(ledger: &Ledger, options: &ListMailsOptions) -> Result<(), Failure> {
    let tenant = match &options.tenant {
        Some(named) => Some(TenantDirectory::read(ledger).await?.into_tenant(named)?.id),
        None => None,
    };
    let mails = ledger.mails(tenant.as_ref(), options.number.into()).await.doing(READ)?;
    if options.output.json {
        outln!("{}", mails.iter().map(describe).collect::<Value>());
    } else {
        for mail in &mails {
            let failure = mail.failure.as_deref().map(|why| format!("  {why}")).unwrap_or_default();
            let (id, state, day) = (&mail.id, mail.state.as_str(), &mail.day);
            outln!("{id}  {day}  {state:7}  {}  {}{failure}", mail.address, mail.subject);
        }
    }
    nothing_found(mails.is_empty(), "no mail was written")
}

pub async fn show(ledger: &Ledger, options: &ShowMailOptions) -> Result<(), Failure> {
    let mail = ledger.mail(&options.mail).await.doing(READ)?;
    let mail = mail.ok_or_else(|| Failure::wrong("there is no such mail: tegata notices list shows them"))?;
    if options.output.json {
        let mut line = describe(&mail);
        line["plain"] = json!(mail.plain);
        line["html"] = json!(mail.html);
        outln!("{line}");
    } else {
        outln!("{}\n\n{}", mail.subject, mail.plain);
    }
    Ok(())
}

fn describe(mail: &Mail) -> Value {
    json!({
        "mail": mail.id, "recipient": mail.recipient, "tenant": mail.tenant(), "kind": mail.kind.as_str(),
        "day": mail.day, "address": mail.address, "subject": mail.subject, "state": mail.state.as_str(),
        "attempts": mail.attempts, "written_at": mail.written_at.whole_second(),
        "sent_at": mail.sent_at().map(Timestamp::whole_second), "failure": mail.failure,
    })
}
