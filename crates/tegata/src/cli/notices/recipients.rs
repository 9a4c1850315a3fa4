//! Who is told.

use crate::cli::moment::day_or_moment;
use crate::cli::output::{OutputFormat, nothing_found};
use crate::cli::person::find_person;
use crate::cli::scope::{ScopeArgs, ScopeTarget, TenantDirectory};
use serde_json::{Value, json};
use tegata_core::{
    Language, MailAddress, Name, NoticeLevel, PersonId, RecipientId, SiteId, TenantId, Timestamp,
};
use tegata_installation::config::LONGEST_SENDER_NAME;
use tegata_installation::{CommittedExt, Failure, FailureContext, SystemContext};
use tegata_storage::{Ledger, NoticeRecipient};

/// Whom to tell, and what.
#[derive(clap::Args)]
pub struct AddRecipientOptions {
    /// The address to which mails go
    address: MailAddress,
    /// From which step on: `person` and `site` first, `head-office` a week before the end, `support` on the last day;
    /// `operator` of the day's work alone
    #[arg(long, value_parser = level)]
    level: NoticeLevel,
    #[command(flatten)]
    place: ScopeTarget,
    /// Of the devices of this person alone: login ID or identifier
    #[arg(long)]
    person: Option<String>,
    /// The language of mails to them
    #[arg(long, value_parser = language, default_value = "ja")]
    language: Language,
    /// The hour of the day, in Japan, from which on they are told of renewals
    #[arg(long, default_value_t = 9, value_name = "HOUR", value_parser = clap::value_parser!(u8).range(0..=23))]
    hour: u8,
    /// The hour at which they are told of the day's work, every day
    #[arg(long, value_name = "HOUR", value_parser = clap::value_parser!(u8).range(0..=23))]
    digest_hour: Option<u8>,
    #[command(flatten)]
    output: OutputFormat,
}

/// Whose recipients to list.
#[derive(clap::Args)]
pub struct ListRecipientsOptions {
    #[command(flatten)]
    scope: ScopeArgs,
    #[command(flatten)]
    output: OutputFormat,
}

/// Which recipient is meant.
#[derive(clap::Args)]
pub struct RecipientOptions {
    /// Its identifier, as `tegata notices recipients` shows it
    recipient: RecipientId,
    #[command(flatten)]
    output: OutputFormat,
}

/// Who is away, and until when.
#[derive(clap::Args)]
pub struct PauseRecipientOptions {
    /// Its identifier, as `tegata notices recipients` shows it
    recipient: RecipientId,
    /// The day or moment on which they are told again
    #[arg(long, value_name = "DAY", value_parser = day_or_moment)]
    until: Timestamp,
    /// Why, for the audit log. No names of persons
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    output: OutputFormat,
}

/// Whose sender, and its name.
#[derive(clap::Args)]
pub struct SenderOptions {
    /// What it is called
    name: Option<String>,
    /// Name or identifier of the tenant; not needed where there is only one
    #[arg(long)]
    tenant: Option<String>,
    /// Call it like the installation's from now on
    #[arg(long, conflicts_with = "name")]
    clear: bool,
    #[command(flatten)]
    output: OutputFormat,
}

const READ: &str = "cannot read the ledger";
const WRITE: &str = "nothing was changed";

fn level(word: &str) -> Result<NoticeLevel, String> {
    NoticeLevel::parse(word).ok_or_else(|| "one of person, site, head-office, support, operator".to_owned())
}

fn language(tag: &str) -> Result<Language, String> {
    Language::parse(tag).ok_or_else(|| "ja or en".to_owned())
}

pub async fn add(
    ledger: &Ledger,
    options: &AddRecipientOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let (tenant, site, person) = meant(ledger, options).await?;
    let new = NoticeRecipient {
        id: RecipientId::random(system.entropy.as_ref()),
        tenant,
        site,
        person,
        level: options.level,
        address: options.address.clone(),
        language: options.language,
        notice_hour: options.hour,
        digest_hour: options.digest_hour,
        noticed_day: None,
        digest_day: None,
        paused_until: None,
        bounced_at: None,
        bounce: None,
    };
    let mut transaction = ledger.begin(system.now()).await.doing(WRITE)?;
    transaction.add_notice_recipient(&new, &SystemContext::operator()).await.doing(WRITE)?;
    transaction.commit().await.committed(WRITE)?;
    print_line(&new, &options.output, system.now());
    Ok(())
}

/// Whose renewals and work they are told of. Support and operators are of no tenant.
async fn meant(
    ledger: &Ledger,
    options: &AddRecipientOptions,
) -> Result<(Option<TenantId>, Option<SiteId>, Option<PersonId>), Failure> {
    let (place, level) = (&options.place, options.level);
    if level == NoticeLevel::Operator && options.digest_hour.is_none() {
        return Err(Failure::misuse("an operator is told of the day's work: say --digest-hour"));
    }
    if level == NoticeLevel::Person && options.digest_hour.is_some() {
        return Err(Failure::misuse("the day's work is its site's or its tenant's: leave --digest-hour out"));
    }
    if level >= NoticeLevel::Support {
        return match (&place.tenant, &place.site, &options.person) {
            (None, None, None) => Ok((None, None, None)),
            _ => Err(Failure::misuse("support and operators are told of everybody: leave the place out")),
        };
    }
    let directory = TenantDirectory::read(ledger).await?;
    let found = place.find_in(&directory)?;
    let (tenant, site) = (found.tenant.id.clone(), found.site.map(|site| site.id.clone()));
    match (level, &site, &options.person) {
        (NoticeLevel::Person, None, Some(named)) => {
            let person = find_person(ledger, &tenant, named).await?;
            Ok((Some(tenant), None, Some(person.id)))
        }
        (NoticeLevel::Person, _, _) => {
            Err(Failure::misuse("--level person: of whose devices? Say --person, and no --site"))
        }
        (_, _, Some(_)) => Err(Failure::misuse("--person goes with --level person")),
        (NoticeLevel::Site, None, _) => Err(Failure::misuse("--level site: of which site? Say --site")),
        (NoticeLevel::HeadOffice, Some(_), _) => {
            Err(Failure::misuse("a head office is told of all sites: leave --site out"))
        }
        _ => Ok((Some(tenant), site, None)),
    }
}

pub async fn list(
    ledger: &Ledger,
    options: &ListRecipientsOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let directory = TenantDirectory::read(ledger).await?;
    let scope = options.scope.find_in(&directory)?;
    let mut recipients = ledger.notice_recipients().await.doing(READ)?;
    if let Some(scope) = scope {
        recipients.retain(|one| {
            one.tenant.as_ref() == Some(&scope.tenant.id)
                && scope.site.is_none_or(|site| one.site.as_ref() == Some(&site.id))
        });
    }
    if options.output.json {
        outln!("{}", recipients.iter().map(|one| describe(one, system.now())).collect::<Value>());
    } else {
        for one in &recipients {
            print_line(one, &options.output, system.now());
        }
    }
    nothing_found(recipients.is_empty(), "nobody is told: tegata notices add")
}

pub async fn remove(
    ledger: &Ledger,
    options: &RecipientOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let mut transaction = ledger.begin(system.now()).await.doing(WRITE)?;
    let actor = SystemContext::operator();
    transaction.remove_notice_recipient(&options.recipient, &actor).await.doing(WRITE)?;
    transaction.commit().await.committed(WRITE)?;
    answer(&options.output, &options.recipient, "removed");
    Ok(())
}

pub async fn pause(
    ledger: &Ledger,
    options: &PauseRecipientOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    if options.until <= system.now() {
        return Err(Failure::misuse("a pause ends in the future: give a later day to --until"));
    }
    let mut transaction = ledger.begin(system.now()).await.doing(WRITE)?;
    let (until, actor) = (Some(options.until), SystemContext::operator());
    transaction
        .pause_notice_recipient(&options.recipient, until, &options.reason, &actor)
        .await
        .doing(WRITE)?;
    transaction.commit().await.committed(WRITE)?;
    answer(&options.output, &options.recipient, "paused");
    Ok(())
}

pub async fn resume(
    ledger: &Ledger,
    options: &RecipientOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let mut transaction = ledger.begin(system.now()).await.doing(WRITE)?;
    let actor = SystemContext::operator();
    transaction.pause_notice_recipient(&options.recipient, None, "", &actor).await.doing(WRITE)?;
    transaction.commit().await.committed(WRITE)?;
    answer(&options.output, &options.recipient, "told again");
    Ok(())
}

pub async fn sender(ledger: &Ledger, options: &SenderOptions, system: &SystemContext) -> Result<(), Failure> {
    let directory = TenantDirectory::read(ledger).await?;
    let tenant = directory.tenant(options.tenant.as_deref())?;
    let name = options.name.as_deref().map(|name| {
        Name::parse(name, LONGEST_SENDER_NAME).map_err(|error| Failure::misuse(format!("{name:?}: {error}")))
    });
    let name = name.transpose()?;
    if name.is_some() || options.clear {
        let mut transaction = ledger.begin(system.now()).await.doing(WRITE)?;
        let actor = SystemContext::operator();
        transaction.set_sender_name(&tenant.id, name.as_ref(), &actor).await.doing(WRITE)?;
        transaction.commit().await.committed(WRITE)?;
    }
    let known = ledger.sender_names().await.doing(READ)?.remove(&tenant.id);
    if options.output.json {
        outln!("{}", json!({"tenant": tenant.id, "sender_name": known}));
    } else {
        outln!("{}  {}", tenant.name, known.as_deref().unwrap_or("(as the installation's)"));
    }
    Ok(())
}

fn answer(output: &OutputFormat, recipient: &RecipientId, done: &str) {
    if output.json {
        outln!("{}", json!({"recipient": recipient}));
    } else {
        outln!("{recipient}  {done}");
    }
}

fn state(one: &NoticeRecipient, now: Timestamp) -> &'static str {
    match (one.bounced_at, one.is_reachable(now)) {
        (Some(_), _) => "bounced",
        (None, false) => "paused",
        (None, true) => "told",
    }
}

fn print_line(one: &NoticeRecipient, output: &OutputFormat, now: Timestamp) {
    if output.json {
        outln!("{}", describe(one, now));
        return;
    }
    let digest = one.digest_hour.map(|hour| format!("  digest at {hour}:00")).unwrap_or_default();
    let bounce = one.bounce.as_deref().map(|why| format!("  {why}")).unwrap_or_default();
    outln!("{}  {:11}  {:7}  {}{digest}{bounce}", one.id, one.level.as_str(), state(one, now), one.address);
}

fn describe(one: &NoticeRecipient, now: Timestamp) -> Value {
    json!({
        "recipient": one.id, "level": one.level, "address": one.address, "tenant": one.tenant, "site": one.site,
        "person": one.person, "language": one.language, "hour": one.notice_hour, "digest_hour": one.digest_hour,
        "state": state(one, now), "paused_until": one.paused_until.map(Timestamp::whole_second),
        "bounced_at": one.bounced_at.map(Timestamp::whole_second), "bounce": one.bounce,
    })
}
