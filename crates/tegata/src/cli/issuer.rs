//! `tegata issuer …`: the CAs, and where each stands in its life. They are changed by ceremonies.

use crate::cli::installation_args::InstallationArgs;
use crate::cli::output::{OutputFormat, nothing_found};
use crate::cli::scope::rows;
use serde_json::{Value, json};
use tegata_admin::ceremony::ca_serial;
use tegata_core::encoding::hex;
use tegata_core::{IssuerId, Thumbprint, Timestamp};
use tegata_installation::{Failure, FailureContext, SystemContext, pem};
use tegata_storage::{IssuerKind, Ledger, StoredIssuer, Tenant};
use x509_parser::prelude::{FromDer, X509Certificate};

/// What can be asked about CAs.
#[derive(clap::Subcommand)]
pub enum IssuerCommand {
    /// List roots, issuing CAs and CAs taken over
    List(OutputFormat),
    /// Show one with its lists and its certificate
    Show {
        /// Identifier of the CA, as `tegata issuer list` shows it
        issuer: IssuerId,
        #[command(flatten)]
        output: OutputFormat,
    },
}

pub async fn run(
    place: &InstallationArgs,
    command: &IssuerCommand,
    system: &SystemContext,
) -> Result<(), Failure> {
    let ledger = place.ledger(system).await?;
    let result = match command {
        IssuerCommand::List(output) => list(&ledger, output.json, system.now()).await,
        IssuerCommand::Show { issuer, output } => show(&ledger, issuer, output.json, system.now()).await,
    };
    ledger.close().await;
    result
}

const READ: &str = "cannot read the ledger";

async fn list(ledger: &Ledger, as_json: bool, now: Timestamp) -> Result<(), Failure> {
    let tenants = rows(ledger, None).tenants().await.doing(READ)?;
    let mut described = Vec::new();
    for issuer in ledger.issuers().await.doing(READ)? {
        described.push(describe(ledger, &issuer, &tenants, now).await?);
    }
    let is_nothing = described.is_empty();
    if as_json {
        outln!("{}", Value::Array(described));
    } else {
        for one in &described {
            outln!("{}", line(one));
        }
    }
    nothing_found(is_nothing, "the ledger has no CA: tegata ceremony installs one")
}

async fn show(ledger: &Ledger, id: &IssuerId, as_json: bool, now: Timestamp) -> Result<(), Failure> {
    let tenants = rows(ledger, None).tenants().await.doing(READ)?;
    let issuers = ledger.issuers().await.doing(READ)?;
    let issuer = issuers.iter().find(|issuer| issuer.id == *id);
    let issuer = issuer.ok_or_else(|| Failure::misuse(format!("the ledger has no CA {id}")))?;
    let mut described = describe(ledger, issuer, &tenants, now).await?;
    let mut lists = Vec::new();
    for shard in ledger.shards(id).await.doing(READ)? {
        lists.push(json!({
            "shard": shard.number, "number": shard.published.map(|list| list.number),
            "next_update": shard.published.map(|list| list.next_update),
            "up_to_date": shard.published.is_some_and(|list| list.revision >= shard.revision),
        }));
    }
    described["lists"] = lists.into();
    described["certificate"] = pem::certificates(&[&issuer.certificate]).into();
    if as_json {
        outln!("{described}");
        return Ok(());
    }
    outln!("{}", line(&described));
    for name in ["parent", "tenant_name", "serial", "thumbprint", "shards", "ended_at", "reason"] {
        if !described[name].is_null() {
            outln!("  {name:12} {}", text(&described[name]));
        }
    }
    for list in described["lists"].as_array().into_iter().flatten() {
        let (shard, number) = (text(&list["shard"]), text(&list["number"]));
        outln!("  list {shard:4} number {number}, until {}", text(&list["next_update"]));
    }
    out!("{}", text(&described["certificate"]));
    Ok(())
}

async fn describe(
    ledger: &Ledger,
    issuer: &StoredIssuer,
    tenants: &[Tenant],
    now: Timestamp,
) -> Result<Value, Failure> {
    let living = match issuer.kind {
        IssuerKind::Root => None,
        _ => Some(ledger.living_certificates(&issuer.id, now).await.doing(READ)?),
    };
    let (_, certificate) =
        X509Certificate::from_der(&issuer.certificate).doing("a CA's certificate cannot be read")?;
    let validity = certificate.validity();
    let tenant_name = tenants.iter().find(|tenant| issuer.tenant.as_ref() == Some(&tenant.id));
    Ok(json!({
        "issuer": issuer.id, "kind": issuer.kind.as_str(), "state": issuer.state.as_str(), "parent": issuer.parent,
        "tenant": issuer.tenant, "tenant_name": tenant_name.map(|tenant| &tenant.name), "shards": issuer.shards,
        "subject": certificate.subject().to_string(),
        "serial": hex(ca_serial(&issuer.certificate)?.as_bytes()),
        "thumbprint": Thumbprint::of(&issuer.certificate),
        "not_before": Timestamp::from_seconds(validity.not_before.timestamp()),
        "not_after": Timestamp::from_seconds(validity.not_after.timestamp()),
        "living_certificates": living, "ended_at": issuer.ended.map(|(at, _)| at),
        "reason": issuer.ended.map(|(_, reason)| reason.as_str()),
    }))
}

fn line(issuer: &Value) -> String {
    let living = issuer["living_certificates"].as_u64();
    format!(
        "{}  {:7}  {:7}  until {}  {:>7}  {}",
        text(&issuer["issuer"]),
        text(&issuer["kind"]),
        text(&issuer["state"]),
        text(&issuer["not_after"]),
        living.map_or_else(|| "-".to_owned(), |living| living.to_string()),
        text(&issuer["subject"]),
    )
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
