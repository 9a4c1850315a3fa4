//! Invitations for every line of a list.

use super::{Guest, Invited, Terms, check_label, sheet, sites};
use crate::cli::InviteOptions;
use crate::failure::{Doing, Failure};
use crate::machine::Machine;
use serde::{Deserialize, Serialize};
use std::io::{IsTerminal, Write};
use std::path::Path;
use tegata_core::Role;
use tegata_storage::{Ledger, Site};

/// Lines in one transaction: few enough that others get their turn.
const BATCH: usize = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    site: String,
    label: String,
    #[serde(default)]
    role: Option<Role>,
}

/// What became of a line.
#[derive(Serialize)]
struct Report<'a> {
    line: u64,
    #[serde(flatten)]
    outcome: Outcome<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Outcome<'a> {
    Invited(&'a Invited),
    Refused { refused: &'a str },
}

struct Checked {
    number: u64,
    site: usize,
    role: Role,
    label: String,
}

pub async fn run(
    ledger: &Ledger,
    list: &Path,
    terms: &Terms<'_>,
    options: &InviteOptions,
    machine: &Machine,
) -> Result<(), Failure> {
    sheet::check_free(options.sheet.as_deref())?;
    let sites = sites(ledger).await?;
    let (good, wrong) = check(&read(list)?, &sites);
    if !wrong.is_empty() {
        return refuse(&wrong, options.output.json);
    }
    let mut invited = Vec::with_capacity(good.len());
    let what = "cannot write the invitations";
    for batch in good.chunks(BATCH) {
        let mut transaction = ledger.begin(machine.now()).await.doing(what)?;
        let mut written = Vec::with_capacity(batch.len());
        for line in batch {
            let guest = Guest { site: &sites[line.site], role: line.role, label: &line.label };
            written.push(super::write(&mut transaction, &guest, terms, machine).await.doing(what)?);
        }
        transaction.commit().await.doing(what)?;
        invited.append(&mut written);
        progress(invited.len(), good.len());
    }
    if let Some(file) = &options.sheet {
        sheet::write(file, &invited)?;
    }
    report(&good, &invited, options.output.json)
}

fn read(list: &Path) -> Result<Vec<u8>, Failure> {
    let bytes = std::fs::read(list)
        .map_err(|error| Failure::misuse(format!("cannot read {}: {error}", list.display())))?;
    match std::str::from_utf8(&bytes) {
        Ok(_) => Ok(bytes),
        Err(_) => Err(Failure::misuse(format!("{} is not UTF-8: save it as \"CSV UTF-8\"", list.display()))),
    }
}

/// The lines that can be written, and what is wrong with the others.
fn check(bytes: &[u8], sites: &[Site]) -> (Vec<Checked>, Vec<(u64, String)>) {
    // What spreadsheets put before the first column's name.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
    let (mut good, mut wrong) = (Vec::new(), Vec::new());
    let mut records = reader.deserialize::<Line>();
    while let Some(line) = records.next() {
        let number = records.reader().position().line().saturating_sub(1).max(2);
        let checked = line.map_err(|error| plain(&error)).and_then(|line| check_line(line, number, sites));
        match checked {
            Ok(line) => good.push(line),
            Err(detail) => wrong.push((number, detail)),
        }
    }
    if good.is_empty() && wrong.is_empty() {
        wrong.push((1, "the list has no lines below the names of its columns".into()));
    }
    (good, wrong)
}

fn check_line(line: Line, number: u64, sites: &[Site]) -> Result<Checked, String> {
    check_label(&line.label).map_err(|error| error.to_string())?;
    let mut matching =
        sites.iter().enumerate().filter(|(_, site)| site.name == line.site || site.id.as_str() == line.site);
    let site = match (matching.next(), matching.next()) {
        (Some((site, _)), None) => site,
        (None, _) => return Err(format!("there is no site {:?}", line.site)),
        _ => return Err(format!("several sites are called {:?}: use the identifier", line.site)),
    };
    Ok(Checked { number, site, role: line.role.unwrap_or(Role::Device), label: line.label })
}

/// Without the position, which the report names itself.
fn plain(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::Deserialize { err, .. } => err.to_string(),
        _ => error.to_string(),
    }
}

fn refuse(wrong: &[(u64, String)], as_json: bool) -> Result<(), Failure> {
    if as_json {
        let reports: Vec<_> = wrong
            .iter()
            .map(|(line, detail)| Report { line: *line, outcome: Outcome::Refused { refused: detail } })
            .collect();
        println!("{}", serde_json::to_string(&reports).doing("cannot write JSON")?);
    } else {
        for (line, detail) in wrong {
            println!("line {line}  {detail}");
        }
    }
    Err(Failure::wrong(format!("{} lines are wrong: nobody was invited", wrong.len())))
}

fn report(good: &[Checked], invited: &[Invited], as_json: bool) -> Result<(), Failure> {
    if as_json {
        let reports: Vec<_> = good
            .iter()
            .zip(invited)
            .map(|(line, invited)| Report { line: line.number, outcome: Outcome::Invited(invited) })
            .collect();
        println!("{}", serde_json::to_string(&reports).doing("cannot write JSON")?);
        return Ok(());
    }
    let mut writer = csv::Writer::from_writer(std::io::stdout());
    let what = "cannot write the report";
    writer.write_record(["line", "site", "label", "url", "code", "expires_at"]).doing(what)?;
    for (line, invited) in good.iter().zip(invited) {
        let (number, until) = (line.number.to_string(), invited.expires_at.to_string());
        let code = invited.code.as_deref().unwrap_or_default();
        writer
            .write_record([&number, &invited.site, &invited.label, &invited.link, code, &until])
            .doing(what)?;
    }
    writer.flush().doing(what)
}

/// A bar where somebody watches, a line now and then where nobody does.
fn progress(done: usize, all: usize) {
    let mut error = std::io::stderr();
    if error.is_terminal() {
        let filled = done * 40 / all;
        let end = if done == all { "\n" } else { "" };
        let _ = write!(error, "\r[{:<40}] {done}/{all}{end}", "#".repeat(filled));
        let _ = error.flush();
    } else if done == all || done.is_multiple_of(1000) {
        let _ = writeln!(error, "{done} of {all} invited");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tegata_core::entropy::Seeded;
    use tegata_core::{SiteId, TenantId};

    fn sites() -> Vec<Site> {
        let entropy = Seeded::new(1);
        let site = |name: &str| Site {
            id: SiteId::random(&entropy),
            tenant: TenantId::random(&entropy),
            name: name.into(),
        };
        vec![site("本店"), site("駅前店"), site("駅前店")]
    }

    #[test]
    fn each_wrong_line_is_named_by_its_number_and_its_reason() {
        let list = "\u{feff}site,label\n本店,レジ1\n\n北店,レジ1\n駅前店,レジ1\n本店,\n本店,a,b\n";
        let (good, wrong) = check(list.as_bytes(), &sites());
        assert_eq!(good.iter().map(|line| line.number).collect::<Vec<_>>(), [2]);
        let numbers: Vec<_> = wrong.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, [4, 5, 6, 7], "{wrong:?}");
        assert!(wrong[0].1.contains("北店") && wrong[1].1.contains("identifier"), "{wrong:?}");
    }

    #[test]
    fn a_site_is_found_by_its_identifier_and_a_gate_by_its_role() {
        let sites = sites();
        let list = format!("site,label,role\n{},gate-1,gate\n{},\"a,b\",\n", sites[2].id, sites[1].id);
        let (good, wrong) = check(list.as_bytes(), &sites);
        assert!(wrong.is_empty(), "{wrong:?}");
        assert_eq!((good[0].site, good[0].role), (2, Role::Gate));
        assert_eq!((good[1].label.as_str(), good[1].role), ("a,b", Role::Device));
    }

    #[test]
    fn an_empty_list_is_wrong() {
        for list in ["", "site,label\n"] {
            assert_eq!(check(list.as_bytes(), &sites()).1.len(), 1, "{list:?}");
        }
    }
}
