//! Lists of invitations, as a spreadsheet or a program writes them.

use crate::label::is_label;
use serde::Deserialize;
use serde_json::Value;
use tegata_core::{Refusal, Role, SiteId};
use tegata_storage::Site;

/// A line that can be invited by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GuestLine {
    /// Its place in what was sent: the line of a file, or the element of an array, from 1.
    pub number: u32,
    /// Which of the sites that were looked through.
    pub site: usize,
    /// A device, or a gate.
    pub role: Role,
    /// What it is called.
    pub label: String,
}

/// A line by which nobody is invited.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WrongLine {
    /// As in [`GuestLine`].
    pub number: u32,
    /// Why, with what to do about it.
    pub refusal: Refusal,
    /// What exactly is wrong, for whoever wrote the list. It may repeat what was written there.
    pub detail: String,
}

/// Every line of a list, judged.
pub type JudgedLine = Result<GuestLine, WrongLine>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    site: String,
    label: String,
    #[serde(default)]
    role: Option<Role>,
}

/// The lines of a CSV file with the columns `site`, `label` and, if need be, `role`.
pub fn lines_of_csv(bytes: &[u8], sites: &[Site]) -> Vec<JudgedLine> {
    // What spreadsheets put before the first column's name.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
    let (mut judged, mut last) = (Vec::new(), 0);
    let mut records = reader.deserialize::<Line>();
    while let Some(line) = records.next() {
        let number = records.reader().position().line().saturating_sub(1).max(2);
        // Where lines end in a way that is not counted, each has a number of its own all the same.
        let number = u32::try_from(number).unwrap_or(u32::MAX).max(last + 1);
        last = number;
        judged.push(match line {
            Ok(line) => judge(line, number, sites),
            Err(error) => Err(malformed(number, plain(&error))),
        });
    }
    judged
}

/// The elements of a JSON array, each an object with `site`, `label` and, if need be, `role`.
pub fn lines_of_json(array: Vec<Value>, sites: &[Site]) -> Vec<JudgedLine> {
    let numbered = (1..).zip(array);
    let judged = numbered.map(|(number, line)| match serde_json::from_value::<Line>(line) {
        Ok(line) => judge(line, number, sites),
        Err(error) => Err(malformed(number, error.to_string())),
    });
    judged.collect()
}

fn judge(line: Line, number: u32, sites: &[Site]) -> JudgedLine {
    let wrong = |refusal, detail| Err(WrongLine { number, refusal, detail });
    if !is_label(&line.label) {
        return wrong(
            Refusal::LabelUnfit,
            "a label has 1 to 64 characters and no control characters".to_owned(),
        );
    }
    let named = |site: &Site| site.id.as_str() == line.site || site.name == line.site;
    let mut matching = sites.iter().enumerate().filter(|(_, site)| named(site));
    match (matching.next(), matching.next()) {
        (Some((site, _)), None) => {
            Ok(GuestLine { number, site, role: line.role.unwrap_or(Role::Device), label: line.label })
        }
        (None, _) => wrong(Refusal::LineSiteUnknown, format!("there is no site {:?}", line.site)),
        // A name that is some other site's identifier is no way to that site.
        (Some(_), Some(_)) => match identified(sites, &line.site) {
            Some(site) => {
                Ok(GuestLine { number, site, role: line.role.unwrap_or(Role::Device), label: line.label })
            }
            None => wrong(
                Refusal::LineSiteUnknown,
                format!("several sites are called {:?}: use the identifier", line.site),
            ),
        },
    }
}

fn identified(sites: &[Site], text: &str) -> Option<usize> {
    let id = SiteId::parse(text)?;
    sites.iter().position(|site| site.id == id)
}

fn malformed(number: u32, detail: String) -> WrongLine {
    WrongLine { number, refusal: Refusal::LineMalformed, detail }
}

/// Without the position, which the report names itself.
fn plain(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::Deserialize { err, .. } => err.to_string(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;
    use tegata_core::TenantId;
    use tegata_core::entropy::Seeded;

    fn sites() -> Vec<Site> {
        let entropy = Seeded::new(1);
        let tenant = TenantId::random(&entropy);
        let site =
            |name: &str| Site { id: SiteId::random(&entropy), tenant: tenant.clone(), name: name.into() };
        vec![site("本店"), site("駅前店"), site("駅前店")]
    }

    fn wrong(lines: &[JudgedLine]) -> Vec<(u32, Refusal, &str)> {
        let wrong = lines.iter().filter_map(|line| line.as_ref().err());
        wrong.map(|line| (line.number, line.refusal, line.detail.as_str())).collect()
    }

    #[test]
    fn each_wrong_line_is_named_by_its_number_and_its_reason_and_stops_no_other() {
        let list =
            "\u{feff}site,label\n本店,レジ1\n\n北店,レジ1\n駅前店,レジ1\n本店,\n本店,a,b\n本店,レジ2\n";
        let lines = lines_of_csv(list.as_bytes(), &sites());
        let good: Vec<_> =
            lines.iter().filter_map(|line| line.as_ref().ok()).map(|line| line.number).collect();
        assert_eq!(good, [2, 8]);
        let wrong = wrong(&lines);
        let numbers: Vec<_> = wrong.iter().map(|(number, ..)| *number).collect();
        assert_eq!(numbers, [4, 5, 6, 7], "{wrong:?}");
        assert!(wrong[0].2.contains("北店") && wrong[1].2.contains("identifier"), "{wrong:?}");
        assert_eq!(wrong[2].1, Refusal::LabelUnfit);
        assert_eq!(wrong[3].1, Refusal::LineMalformed);
    }

    #[test]
    fn a_site_is_found_by_its_identifier_and_a_gate_by_its_role() {
        let sites = sites();
        let list = format!("site,label,role\n{},gate-1,gate\n{},\"a,b\",\n", sites[2].id, sites[1].id);
        let lines: Vec<_> = lines_of_csv(list.as_bytes(), &sites).into_iter().map(Result::unwrap).collect();
        assert_eq!((lines[0].site, lines[0].role), (2, Role::Gate));
        assert_eq!((lines[1].label.as_str(), lines[1].role), ("a,b", Role::Device));
    }

    #[test]
    fn elements_of_an_array_are_judged_one_by_one() {
        let array = vec![
            json!({"site": "本店", "label": "レジ"}),
            json!({"site": "本店"}),
            json!("本店"),
            json!({"site": "本店", "label": "レジ", "price": 1}),
            json!({"site": "本店", "label": "レジ 2", "role": "gate"}),
        ];
        let lines = lines_of_json(array, &sites());
        assert_eq!(wrong(&lines).iter().map(|(number, ..)| *number).collect::<Vec<_>>(), [2, 3, 4]);
        assert_eq!(lines[4].as_ref().unwrap().role, Role::Gate);
    }

    #[test]
    fn a_list_without_lines_has_none() {
        for list in ["", "site,label\n"] {
            assert!(lines_of_csv(list.as_bytes(), &sites()).is_empty(), "{list:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_sent_each_line_is_judged_once_and_in_order(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let sites = sites();
            let lines = lines_of_csv(&bytes, &sites);
            let mut last = 0;
            for line in lines {
                let number = line.as_ref().map_or_else(|wrong| wrong.number, |line| line.number);
                prop_assert!(number > last);
                last = number;
                if let Ok(line) = line {
                    prop_assert!(line.site < sites.len() && is_label(&line.label));
                }
            }
        }
    }
}
