//! Lists of invitations, as a spreadsheet or a program writes them.

use crate::table::{ParsedTable, UnreadableTable};
use serde::Deserialize;
use serde_json::Value;
use tegata_core::name::{NotOne, position_of};
use tegata_core::{Name, NotAName, Refusal, Role};
use tegata_storage::Site;

/// A line that can be invited by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InvitableLine {
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
pub struct RefusedLine {
    /// The number of the line, counted as in [`InvitableLine`].
    pub number: u32,
    /// Why, with what to do about it.
    pub refusal: Refusal,
    /// The character because of which a label is refused.
    pub hidden: Option<char>,
    /// What exactly is wrong, for whoever wrote the list. It may repeat what was written there.
    pub detail: String,
}

impl RefusedLine {
    fn unfit(number: u32, unfit: NotAName) -> Self {
        let hidden = if let NotAName::Hidden(character) = unfit { Some(character) } else { None };
        Self { number, refusal: Refusal::LabelUnfit, hidden, detail: unfit.to_string() }
    }
}

/// Every line of a list, judged.
pub type JudgedLine = Result<InvitableLine, RefusedLine>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListLine {
    site: String,
    label: String,
    #[serde(default)]
    role: Option<Role>,
}

/// The columns of a list; a line without a role is for a device.
const COLUMNS: &[&str] = &["site", "label", "role"];
const NEEDED: usize = 2;

/// The lines of a CSV file with the columns `site`, `label` and, if need be, `role`, in the charset that its sender names.
///
/// # Errors
/// [`UnreadableTable`] when nothing of it can be used.
pub fn lines_of_csv(
    bytes: &[u8],
    charset: Option<&str>,
    sites: &[Site],
) -> Result<Vec<JudgedLine>, UnreadableTable> {
    let records = ParsedTable::read(bytes, charset)?.records::<ListLine>(COLUMNS, NEEDED)?;
    let judged = records.into_iter().map(|(number, line)| match line {
        Ok(line) => judge(&line, number, sites),
        Err(detail) => Err(malformed(number, detail)),
    });
    Ok(judged.collect())
}

/// The elements of a JSON array, each an object with `site`, `label` and, if need be, `role`.
pub fn lines_of_json(array: Vec<Value>, sites: &[Site]) -> Vec<JudgedLine> {
    let numbered = (1..).zip(array);
    let judged = numbered.map(|(number, line)| match serde_json::from_value::<ListLine>(line) {
        Ok(line) => judge(&line, number, sites),
        Err(error) => Err(malformed(number, error.to_string())),
    });
    judged.collect()
}

fn judge(line: &ListLine, number: u32, sites: &[Site]) -> JudgedLine {
    let label = match Name::label(&line.label) {
        Ok(label) => label.into(),
        Err(unfit) => return Err(RefusedLine::unfit(number, unfit)),
    };
    match site_called(sites, &line.site) {
        Ok(site) => Ok(InvitableLine { number, site, role: line.role.unwrap_or(Role::Device), label }),
        Err(detail) => {
            let refusal = Refusal::LineSiteUnknown;
            Err(RefusedLine { number, refusal, hidden: None, detail })
        }
    }
}

/// The one site of this identifier or name.
fn site_called(sites: &[Site], wanted: &str) -> Result<usize, String> {
    position_of(sites, wanted, |site| (site.id.as_str(), &site.name)).map_err(|why| match why {
        NotOne::None => format!("there is no site {wanted:?}"),
        NotOne::Several => format!("several sites are called {wanted:?}: use the identifier"),
    })
}

fn malformed(number: u32, detail: String) -> RefusedLine {
    RefusedLine { number, refusal: Refusal::LineMalformed, hidden: None, detail }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;
    use tegata_core::entropy::Seeded;
    use tegata_core::{SiteId, TenantId};

    fn sites() -> Vec<Site> {
        let entropy = Seeded::new(1);
        let tenant = TenantId::random(&entropy);
        let site =
            |name: &str| Site { id: SiteId::random(&entropy), tenant: tenant.clone(), name: name.into() };
        vec![site("本店"), site("駅前店"), site("駅前店")]
    }

    fn csv(list: &str, sites: &[Site]) -> Vec<JudgedLine> {
        lines_of_csv(list.as_bytes(), None, sites).unwrap()
    }

    fn wrong(lines: &[JudgedLine]) -> Vec<(u32, Refusal, &str)> {
        let wrong = lines.iter().filter_map(|line| line.as_ref().err());
        wrong.map(|line| (line.number, line.refusal, line.detail.as_str())).collect()
    }

    #[test]
    fn each_wrong_line_is_reported_by_number_and_reason_and_stops_no_other() {
        let list =
            "\u{feff}site,label\n本店,レジ1\n\n北店,レジ1\n駅前店,レジ1\n本店,\n本店,a,b\n本店,レジ2\n";
        let lines = csv(list, &sites());
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
        let lines: Vec<_> = csv(&list, &sites).into_iter().map(Result::unwrap).collect();
        assert_eq!((lines[0].site, lines[0].role), (2, Role::Gate));
        assert_eq!((lines[1].label.as_str(), lines[1].role), ("a,b", Role::Device));
    }

    #[test]
    fn a_site_is_found_in_any_width_and_a_hidden_character_is_named() {
        let entropy = Seeded::new(1);
        let tenant = TenantId::random(&entropy);
        let sites = [Site { id: SiteId::random(&entropy), tenant, name: "ドラッグ 1号店".into() }];
        let lines = csv("site,label\nﾄﾞﾗｯｸﾞ１号店,か\u{3099}ん\nドラッグ1号店,a\u{202e}b\n", &sites);
        assert_eq!(lines[0].as_ref().unwrap().label, "がん");
        let hidden = lines[1].as_ref().unwrap_err();
        assert_eq!((hidden.refusal, hidden.hidden), (Refusal::LabelUnfit, Some('\u{202e}')));
        assert!(hidden.detail.contains("U+202E"), "{hidden:?}");
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
            assert!(csv(list, &sites()).is_empty(), "{list:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_sent_each_line_is_judged_once_and_in_order(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let bytes = [b"site,label\n", &bytes[..]].concat();
            let sites = sites();
            let lines = lines_of_csv(&bytes, None, &sites).unwrap_or_default();
            let mut last = 0;
            for line in lines {
                let number = line.as_ref().map_or_else(|wrong| wrong.number, |line| line.number);
                prop_assert!(number > last);
                last = number;
                if let Ok(line) = line {
                    prop_assert!(line.site < sites.len() && Name::label(&line.label).is_ok());
                }
            }
        }
    }
}
