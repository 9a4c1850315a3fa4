//! `tegata digest`: what there is to do today, as the mail of the morning says it.

use crate::cli::installation_args::InstallationArgs;
use crate::cli::output::OutputFormat;
use crate::cli::scope::{ScopeArgs, TenantDirectory};
use serde_json::json;
use tegata_core::Language;
use tegata_core::japan_date::{day, iso_day};
use tegata_installation::{Failure, FailureContext, SystemContext};
use tegata_scheduler::{Digest, DigestScope};
use tegata_storage::Ledger;

/// Whose work to show.
#[derive(clap::Args)]
pub struct DigestOptions {
    #[command(flatten)]
    scope: ScopeArgs,
    /// The language in which it is said
    #[arg(long, value_parser = language, default_value = "ja")]
    language: Language,
    #[command(flatten)]
    output: OutputFormat,
}

fn language(tag: &str) -> Result<Language, String> {
    Language::parse(tag).ok_or_else(|| "ja or en".to_owned())
}

pub async fn run(
    place: &InstallationArgs,
    options: &DigestOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let ledger = place.ledger(system).await?;
    let result = print(&ledger, options, system).await;
    ledger.close().await;
    result
}

async fn print(ledger: &Ledger, options: &DigestOptions, system: &SystemContext) -> Result<(), Failure> {
    let directory = TenantDirectory::read(ledger).await?;
    let scope = match options.scope.find_in(&directory)? {
        None => DigestScope::Installation,
        Some(place) => match place.site {
            None => DigestScope::Tenant(place.tenant.id.clone()),
            Some(site) => DigestScope::Sites(place.tenant.id.clone(), vec![site.id.clone()]),
        },
    };
    let (now, language) = (system.now(), options.language);
    let digest = Digest::read(ledger, &scope, now).await.doing("cannot read the ledger")?;
    let groups = digest.groups(language);
    if options.output.json {
        let items = groups.iter().flat_map(|group| &group.items);
        let items = items.map(|item| json!({"code": item.code, "count": item.count, "text": item.text}));
        let (work, items) = (digest.has_work(), items.collect::<Vec<_>>());
        outln!("{}", json!({"day": iso_day(now), "tenant": scope.tenant(), "work": work, "items": items}));
        return Ok(());
    }
    let verdict = if digest.has_work() {
        language.pick("今日は運用対応があります", "There is work for you today")
    } else {
        language.pick("今日は運用対応はありません", "Nothing to do today")
    };
    outln!("{}  {verdict}", day(now, language));
    for group in &groups {
        outln!("\n{}", group.title);
        for item in &group.items {
            outln!("  {}", item.text);
        }
    }
    Ok(())
}
