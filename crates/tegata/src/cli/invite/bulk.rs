//! Invitations for every line of a list.

use super::options::InviteOptions;
use super::sheet;
use super::writing::{InvitationHolder, InvitationOutput, InvitationTerms, write};
use crate::cli::progress::TerminalProgress;
use crate::printing;
use serde::Serialize;
use std::path::Path;
use tegata_admin::Progress;
use tegata_core::spreadsheet::neutralized;
use tegata_installation::{CommittedExt, Failure, FailureContext, SystemContext};
use tegata_storage::Ledger;
use tegata_web::{InvitableLine, RefusedLine, lines_of_csv};

/// Lines in one transaction: few enough that others get their turn.
const BATCH: usize = 100;

/// What became of a line.
#[derive(Serialize)]
struct InviteLineReport<'a> {
    line: u32,
    #[serde(flatten)]
    outcome: InviteLineOutcome<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum InviteLineOutcome<'a> {
    Invited(&'a InvitationOutput),
    Refused { refused: &'a str, code: &'static str },
}

pub async fn run(
    ledger: &Ledger,
    list: &Path,
    terms: &InvitationTerms<'_>,
    options: &InviteOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    sheet::check_free(options.sheet.as_deref())?;
    let (rows, sites) = options.sites(ledger).await?;
    let lines = lines_of_csv(&read(list)?, None, &sites);
    let lines = lines.map_err(|why| Failure::misuse(format!("{}: {why}", list.display())))?;
    let good = check(lines, options.output.json)?;
    let mut invited = Vec::with_capacity(good.len());
    let what = "cannot write the invitations";
    let mut progress = TerminalProgress::new();
    for batch in good.chunks(BATCH) {
        let mut transaction = rows.begin(system.now()).await.doing(what)?;
        let mut written = Vec::with_capacity(batch.len());
        for line in batch {
            let holder = InvitationHolder { site: &sites[line.site], role: line.role, label: &line.label };
            written.push(write(&mut transaction, &holder, terms, system).await.doing(what)?);
        }
        transaction.commit().await.committed(what)?;
        invited.append(&mut written);
        progress.at("invited", invited.len() as u64, good.len() as u64);
    }
    drop(progress);
    if let Some(file) = &options.sheet {
        sheet::write(&rows, terms.contact, file, &invited).await?;
    }
    report(&good, &invited, options.output.json)
}

fn read(list: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(list).map_err(|error| Failure::misuse(format!("cannot read {}: {error}", list.display())))
}

/// All lines, provided that none is wrong: somebody sits here who can put them right.
fn check(
    judged: Vec<Result<InvitableLine, RefusedLine>>,
    as_json: bool,
) -> Result<Vec<InvitableLine>, Failure> {
    if judged.is_empty() {
        return Err(Failure::wrong("the list has no lines below the names of its columns"));
    }
    let (good, wrong): (Vec<_>, Vec<_>) = judged.into_iter().partition(Result::is_ok);
    let wrong: Vec<_> = wrong.into_iter().filter_map(Result::err).collect();
    if wrong.is_empty() {
        return Ok(good.into_iter().flatten().collect());
    }
    refuse(&wrong, as_json)?;
    Err(Failure::wrong(format!("{} lines are wrong: nobody was invited", wrong.len())))
}

fn refuse(wrong: &[RefusedLine], as_json: bool) -> Result<(), Failure> {
    if as_json {
        let report = |line: &RefusedLine| {
            let outcome = InviteLineOutcome::Refused { refused: &line.detail, code: line.refusal.code() };
            serde_json::to_value(InviteLineReport { line: line.number, outcome })
        };
        let reports: Vec<_> =
            wrong.iter().map(report).collect::<Result<_, _>>().doing("cannot write JSON")?;
        outln!("{}", serde_json::Value::from(reports));
        return Ok(());
    }
    for RefusedLine { number, refusal, detail, .. } in wrong {
        outln!("line {number}  {}  {detail}", refusal.code());
    }
    Ok(())
}

fn report(good: &[InvitableLine], invited: &[InvitationOutput], as_json: bool) -> Result<(), Failure> {
    if as_json {
        let reports: Vec<_> = good
            .iter()
            .zip(invited)
            .map(|(line, invited)| InviteLineReport {
                line: line.number,
                outcome: InviteLineOutcome::Invited(invited),
            })
            .collect();
        outln!("{}", serde_json::to_string(&reports).doing("cannot write JSON")?);
        return Ok(());
    }
    let mut writer = csv::Writer::from_writer(Vec::new());
    let what = "cannot write the report";
    writer.write_record(["line", "site", "label", "url", "code", "expires_at"]).doing(what)?;
    for (line, invited) in good.iter().zip(invited) {
        let (number, until) = (line.number.to_string(), invited.expires_at.to_string());
        let code = invited.code.as_deref().unwrap_or_default();
        let (site, label) = (neutralized(&invited.site), neutralized(&invited.label));
        writer.write_record([&number, &*site, &*label, &invited.link, code, &until]).doing(what)?;
    }
    let table = writer.into_inner().map_err(|error| Failure::wrong(error.error()))?;
    printing::copy(&mut table.as_slice());
    Ok(())
}
