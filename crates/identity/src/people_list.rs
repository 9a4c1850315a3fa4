//! People from a list, as a spreadsheet or another system writes it: what it says of each is compared with what is there, and
//! only what differs is done. The same list a second time changes nothing.
//!
//! Everything that can be wrong is found before anything is written ([`plan`]); a rehearsal does the same as the import, in
//! transactions that are not committed, so that its report says what will happen.

mod line;
mod plan;

pub use line::{LIST_COLUMNS, LIST_NEEDED, ListedPerson};
pub use plan::{ListPlace, MissingPeople, PeopleListPlan};

use crate::provisioning::PersonChange;
use plan::{BroughtProofs, LineAction, PlannedLine};
use tegata_core::{Clock, Entropy, PersonId, Refusal, SetupCode, Timestamp};
use tegata_storage::{
    Actor, LedgerError, NewPerson, NewPersonLink, ScopedLedger, ScopedTransaction, SignInAccounts,
};

/// The column with what the provider calls a person.
const PROVIDER_SUBJECT: &str = "provider_subject";

/// Lines in one transaction: few enough that others get their turn.
const TOGETHER: usize = 50;

/// How a list is worked off.
pub struct ListTerms<'a> {
    /// Whether it is done. Otherwise it is only tried.
    pub performs: bool,
    /// Whether people whom the list does not name are stopped.
    pub disables_missing: bool,
    /// Until when setup links work; none where nobody gets one.
    pub setup_until: Option<Timestamp>,
    /// Who has given the list.
    pub actor: &'a Actor,
}

/// What became of a line, or of somebody whom no line names.
#[derive(Debug)]
pub struct LineReport {
    /// Its number in the file; none for somebody whom no line names.
    pub line: Option<u32>,
    /// The login that it names.
    pub login: String,
    /// The person that it is about.
    pub person: Option<PersonId>,
    /// What became of it.
    pub outcome: ListOutcome,
    /// What has changed of the person.
    pub changes: Vec<&'static str>,
    /// By what a new person sets up the account. It is handed out once.
    pub setup: Option<SetupCode>,
}

/// What became of a line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ListOutcome {
    /// The person is new.
    Created,
    /// The person was changed.
    Changed,
    /// It is as the line says already.
    Unchanged,
    /// The list does not name the person, who was stopped.
    Disabled,
    /// Nothing was done for this line.
    Refused {
        /// Why the line is refused.
        refusal: Refusal,
        /// What exactly, for whoever wrote the list.
        detail: Option<String>,
    },
}

impl ListOutcome {
    /// The word in JSON.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
            Self::Disabled => "disabled",
            Self::Refused { .. } => "refused",
        }
    }
}

impl PeopleListPlan {
    /// Works it off, line by line. Gives what became of each, in the order of the file, and then of those whom it does not
    /// name.
    ///
    /// # Errors
    /// The ledger cannot be written; what was done before stays done, and the list can be given again.
    pub async fn work_off(
        &self,
        rows: &ScopedLedger,
        terms: &ListTerms<'_>,
        clock: &dyn Clock,
        entropy: &dyn Entropy,
    ) -> Result<Vec<LineReport>, LedgerError> {
        let mut reports = Vec::with_capacity(self.lines.len());
        for lines in self.lines.chunks(TOGETHER) {
            let mut transaction = rows.begin(clock.now()).await?;
            for line in lines {
                reports.push(self.work_off_line(line, &mut transaction, terms, entropy).await?);
            }
            if terms.performs {
                transaction.commit().await?;
            }
        }
        if terms.disables_missing {
            self.disable_missing(rows, terms, clock, &mut reports).await?;
        }
        Ok(reports)
    }

    async fn disable_missing(
        &self,
        rows: &ScopedLedger,
        terms: &ListTerms<'_>,
        clock: &dyn Clock,
        reports: &mut Vec<LineReport>,
    ) -> Result<(), LedgerError> {
        for people in self.missing.people.chunks(TOGETHER) {
            let mut transaction = rows.begin(clock.now()).await?;
            for (person, login) in people {
                let done = transaction.disable_person(person, "not in the list", terms.actor).await;
                let outcome = match done {
                    Ok(_) => ListOutcome::Disabled,
                    Err(LedgerError::Refused(refusal)) => ListOutcome::Refused { refusal, detail: None },
                    Err(error) => return Err(error),
                };
                let changes = if outcome == ListOutcome::Disabled { vec!["state"] } else { Vec::new() };
                reports.push(LineReport {
                    line: None,
                    login: login.clone(),
                    person: Some(person.clone()),
                    outcome,
                    changes,
                    setup: None,
                });
            }
            if terms.performs {
                transaction.commit().await?;
            }
        }
        Ok(())
    }
}

impl PeopleListPlan {
    async fn work_off_line(
        &self,
        line: &PlannedLine,
        transaction: &mut ScopedTransaction,
        terms: &ListTerms<'_>,
        entropy: &dyn Entropy,
    ) -> Result<LineReport, LedgerError> {
        let mut report = LineReport {
            line: Some(line.number),
            login: line.login.clone(),
            person: None,
            outcome: ListOutcome::Unchanged,
            changes: Vec::new(),
            setup: None,
        };
        match &line.action {
            LineAction::Refuse(refusal, detail) => {
                report.outcome = ListOutcome::Refused { refusal: *refusal, detail: detail.clone() };
            }
            LineAction::Create { new, is_disabled, brought } => {
                report.setup = self.create(transaction, (new, *is_disabled, brought), terms, entropy).await?;
                report.person = terms.performs.then(|| new.id.clone());
                report.outcome = ListOutcome::Created;
            }
            LineAction::Change { person, change, brought } => {
                report.person = Some(person.clone());
                match self.change(transaction, (person, change, brought), terms).await {
                    Ok(changes) => report.changes = changes,
                    Err(LedgerError::Refused(refusal)) => {
                        report.outcome = ListOutcome::Refused { refusal, detail: None };
                    }
                    Err(error) => return Err(error),
                }
                if !report.changes.is_empty() {
                    report.outcome = ListOutcome::Changed;
                }
            }
        }
        Ok(report)
    }

    /// Whoever brings a password needs no link, nor whoever signs in at the provider, where the tenant lets people in by it: both
    /// lead in by themselves.
    async fn create(
        &self,
        transaction: &mut ScopedTransaction,
        (new, is_disabled, brought): (&NewPerson, bool, &BroughtProofs),
        terms: &ListTerms<'_>,
        entropy: &dyn Entropy,
    ) -> Result<Option<SetupCode>, LedgerError> {
        transaction.add_person(new, terms.actor).await?;
        let kept = self.keep(transaction, &new.id, brought, terms).await?;
        if is_disabled {
            transaction.disable_even_last(&new.id, "by the list", terms.actor).await?;
            return Ok(None);
        }
        let takes_links = self.accounts != SignInAccounts::Local;
        let leads_in = kept.iter().any(|proof| takes_links || *proof != PROVIDER_SUBJECT);
        let Some(until) = terms.setup_until.filter(|_| !leads_in) else { return Ok(None) };
        let code = SetupCode::random(entropy);
        transaction.make_setup_link(&new.id, &code, until, terms.actor).await?;
        Ok(terms.performs.then_some(code))
    }

    async fn change(
        &self,
        transaction: &mut ScopedTransaction,
        (person, change, brought): (&PersonId, &PersonChange, &BroughtProofs),
        terms: &ListTerms<'_>,
    ) -> Result<Vec<&'static str>, LedgerError> {
        change.apply(transaction, person, "by the list", terms.actor).await?;
        let mut changes = change.parts();
        changes.extend(self.keep(transaction, person, brought, terms).await?);
        Ok(changes)
    }

    /// Keeps what a line brings along. Gives what of it is new.
    async fn keep(
        &self,
        transaction: &mut ScopedTransaction,
        person: &PersonId,
        brought: &BroughtProofs,
        terms: &ListTerms<'_>,
    ) -> Result<Vec<&'static str>, LedgerError> {
        let mut kept = Vec::new();
        if let (Some(issuer), Some(subject)) = (&self.provider, &brought.subject) {
            let link = NewPersonLink {
                tenant: self.tenant.clone(),
                person: person.clone(),
                issuer: issuer.clone(),
                subject: subject.clone(),
            };
            transaction.link_person(&link, terms.actor).await?;
            kept.push(PROVIDER_SUBJECT);
        }
        if let Some(password) = &brought.password
            && transaction.import_password(person, password, terms.actor).await?
        {
            kept.push("password");
        }
        Ok(kept)
    }
}
