//! What templates are given. `docs/notices.md` lists it for whoever writes templates of their own.

use serde::Serialize;

/// A mail about certificates that end.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct RenewalView {
    /// What the sender is called.
    pub sender: String,
    /// Whose devices; nothing where they are of several tenants.
    pub tenant: Option<String>,
    /// The day of the mail, as its reader writes it.
    pub day: String,
    /// The most urgent first, and not too many of them.
    pub devices: Vec<RenewalLine>,
    /// How many there are.
    pub total: usize,
    /// How many are not among `devices`.
    pub more: usize,
    /// Where those are, the places with most of them first, and not too many places.
    pub more_places: Vec<PlaceCount>,
    /// How many are at none of these places.
    pub elsewhere: usize,
    /// Of all: how many have ended.
    pub over: usize,
    /// How many should be renewed now: those of the next two together.
    pub due: usize,
    /// Those before which somebody sits, who opens the page.
    pub by_page: usize,
    /// Gates and machines, where a program renews.
    pub by_program: usize,
    /// The page on which each device renews, to be opened there.
    pub page: String,
    /// Where people see all of them.
    pub console: String,
    /// Whom to call with a question.
    pub contact: Option<ContactView>,
}

/// A certificate that ends.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RenewalLine {
    /// Whose device it is.
    pub tenant: String,
    /// Where the device stands.
    pub site: String,
    /// What it is called.
    pub label: String,
    /// The number that support finds it by.
    pub number: String,
    /// The last day of its validity.
    pub ends: String,
    /// Whole days until then; 0 on the last one and afterwards.
    pub days: u64,
    /// The day from which on its page offers the renewal.
    pub asked: String,
    /// What is to be done.
    pub state: RenewalState,
    /// Whether a program renews there, such as on a gate: nobody opens a page.
    pub program: bool,
}

/// How many devices there are at a place.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PlaceCount {
    /// Whose devices they are.
    pub tenant: String,
    /// The name of the site at which they stand.
    pub site: String,
    /// How many they are.
    pub count: usize,
}

/// What is to be done with a certificate.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RenewalState {
    /// It has ended: the device needs an invitation.
    Over,
    /// Its page offers the renewal.
    Due,
    /// It is not yet time to.
    Later,
}

/// Whom to call with a question.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ContactView {
    /// The name of whoever answers.
    pub name: String,
    /// The number as people write it.
    pub phone: String,
    /// The number for a `tel:` link.
    pub tel: String,
}

/// A mail about the day's work.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct DigestView {
    /// What the sender is called.
    pub sender: String,
    /// Whose work; nothing for everybody's.
    pub tenant: Option<String>,
    /// Of which sites alone; nothing for all of the tenant's.
    pub site: Option<String>,
    /// The day, as its reader writes it.
    pub day: String,
    /// Whether there is anything to do.
    pub has_work: bool,
    /// What there is, in groups; none of them is empty.
    pub groups: Vec<DigestGroup>,
    /// Where people act on it.
    pub console: String,
}

/// Things of one kind.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct DigestGroup {
    /// What they have in common, in the reader's language.
    pub title: String,
    /// The things that it consists of.
    pub items: Vec<DigestItem>,
}

/// One thing of the day.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct DigestItem {
    /// A stable word for scripts.
    pub code: &'static str,
    /// How many of them there are.
    pub count: u64,
    /// What there is, in the reader's language.
    pub text: String,
}
