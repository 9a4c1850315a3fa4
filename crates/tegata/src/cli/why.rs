//! `tegata why CODE`: what somebody reads out from a page that refuses them, explained.

use super::installation_args::InstallationArgs;
use super::output::{OutputFormat, nothing_found};
use super::scope::{TenantDirectory, rows};
use serde_json::{Value, json};
use tegata_core::refusal::SpokenCode;
use tegata_core::{Act, Language, Refusal};
use tegata_installation::{Failure, FailureContext, SystemContext};
use tegata_storage::{FoundDevice, FoundPerson, WhyAnswer};

#[derive(clap::Args)]
pub struct WhyOptions {
    /// What the page or the gate shows: the code (C-07), the number of the device (4WD8-D86E), or both
    #[arg(required = true)]
    code: Vec<String>,
    /// Of this tenant alone: name or identifier
    #[arg(long)]
    tenant: Option<String>,
    #[command(flatten)]
    output: OutputFormat,
}

/// Says which rule refuses whom, since when, what to tell them, and what may be done.
pub async fn run(
    place: &InstallationArgs,
    options: &WhyOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let code = SpokenCode::parse(&options.code.join(" "));
    if code == SpokenCode::default() {
        return Err(Failure::misuse(
            "this is no code and no number: codes look like C-07, numbers like 4WD8-D86E",
        ));
    }
    let ledger = place.ledger(system).await?;
    let directory = TenantDirectory::read(&ledger).await?;
    let only = options.tenant.as_deref().map(|named| directory.tenant(Some(named))).transpose()?;
    let scoped = rows(&ledger, only.map(|tenant| &tenant.id));
    let answer = scoped.why(&code, system.now()).await.doing("cannot read the ledger");
    ledger.close().await;
    let answer = answer?;
    if options.output.json {
        outln!("{}", described(&answer));
    } else {
        print(&answer);
    }
    nothing_found(
        answer.devices.is_empty() && answer.refusal.is_none(),
        "no device has this number. The number of a request leads to a line of the log: look for request_id there, on the server or the gate",
    )
}

fn print(answer: &WhyAnswer) {
    for FoundDevice { device, people, seen_at, .. } in &answer.devices {
        let seen = seen_at.map_or_else(|| "never".to_owned(), |seen| seen.to_string());
        let people: Vec<_> = people.iter().map(|person| person.name.as_str()).collect();
        let state = device.effective_state();
        outln!("device    {}  {} {} {}", device.id, device.tenant_name, device.site_name, device.label);
        outln!(
            "          {state}, seen {seen}{}{}",
            if people.is_empty() { "" } else { ", used by " },
            people.join(", ")
        );
    }
    match answer.refusal {
        Some(refusal) => print_rule(answer, refusal),
        None if !answer.devices.is_empty() => outln!("rule      none: the device would be let in now"),
        None => {}
    }
    if let Some(noted) = answer.noted {
        outln!("noted     {} {} at {}", noted.refusal.code(), noted.refusal.title(Language::En), noted.at);
    }
}

fn print_rule(answer: &WhyAnswer, refusal: Refusal) {
    outln!("rule      {} {}", refusal.code(), refusal.title(Language::En));
    if let Some(since) = answer.since {
        outln!("since     {since}");
    }
    for language in [Language::Ja, Language::En] {
        outln!("tell them {}: {}", refusal.title(language), refusal.advice(language));
    }
    let may: Vec<_> = refusal.remedies().iter().map(|act| act.as_str()).collect();
    if !may.is_empty() {
        outln!("may do    {}", may.join(", "));
    }
}

fn described(answer: &WhyAnswer) -> Value {
    let people = |people: &[FoundPerson]| -> Vec<Value> {
        people
            .iter()
            .map(|person| json!({"person": person.id, "name": person.name, "login": person.login}))
            .collect()
    };
    let devices = answer.devices.iter().map(|found| {
        let mut described = super::device::describe(&found.device);
        described["seen_at"] = json!(found.seen_at);
        described["people"] = people(&found.people).into();
        described
    });
    json!({
        "devices": devices.collect::<Vec<_>>(),
        "refusal": answer.refusal.map(|refusal| rule(refusal, answer)),
        "noted": answer.noted.map(|noted| json!({"code": noted.refusal.code(), "at": noted.at})),
        "in_the_log": answer.in_the_log,
    })
}

fn rule(refusal: Refusal, answer: &WhyAnswer) -> Value {
    let words = |language| json!({"title": refusal.title(language), "advice": refusal.advice(language)});
    let may: Vec<_> = refusal.remedies().iter().map(|act: &Act| act.as_str()).collect();
    json!({
        "code": refusal.code(), "since": answer.since, "may_do": may,
        "tell": {"ja": words(Language::Ja), "en": words(Language::En)},
    })
}
