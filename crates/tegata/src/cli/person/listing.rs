//! `tegata person import` and `export`: people as a table.

use super::lookup::{READ, WRITE};
use crate::cli::installation_args::InstallationArgs;
use crate::cli::output::{OutputFormat, nothing_found};
use crate::cli::scope::{TenantDirectory, rows};
use crate::cli::tenant::sign_in_provider;
use crate::printing;
use clap::Args;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tegata_core::spreadsheet::neutralized;
use tegata_core::{Language, PersonId, TenantId};
use tegata_identity::{
    LIST_COLUMNS, LIST_NEEDED, LineReport, ListOutcome, ListPlace, ListTerms, ListedPerson, MissingPeople,
    PeopleListPlan,
};
use tegata_installation::{Failure, FailureContext, SystemContext};
use tegata_storage::{DirectorySite, Ledger, Person};
use tegata_web::ParsedTable;

/// The largest file that is read, in bytes.
const LARGEST: u64 = 8 * 1024 * 1024;

/// The most lines of a list.
const MOST: usize = 20_000;

const DAY: Duration = Duration::from_hours(24);

#[derive(Args)]
pub struct ImportPeopleOptions {
    /// CSV whose first line names its columns: `login`, and `name`, `roles`, `sites`, `external_key`, `state`, `provider_subject`, `password_hash` as needed
    file: PathBuf,
    /// Name or identifier of the tenant; not needed where there is only one
    #[arg(long)]
    tenant: Option<String>,
    /// Only say what would become of each line
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    missing: MissingOptions,
    /// Make no setup links for new people
    #[arg(long)]
    no_links: bool,
    /// Days for which setup links work
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=30))]
    days: u32,
    /// Language of the reasons in the report: ja or en
    #[arg(long, value_name = "LANG", default_value = "en", value_parser = language)]
    lang: Language,
    #[command(flatten)]
    output: OutputFormat,
}

#[derive(Args)]
struct MissingOptions {
    /// Disable the tenant's own people whom no line names
    #[arg(long)]
    disable_missing: bool,
    /// Disable no more than this share of them without --yes
    #[arg(long, value_name = "PERCENT", default_value_t = 10, requires = "disable_missing", value_parser = clap::value_parser!(u32).range(0..=100))]
    at_most: u32,
    /// Disable them however many there are
    #[arg(long, requires = "disable_missing")]
    yes: bool,
}

/// A line with its number, or what is wrong with it.
type ReadLine = (u32, Result<ListedPerson, String>);

#[derive(Args)]
pub struct ExportPeopleOptions {
    /// Name or identifier of the tenant; not needed where there is only one
    #[arg(long)]
    tenant: Option<String>,
    #[command(flatten)]
    output: OutputFormat,
}

fn language(word: &str) -> Result<Language, String> {
    Language::parse(word).ok_or_else(|| "use ja or en".to_owned())
}

/// Compares a list with the people of a tenant, and does what differs.
pub async fn import(
    place: &InstallationArgs,
    ledger: &Ledger,
    options: &ImportPeopleOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let lines = read_list(&options.file)?;
    let directory = TenantDirectory::read(ledger).await?;
    let tenant = directory.tenant(options.tenant.as_deref())?;
    let rows = rows(ledger, Some(&tenant.id));
    let entropy = system.entropy.as_ref();
    let config = place.config()?;
    let provider = sign_in_provider(&config, tenant).map(|provider| provider.issuer.as_str());
    let of = ListPlace { tenant: &tenant.id, provider };
    let plan = PeopleListPlan::make(&rows, of, lines, options.lang, entropy).await.doing(READ)?;
    options.check_missing(&plan.missing)?;
    let actor = SystemContext::operator();
    let terms = ListTerms {
        performs: !options.dry_run,
        disables_missing: options.missing.disable_missing,
        setup_until: (!options.no_links).then(|| system.now().plus(DAY * options.days)),
        actor: &actor,
    };
    let reports = plan.work_off(&rows, &terms, system.clock.as_ref(), entropy).await.doing(WRITE)?;
    options.report(&reports, &super::adding::portal(&config))
}

fn read_list(file: &Path) -> Result<Vec<ReadLine>, Failure> {
    let name = file.display();
    let unreadable = |error| Failure::misuse(format!("cannot read {name}: {error}"));
    let size = std::fs::metadata(file).map_err(unreadable)?.len();
    if size > LARGEST {
        return Err(Failure::misuse(format!("{name} has more than 8 MiB: divide it")));
    }
    let bytes = std::fs::read(file).map_err(unreadable)?;
    let table = ParsedTable::read(&bytes, None).and_then(|table| table.records(LIST_COLUMNS, LIST_NEEDED));
    let lines = table.map_err(|why| Failure::misuse(format!("{name}: {why}")))?;
    match lines.len() {
        0 => Err(Failure::wrong("the list has no lines below the names of its columns")),
        1..=MOST => Ok(lines),
        _ => Err(Failure::misuse(format!("{name} has more than {MOST} lines: divide it"))),
    }
}

impl ImportPeopleOptions {
    /// Nobody is disabled because half of a list was lost on its way.
    fn check_missing(&self, missing: &MissingPeople) -> Result<(), Failure> {
        if !self.missing.disable_missing {
            return Ok(());
        }
        if missing.is_unknown {
            return Err(Failure::wrong(
                "a line cannot be read, so that nobody knows whom the list does not name: mend it, or leave \
                 --disable-missing out; nothing was changed",
            ));
        }
        if missing.exceeds(self.missing.at_most) && !self.missing.yes && !self.dry_run {
            let (count, of, most) = (missing.count(), missing.of, self.missing.at_most);
            return Err(Failure::misuse(format!(
                "the list does not name {count} of {of} people, which is more than {most} %: look at --dry-run, and say --yes \
                 if it is meant; nothing was changed"
            )));
        }
        Ok(())
    }

    fn report(&self, reports: &[LineReport], portal: &str) -> Result<(), Failure> {
        let count = |word: &str| reports.iter().filter(|report| report.outcome.as_str() == word).count();
        let refused = count("refused");
        if self.output.json {
            let lines: Vec<_> = reports.iter().map(|report| self.described(report, portal)).collect();
            outln!(
                "{}",
                json!({
                    "performed": !self.dry_run, "created": count("created"), "changed": count("changed"),
                    "unchanged": count("unchanged"), "disabled": count("disabled"), "refused": refused, "lines": lines,
                })
            );
        } else {
            for report in reports.iter().filter(|report| report.outcome != ListOutcome::Unchanged) {
                self.print(report, portal);
            }
            let would = if self.dry_run { "would be " } else { "" };
            outln!(
                "{} {would}created, {} {would}changed, {} unchanged, {} {would}disabled, {refused} refused",
                count("created"),
                count("changed"),
                count("unchanged"),
                count("disabled")
            );
        }
        match refused {
            0 => Ok(()),
            _ => Err(Failure::wrong(format!("{refused} lines were refused"))),
        }
    }

    fn described(&self, report: &LineReport, portal: &str) -> Value {
        let mut described = json!({
            "line": report.line, "login": report.login, "person": report.person, "outcome": report.outcome.as_str(),
            "changes": report.changes,
        });
        if let ListOutcome::Refused { refusal, detail } = &report.outcome {
            described["code"] = refusal.code().into();
            described["reason"] = refusal.title(self.lang).into();
            described["advice"] = refusal.advice(self.lang).into();
            described["detail"] = json!(detail);
        }
        if let Some(code) = &report.setup {
            described["setup"] = code.link(portal).as_str().into();
        }
        described
    }

    fn print(&self, report: &LineReport, portal: &str) {
        let line = report.line.map_or_else(|| "-".to_owned(), |line| line.to_string());
        let what = match &report.outcome {
            ListOutcome::Refused { refusal, detail } => {
                let detail = detail.as_deref().map_or_else(String::new, |detail| format!(" ({detail})"));
                format!("{} {}{detail}", refusal.code(), refusal.title(self.lang))
            }
            _ => match &report.setup {
                Some(code) => code.link(portal).to_string(),
                None => report.changes.join(", "),
            },
        };
        outln!("line {line}  {:9}  {}  {what}", report.outcome.as_str(), report.login);
    }
}

/// Writes the people of a tenant as a table that `import` reads: given again as it is, it changes nothing.
pub async fn export(
    place: &InstallationArgs,
    ledger: &Ledger,
    options: &ExportPeopleOptions,
) -> Result<(), Failure> {
    let directory = TenantDirectory::read(ledger).await?;
    let of = directory.tenant(options.tenant.as_deref())?;
    let (tenant, rows) = (&of.id, rows(ledger, Some(&of.id)));
    let config = place.config()?;
    let linked: HashMap<_, _> = match sign_in_provider(&config, of) {
        Some(provider) => rows.links_with(&provider.issuer).await.doing(READ)?.into_iter().collect(),
        None => HashMap::new(),
    };
    let sites = SiteWords::of(&rows.directory_sites(tenant).await.doing(READ)?);
    let mut people = rows.people().await.doing(READ)?;
    people.retain(|person| person.break_glass.is_none());
    if options.output.json {
        let described = people.iter().map(|person| described(person, &sites, &linked, tenant));
        outln!("{}", described.collect::<Value>());
    } else {
        write_table(&people, &sites, &linked)?;
    }
    nothing_found(people.is_empty(), "there is nobody yet: tegata person add")
}

/// With the mark by which Excel knows UTF-8.
fn write_table(people: &[Person], sites: &SiteWords, linked: &LinkedPeople) -> Result<(), Failure> {
    let what = "cannot write the table";
    let mut writer = csv::Writer::from_writer("\u{feff}".as_bytes().to_vec());
    writer.write_record(&LIST_COLUMNS[..LIST_COLUMNS.len() - 1]).doing(what)?;
    for person in people {
        let cells = [
            person.login.clone(),
            person.name.clone(),
            person.roles.to_string().replace(' ', ";"),
            sites.cell(person),
            person.external_key.as_ref().map_or_else(String::new, |key| key.as_str().to_owned()),
            person.state.as_str().to_owned(),
            linked.get(&person.id).cloned().unwrap_or_default(),
        ];
        writer.write_record(cells.iter().map(|cell| neutralized(cell).into_owned())).doing(what)?;
    }
    let table = writer.into_inner().map_err(|error| Failure::wrong(error.error()))?;
    printing::copy(&mut table.as_slice());
    Ok(())
}

fn described(person: &Person, sites: &SiteWords, linked: &LinkedPeople, tenant: &TenantId) -> Value {
    json!({
        "tenant": tenant, "person": person.id, "login": person.login, "name": person.name,
        "roles": person.roles.to_string().replace(' ', ";"), "sites": sites.cell(person),
        "external_key": person.external_key.as_ref().map(tegata_core::ExternalKey::as_str),
        "state": person.state.as_str(), "provider_subject": linked.get(&person.id),
    })
}

/// What the tenant's provider calls people.
type LinkedPeople = HashMap<PersonId, String>;

/// What names a site in a list: its name, unless another has it or it cannot stand there.
struct SiteWords(HashMap<String, String>);

impl SiteWords {
    fn of(sites: &[DirectorySite]) -> Self {
        let word = |site: &DirectorySite| {
            let is_same = |other: &&DirectorySite| tegata_core::name::is_same(&other.name, &site.name);
            let is_one = sites.iter().filter(is_same).count() == 1;
            if is_one && !site.name.contains([';', '；']) { site.name.clone() } else { site.id.to_string() }
        };
        Self(sites.iter().map(|site| (site.id.to_string(), word(site))).collect())
    }

    fn cell(&self, person: &Person) -> String {
        let words = person.sites.iter().filter_map(|site| self.0.get(site.id.as_str()));
        words.map(String::as_str).collect::<Vec<_>>().join(";")
    }
}
