//! People from a list: what differs is done, what is wrong is said, and nothing a second time.

use super::{OPERATOR, TestCompany};
use crate::people_list::ListedPerson;
use crate::{LineReport, ListOutcome, ListPlace, ListTerms, PeopleListPlan};
use std::collections::BTreeMap;
use tegata_core::Refusal::{
    LoginFixed, PasswordHashUnfit, PersonKnown, PersonSiteMissing, PersonSiteUnknown, PersonTwice,
    PersonUnfit,
};
use tegata_core::{Language, Refusal};
use tegata_storage::{Person, Principal, ScopedLedger, SignInAccounts, SignInPolicy};
use tegata_testkit::YEAR;

const ISSUER: &str = "https://login.example";

/// A line with these cells, by column, among lines that may be unreadable.
#[expect(clippy::unnecessary_wraps, reason = "a list has lines that cannot be read, too")]
fn line(cells: &[(&str, &str)]) -> Result<ListedPerson, String> {
    let cell =
        |column: &str| cells.iter().find(|(name, _)| *name == column).map(|(_, cell)| (*cell).to_owned());
    Ok(ListedPerson {
        login: cell("login").unwrap_or_default(),
        name: cell("name"),
        roles: cell("roles"),
        sites: cell("sites"),
        external_key: cell("external_key"),
        state: cell("state"),
        provider_subject: cell("provider_subject"),
        password_hash: cell("password_hash"),
    })
}

fn staff(login: &str, key: &str) -> Result<ListedPerson, String> {
    line(&[("login", login), ("name", "佐藤 花子"), ("sites", "本店"), ("external_key", key)])
}

impl TestCompany {
    fn tenant_rows(&self) -> ScopedLedger {
        let scope = Principal::operator("test", Some(&self.installation.tenant)).scope();
        self.installation.context.ledger.within(scope)
    }

    async fn plan(&self, lines: Vec<Result<ListedPerson, String>>) -> PeopleListPlan {
        self.plan_with(Some(ISSUER), lines).await
    }

    async fn plan_with(
        &self,
        provider: Option<&str>,
        lines: Vec<Result<ListedPerson, String>>,
    ) -> PeopleListPlan {
        let entropy = self.installation.context.entropy.as_ref();
        let place = ListPlace { tenant: &self.installation.tenant, provider };
        let lines = (2..).zip(lines).collect();
        PeopleListPlan::make(&self.tenant_rows(), place, lines, Language::Ja, entropy).await.unwrap()
    }

    async fn work_off(
        &self,
        plan: &PeopleListPlan,
        performs: bool,
        disables_missing: bool,
    ) -> Vec<LineReport> {
        let context = &self.installation.context;
        let terms = ListTerms {
            performs,
            disables_missing,
            setup_until: Some(context.now().plus(YEAR)),
            actor: &OPERATOR,
        };
        plan.work_off(&self.tenant_rows(), &terms, context.clock.as_ref(), context.entropy.as_ref())
            .await
            .unwrap()
    }

    async fn import(&self, lines: Vec<Result<ListedPerson, String>>) -> Vec<LineReport> {
        let plan = self.plan(lines).await;
        self.work_off(&plan, true, false).await
    }

    async fn people(&self) -> BTreeMap<String, Person> {
        let people = self.tenant_rows().people().await.unwrap();
        people.into_iter().map(|person| (person.login.clone(), person)).collect()
    }
}

fn words(reports: &[LineReport]) -> Vec<&'static str> {
    reports.iter().map(|report| report.outcome.as_str()).collect()
}

fn refusals(reports: &[LineReport]) -> Vec<Option<Refusal>> {
    let refusal = |report: &LineReport| match &report.outcome {
        ListOutcome::Refused { refusal, .. } => Some(*refusal),
        _ => None,
    };
    reports.iter().map(refusal).collect()
}

#[tokio::test]
async fn a_list_given_twice_changes_nothing_the_second_time() {
    let company = TestCompany::new().await;
    let list = || {
        vec![
            staff("sato", "1"),
            line(&[("login", "suzuki"), ("name", "鈴木"), ("roles", "tenant-admin"), ("state", "停止")]),
        ]
    };
    let rehearsed = company.plan(list()).await;
    let rehearsal = company.work_off(&rehearsed, false, false).await;
    assert_eq!(words(&rehearsal), ["created", "created"]);
    assert!(rehearsal.iter().all(|report| report.setup.is_none()) && company.people().await.is_empty());
    let first = company.import(list()).await;
    assert_eq!(words(&first), ["created", "created"]);
    assert!(first[0].setup.is_some() && first[1].setup.is_none(), "whoever is disabled gets no link");
    let before = company.audit().await.len();
    assert_eq!(words(&company.import(list()).await), ["unchanged", "unchanged"]);
    assert_eq!(company.audit().await.len(), before);
    let people = company.people().await;
    assert_eq!((people["suzuki"].state.as_str(), people["sato"].sites.len()), ("disabled", 1));
}

#[tokio::test]
async fn what_differs_is_changed_and_what_no_column_says_stays() {
    let company = TestCompany::new().await;
    company.import(vec![staff("sato", "1"), staff("suzuki", "2")]).await;
    let reports = company
        .import(vec![
            line(&[("login", "ＳＡＴＯ"), ("external_key", "1"), ("name", "佐藤 花江")]),
            line(&[
                ("login", "suzuki"),
                ("external_key", "2"),
                ("roles", "staff;site-manager"),
                ("state", "disabled"),
            ]),
        ])
        .await;
    assert_eq!(
        reports.iter().map(|report| report.changes.join(" ")).collect::<Vec<_>>(),
        ["name", "roles state"]
    );
    let people = company.people().await;
    assert_eq!((people["sato"].name.as_str(), people["sato"].sites.len()), ("佐藤 花江", 1));
    assert_eq!(people["suzuki"].roles.to_string(), "staff site-manager");
    let back = company.import(vec![line(&[("login", "suzuki"), ("state", "在籍")])]).await;
    assert_eq!((back[0].changes.join(" "), words(&back)), ("state".to_owned(), vec!["changed"]));
}

#[tokio::test]
async fn each_wrong_line_says_why_and_keeps_no_other_from_being_done() {
    let company = TestCompany::new().await;
    company.import(vec![staff("sato", "1"), staff("suzuki", "2")]).await;
    let hash = [("login", "h"), ("name", "x"), ("sites", "本店")];
    let reports = company
        .import(vec![
            staff("good", "3"),
            line(&[("login", "a b"), ("name", "x"), ("sites", "本店")]),
            line(&[("login", "x"), ("name", "x"), ("sites", "無い店")]),
            line(&[("login", "x2"), ("name", "x")]),
            line(&[("login", "x3"), ("sites", "本店")]),
            line(&[("login", "x4"), ("name", "x"), ("roles", "root")]),
            staff("renamed", "1"),
            line(&[("login", "suzuki"), ("external_key", "9")]),
            staff("good", "4"),
            line(&[("login", "x5"), ("name", "x"), ("sites", "本店"), ("state", "perhaps")]),
            line(
                &[
                    &hash[..],
                    &[("password_hash", "$2b$31$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234")],
                ]
                .concat(),
            ),
            Err("there are 3 cells for 2 columns".to_owned()),
        ])
        .await;
    assert_eq!(
        refusals(&reports),
        [
            None,
            Some(PersonUnfit),
            Some(PersonSiteUnknown),
            Some(PersonSiteMissing),
            Some(PersonUnfit),
            Some(PersonUnfit),
            Some(LoginFixed),
            Some(PersonKnown),
            Some(PersonTwice),
            Some(PersonUnfit),
            Some(PasswordHashUnfit),
            Some(PersonUnfit),
        ]
    );
    let details = format!("{reports:?}");
    assert!(
        details.contains("U+0020") && details.contains("無い店") && details.contains("128 MiB"),
        "{details}"
    );
    assert!(!details.contains("$2b$"), "a hash is never said again");
    assert_eq!(company.people().await.len(), 3);
}

#[tokio::test]
async fn people_whom_a_list_does_not_name_are_disabled_only_when_asked() {
    let company = TestCompany::new().await;
    let admin = line(&[("login", "admin"), ("name", "本部"), ("roles", "tenant-admin")]);
    company.import(vec![staff("one", "1"), staff("two", "2"), staff("three", "3"), admin]).await;
    let plan = company.plan(vec![staff("one", "1")]).await;
    assert_eq!((plan.missing.count(), plan.missing.of), (3, 4));
    assert!(plan.missing.exceeds(74) && !plan.missing.exceeds(75));
    assert_eq!(words(&company.work_off(&plan, true, false).await), ["unchanged"]);
    let tried = company.work_off(&plan, false, true).await;
    let done = company.work_off(&plan, true, true).await;
    assert_eq!(words(&tried), words(&done), "a rehearsal says what will happen");
    assert_eq!(refusals(&done).into_iter().flatten().collect::<Vec<_>>(), [Refusal::LastAdministrator]);
    let active: Vec<_> = company
        .people()
        .await
        .into_values()
        .filter(|person| person.state.as_str() == "active")
        .map(|person| person.login)
        .collect();
    assert_eq!(active, ["admin", "one"]);
    let demoted = || line(&[("login", "admin"), ("name", "x"), ("roles", "staff"), ("sites", "本店")]);
    let disabled = line(&[
        ("login", "admin"),
        ("name", "x"),
        ("roles", "staff"),
        ("state", "disabled"),
        ("sites", "本店"),
    ]);
    for (line, other) in [(demoted(), staff("two", "2")), (disabled, staff("two", "2"))] {
        let reports = company.import(vec![line, other]).await;
        assert_eq!(refusals(&reports), [Some(Refusal::LastAdministrator), None], "demoted by a list");
        let admin = &company.people().await["admin"];
        assert_eq!(
            (admin.name.as_str(), admin.state.as_str()),
            ("本部", "active"),
            "nothing was done for the line"
        );
    }
    let unreadable = company.plan(vec![staff("one", "1"), Err("x".to_owned())]).await;
    assert!(unreadable.missing.is_unknown);
}

#[tokio::test]
async fn a_list_links_people_to_their_provider_and_moves_no_link() {
    let company = TestCompany::new().await;
    let linked = |login: &str, subject: &str| {
        line(&[("login", login), ("name", "佐藤"), ("sites", "本店"), ("provider_subject", subject)])
    };
    let first = company.import(vec![linked("sato", "staff-1"), staff("suzuki", "2")]).await;
    assert_eq!(words(&first), ["created", "created"]);
    assert!(first[0].setup.is_none() && first[1].setup.is_some(), "whoever signs in there needs no link");
    let known = async || company.tenant_rows().links_with(ISSUER).await.unwrap().len();
    assert_eq!(known().await, 1);
    let again = company
        .import(vec![
            linked("sato", "staff-1"),
            linked("suzuki", "staff-1"),
            linked("sato2", "staff-2"),
            linked("suzuki2", "staff-2"),
        ])
        .await;
    assert_eq!(refusals(&again), [None, Some(PersonTwice), None, Some(PersonTwice)]);
    let moved = company.import(vec![linked("sato", "staff-9"), linked("suzuki", "staff-2")]).await;
    assert_eq!(refusals(&moved), [Some(PersonKnown), Some(PersonKnown)]);
    let empty = company.import(vec![linked("sato", " "), linked("suzuki", "staff-3")]).await;
    assert_eq!(
        (words(&empty), empty[1].changes.join(" ")),
        (vec!["unchanged", "changed"], "name provider_subject".to_owned())
    );
    assert_eq!(known().await, 3, "an empty cell takes nothing away");
    let nowhere = company.plan_with(None, vec![linked("tanaka", "staff-5")]).await;
    assert_eq!(refusals(&company.work_off(&nowhere, true, false).await), [Some(Refusal::ProviderMissing)]);
    let policy = SignInPolicy { accounts: SignInAccounts::Local, ..SignInPolicy::default() };
    let context = &company.installation.context;
    let mut transaction = company.tenant_rows().begin(context.now()).await.unwrap();
    transaction.set_sign_in_policy(&company.installation.tenant, policy, &OPERATOR).await.unwrap();
    transaction.commit().await.unwrap();
    let local = company.import(vec![linked("kobayashi", "staff-6")]).await;
    assert!(local[0].setup.is_some(), "the provider leads nobody in here");
}
