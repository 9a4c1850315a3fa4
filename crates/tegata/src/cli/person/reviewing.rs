//! `tegata person review …` and `person policy`: does everybody still work here?

use super::lookup::{READ, WRITE, find};
use crate::cli::output::{OutputFormat, nothing_found};
use crate::cli::scope::{TenantDirectory, rows};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tegata_installation::{CommittedExt, Failure, FailureContext, SystemContext};
use tegata_storage::{Ledger, PeoplePolicy, PersonReview, ReviewAnswer};

#[derive(Subcommand)]
pub enum ReviewCommand {
    /// The open reviews, with whoever is still to be answered for
    List(ListReviewsOptions),
    /// People still work there
    Confirm(AnswerOptions),
    /// People do not work there any more: the site is taken from them, and who is left without one is disabled
    Remove(AnswerOptions),
}

#[derive(Args)]
pub struct ListReviewsOptions {
    /// Of this tenant alone: name or identifier
    #[arg(long)]
    tenant: Option<String>,
    #[command(flatten)]
    output: OutputFormat,
}

#[derive(Args)]
pub struct AnswerOptions {
    /// Login ID or identifier of a person; once or several times
    #[arg(required = true)]
    people: Vec<String>,
    /// Login ID or identifier of whoever answers: their role decides whether they may, and nobody answers for themselves
    #[arg(long, value_name = "PERSON")]
    by: String,
    /// In the review of this site alone: name or identifier. Without: in all open reviews that wait for the person
    #[arg(long)]
    site: Option<String>,
    /// Name or identifier of the tenant; not needed where there is only one
    #[arg(long)]
    tenant: Option<String>,
    #[command(flatten)]
    output: OutputFormat,
}

#[derive(Args)]
pub struct PeoplePolicyOptions {
    /// Name or identifier of the tenant; not needed where there is only one
    #[arg(long)]
    tenant: Option<String>,
    /// Open a review of each site this many days after the last, or `off`
    #[arg(long, value_name = "DAYS", value_parser = |word: &str| days(word, 7))]
    review_days: Option<DaysOrOff>,
    /// Days to answer a review
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=365))]
    answer_days: Option<u32>,
    /// Suspend an account that nobody has signed in with for this many days, or `off`
    #[arg(long, value_name = "DAYS", value_parser = |word: &str| days(word, 14))]
    suspend_unused_days: Option<DaysOrOff>,
    #[command(flatten)]
    output: OutputFormat,
}

/// A number of days, or nothing at all.
#[derive(Clone, Copy)]
struct DaysOrOff(Option<u32>);

const MOST_DAYS: u32 = 1100;

fn days(word: &str, fewest: u32) -> Result<DaysOrOff, String> {
    if word == "off" {
        return Ok(DaysOrOff(None));
    }
    let days = word.parse().ok().filter(|days| (fewest..=MOST_DAYS).contains(days));
    days.map(|days| DaysOrOff(Some(days))).ok_or_else(|| format!("use {fewest} to {MOST_DAYS} days, or off"))
}

/// Runs a command about reviews.
pub async fn review(ledger: &Ledger, command: &ReviewCommand, system: &SystemContext) -> Result<(), Failure> {
    match command {
        ReviewCommand::List(options) => list(ledger, options, system).await,
        ReviewCommand::Confirm(options) => answer(ReviewAnswer::Confirmed, ledger, options, system).await,
        ReviewCommand::Remove(options) => answer(ReviewAnswer::Removed, ledger, options, system).await,
    }
}

async fn list(ledger: &Ledger, options: &ListReviewsOptions, system: &SystemContext) -> Result<(), Failure> {
    let directory = TenantDirectory::read(ledger).await?;
    let only = options.tenant.as_deref().map(|named| directory.tenant(Some(named))).transpose()?;
    let reviews = rows(ledger, only.map(|tenant| &tenant.id)).open_reviews().await.doing(READ)?;
    let described: Vec<_> = reviews.iter().map(|review| describe(review, system)).collect();
    if options.output.json {
        outln!("{}", Value::Array(described));
        return nothing_found(reviews.is_empty(), NOTHING);
    }
    for review in &reviews {
        let place = review.site_name.as_deref().unwrap_or("(no site)");
        let overdue = if review.due_at <= system.now() { "  OVERDUE" } else { "" };
        outln!("{}  {place}  due {}{overdue}", review.id, review.due_at);
        for person in &review.left {
            let used = person.signed_in_at.map_or_else(|| "never".to_owned(), |at| at.to_string());
            outln!("    {}  {}  {}  last sign-in {used}", person.login, person.name, person.roles);
        }
    }
    nothing_found(reviews.is_empty(), NOTHING)
}

const NOTHING: &str = "no review is open";

fn describe(review: &PersonReview, system: &SystemContext) -> Value {
    let left = review.left.iter().map(|person| {
        json!({
            "person": person.id, "login": person.login, "name": person.name, "roles": person.roles.to_string(),
            "signed_in_at": person.signed_in_at,
        })
    });
    json!({
        "review": review.id, "tenant": review.tenant, "site": review.site, "site_name": review.site_name,
        "opened_at": review.opened_at, "due_at": review.due_at, "overdue": review.due_at <= system.now(),
        "left": left.collect::<Value>(),
    })
}

async fn answer(
    answer: ReviewAnswer,
    ledger: &Ledger,
    options: &AnswerOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let directory = TenantDirectory::read(ledger).await?;
    let tenant = directory.tenant(options.tenant.as_deref())?;
    let site =
        options.site.as_deref().map(|named| directory.site(Some(tenant.id.as_str()), named)).transpose()?;
    let site = site.and_then(|place| place.site.map(|site| site.id.clone()));
    let by = find(ledger, &tenant.id, &options.by).await?;
    let rows = rows(ledger, Some(&tenant.id));
    let reviews = rows.open_reviews().await.doing(READ)?;
    let is_meant = |review: &&PersonReview| site.is_none() || review.site == site;
    let actor = SystemContext::operator();
    let mut transaction = rows.begin(system.now()).await.doing(WRITE)?;
    let mut answered = Vec::new();
    for named in &options.people {
        let person = find(ledger, &tenant.id, named).await?;
        let waiting = reviews
            .iter()
            .filter(is_meant)
            .filter(|review| review.left.iter().any(|left| left.id == person.id));
        let waiting: Vec<_> = waiting.collect();
        if waiting.is_empty() {
            return Err(Failure::wrong(format!("no open review waits for {named:?}; nothing was changed")));
        }
        for review in waiting {
            let effect = transaction.answer_review(&review.id, &person.id, answer, &by.id, &actor).await;
            let effect = effect.doing(WRITE)?.as_str();
            answered.push(
                json!({"review": review.id, "person": person.id, "login": person.login, "effect": effect}),
            );
        }
    }
    transaction.commit().await.committed(WRITE)?;
    if options.output.json {
        outln!("{}", Value::Array(answered));
    } else {
        for one in &answered {
            outln!(
                "{}: {}",
                one["login"].as_str().unwrap_or_default(),
                one["effect"].as_str().unwrap_or_default()
            );
        }
    }
    Ok(())
}

/// Shows how often a tenant looks at its people, and changes it where anything is named.
pub async fn policy(
    ledger: &Ledger,
    options: &PeoplePolicyOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let directory = TenantDirectory::read(ledger).await?;
    let tenant = directory.tenant(options.tenant.as_deref())?;
    let rows = rows(ledger, Some(&tenant.id));
    let before = rows.people_policy(&tenant.id).await.doing(READ)?;
    let policy = PeoplePolicy {
        review_days: options.review_days.map_or(before.review_days, |days| days.0),
        answer_days: options.answer_days.unwrap_or(before.answer_days),
        unused_days: options.suspend_unused_days.map_or(before.unused_days, |days| days.0),
    };
    if policy != before {
        let mut transaction = rows.begin(system.now()).await.doing(WRITE)?;
        transaction.set_people_policy(&tenant.id, &policy, &SystemContext::operator()).await.doing(WRITE)?;
        transaction.commit().await.committed(WRITE)?;
    }
    if options.output.json {
        outln!(
            "{}",
            json!({
                "tenant": tenant.id, "review_days": policy.review_days, "answer_days": policy.answer_days,
                "suspend_unused_days": policy.unused_days,
            })
        );
    } else {
        let shown = |days: Option<u32>| days.map_or_else(|| "off".to_owned(), |days| format!("{days} days"));
        outln!("reviews of people            {}", shown(policy.review_days));
        outln!("time to answer one           {} days", policy.answer_days);
        outln!("suspension of unused ones    {}", shown(policy.unused_days));
    }
    Ok(())
}
