use super::plan::KnownPlaces;
use super::*;
use tegata_core::entropy::Seeded;

const PRODUCTS: [&str; 2] = ["https://rezept.example.jp", "https://stock.example.jp"];

fn line(cells: [&str; 5]) -> ListedContract {
    let written = |cell: &str| (!cell.is_empty()).then(|| cell.to_owned());
    ListedContract {
        tenant_key: cells[0].into(),
        tenant: cells[1].into(),
        site_key: written(cells[2]),
        site: written(cells[3]),
        products: written(cells[4]),
    }
}

/// A register, and what the ledger has of it after each list.
struct Register {
    tenants: Vec<(Tenant, Option<ExternalKey>)>,
    sites: Vec<(Site, Option<ExternalKey>)>,
    licenses: Vec<License>,
    entropy: Seeded,
}

impl Register {
    fn new() -> Self {
        Self { tenants: vec![], sites: vec![], licenses: vec![], entropy: Seeded::new(1) }
    }

    fn plan(&self, lines: &[[&str; 5]]) -> ContractPlan {
        let keyed = |(tenant, key): &(Tenant, Option<ExternalKey>)| Some((tenant.id.clone(), key.clone()?));
        let keyed_site = |(site, key): &(Site, Option<ExternalKey>)| Some((site.id.clone(), key.clone()?));
        let known = KnownPlaces::new(
            (
                self.tenants.iter().map(|(tenant, _)| tenant.clone()).collect(),
                self.tenants.iter().filter_map(keyed).collect(),
            ),
            (
                self.sites.iter().map(|(site, _)| site.clone()).collect(),
                self.sites.iter().filter_map(keyed_site).collect(),
            ),
            self.licenses.iter().cloned(),
        );
        let lines = (2..).zip(lines).map(|(number, cells)| (number, Ok(line(*cells)))).collect();
        known.plan(lines, &PRODUCTS.map(str::to_owned), &self.entropy)
    }

    /// Does what the ledger does with each change.
    fn give(&mut self, lines: &[[&str; 5]]) -> Vec<String> {
        let plan = self.plan(lines);
        for change in plan.lines.iter().filter_map(|line| line.outcome.as_ref().ok()).flatten() {
            match change.clone() {
                ContractChange::AddTenant(tenant, key) => self.tenants.push((tenant, Some(key))),
                ContractChange::LinkTenant(id, key) => {
                    self.tenants.iter_mut().find(|(tenant, _)| tenant.id == id).unwrap().1 = Some(key);
                }
                ContractChange::RenameTenant(id, name) => {
                    self.tenants.iter_mut().find(|(tenant, _)| tenant.id == id).unwrap().0.name = name.into();
                }
                ContractChange::AddSite(site, key) => self.sites.push((site, Some(key))),
                ContractChange::LinkSite(id, key) => {
                    self.sites.iter_mut().find(|(site, _)| site.id == id).unwrap().1 = Some(key);
                }
                ContractChange::RenameSite(id, name) => {
                    self.sites.iter_mut().find(|(site, _)| site.id == id).unwrap().0.name = name.into();
                }
                ContractChange::Grant(license) => self.licenses.push(license),
                ContractChange::Withdraw(license) => self.licenses.retain(|known| *known != license),
            }
        }
        plan.lines.iter().map(said).collect()
    }
}

fn said(line: &PlannedContract) -> String {
    match &line.outcome {
        Ok(changes) => {
            let changes: Vec<_> = changes.iter().map(ContractChange::as_str).collect();
            format!("{} {}", line.word(), changes.join(" ")).trim().to_owned()
        }
        Err(why) => format!("refused: {why}"),
    }
}

const AOBA: [[&str; 5]; 3] = [
    ["C-1", "あおば薬局", "", "", "https://rezept.example.jp"],
    ["C-1", "あおば薬局", "S-1", "本店", "https://stock.example.jp"],
    ["C-2", "みどり薬局", "S-1", "本店", ""],
];

#[test]
fn a_list_makes_what_is_not_there_and_a_second_time_changes_nothing() {
    let mut register = Register::new();
    let first = register.give(&AOBA);
    let made = "created tenant-added license-granted";
    assert_eq!(first, [made, "created site-added license-granted", "created tenant-added site-added"]);
    assert_eq!(register.give(&AOBA), ["unchanged"; 3]);
    assert_eq!((register.tenants.len(), register.sites.len(), register.licenses.len()), (2, 2, 2));
}

#[test]
fn what_the_register_says_otherwise_is_renamed_and_licensed_anew() {
    let mut register = Register::new();
    register.give(&AOBA);
    let changed = register.give(&[
        ["C-1", "あおば薬局グループ", "", "", "-"],
        ["C-1", "あおば薬局グループ", "S-1", "本店", "https://rezept.example.jp"],
    ]);
    let licenses = "changed license-granted license-withdrawn";
    assert_eq!(changed, ["changed tenant-renamed license-withdrawn", licenses]);
    assert_eq!(register.licenses.len(), 1, "an empty cell and a place that is not named stay as they are");
}

#[test]
fn what_was_there_before_the_register_is_known_by_its_name_once() {
    let mut register = Register::new();
    let tenant = Tenant::new(TenantId::random(&register.entropy), "あおば 薬局");
    register.tenants.push((tenant, None));
    assert_eq!(register.give(&[["C-1", "ｱｵﾊﾞ", "", "", ""]]), ["created tenant-added"]);
    assert_eq!(register.give(&[["C-9", "あおば薬局", "", "", ""]]), ["changed tenant-linked tenant-renamed"]);
    let taken = register.give(&[["C-8", "あおば薬局", "", "", ""], ["C-1", "あおば薬局", "", "", ""]]);
    assert!(taken.iter().all(|said| said.starts_with("refused: another one is called")), "{taken:?}");
}

#[test]
fn a_line_that_is_wrong_says_why_and_the_others_are_done() {
    let mut register = Register::new();
    let given = register.give(&[
        ["", "あおば薬局", "", "", ""],
        ["C-1", "", "", "", ""],
        ["C-1", "あおば薬局", "S-1", "", ""],
        ["C-1", "あおば薬局", "", "", "https://unknown.example.jp"],
        ["C-1", "あおば薬局", "", "", ""],
        ["C-1", "あおば薬局", "", "", "-"],
    ]);
    for (said, part) in given.iter().zip(["tenant_key", "", "come together", "no [[product]]"]) {
        assert!(said.starts_with("refused: ") && said.contains(part), "{said}");
    }
    assert_eq!(given[4], "created tenant-added");
    assert!(given[5].contains("an earlier line"), "{given:?}");
    let otherwise = register.give(&[["C-1", "甲", "", "", ""], ["C-1", "乙", "S-1", "本店", ""]]);
    assert_eq!(otherwise[1], "refused: an earlier line calls the company otherwise");
    assert_eq!(register.tenants.len(), 1);
}
