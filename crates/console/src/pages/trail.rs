//! A company's own audit log, in sentences.

use crate::acting::Acting;
use crate::asking::JustifiedPage;
use crate::entrances::today;
use crate::frame::Frame;
use crate::service::{ConsoleService, refusal};
use crate::trail::{TrailLine, TrailQuery, TrailReader};
use askama::Template;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use tegata_core::{Act, Refusal};
use tegata_storage::{PeopleFilter, Person};
use tegata_web::{ReaderLanguage, WebResult};

/// Entries on one page.
const PAGE: u32 = 50;

/// People to choose from; where there are more, the log is narrowed otherwise.
const MOST_PEOPLE: u64 = 500;

#[derive(Template)]
#[template(path = "trail.html")]
struct TrailView {
    frame: Frame,
    asked: TrailQuery,
    /// Whether there is a log to show: whoever reaches all companies names one.
    is_of_one: bool,
    latest: String,
    people: Vec<PersonChoice>,
    lines: Vec<TrailLine>,
    next: Option<String>,
    csv: Option<String>,
}

struct PersonChoice {
    id: String,
    name: String,
    is_chosen: bool,
}

pub(crate) async fn show(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    JustifiedPage(by): JustifiedPage,
    Query(asked): Query<TrailQuery>,
) -> WebResult<Response> {
    let sight = service.sight(&by, Act::ReadAudit)?;
    let page = asked.page(&by, &sight, PAGE)?;
    let (mut lines, mut next) = (Vec::new(), None);
    if let Some(page) = &page {
        let found = sight.rows.trail(page).await.map_err(refusal)?;
        let mut reader = TrailReader::new(&by, &sight.rows, language);
        for entry in &found.entries {
            lines.push(reader.line(entry).await?);
        }
        next = found.next;
    }
    let mut people = Vec::new();
    if page.as_ref().is_some_and(|page| page.tenant == by.tenant()) && by.may_ever(Act::SeePeople) {
        people = service.choosable_people(&by).await?;
    }
    let may_export = page.is_some() && by.reach(Act::ExportAudit).is_ok();
    let body = TrailView {
        frame: Frame::of(&by, "/console/trail", language),
        is_of_one: page.is_some(),
        latest: today(by.at),
        people: choices(people, &by, &asked),
        lines,
        next: next.map(|next| asked.path("/console/trail", Some(next), language)),
        csv: may_export.then(|| asked.path("/console/trail.csv", None, language)),
        asked,
    };
    let title = language.pick("操作の記録", "What happened");
    Ok(service.page(language, title, &body).into_response())
}

impl ConsoleService {
    /// The people to choose from. Where there are too many they are counted, and not read.
    async fn choosable_people(&self, by: &Acting) -> Result<Vec<Person>, Refusal> {
        let counted = self.own_rows(by).find_people(&PeopleFilter::default(), 0, 0).await.map_err(refusal)?;
        if counted.total > MOST_PEOPLE { Ok(Vec::new()) } else { self.people_seen(by).await }
    }
}

fn choices(people: Vec<Person>, by: &Acting, asked: &TrailQuery) -> Vec<PersonChoice> {
    let choice = |person: Person| PersonChoice {
        is_chosen: asked.person.as_deref() == Some(person.id.as_str()),
        name: by.name_of(&person.tenant, &person.name).to_string(),
        id: person.id.to_string(),
    };
    people.into_iter().map(choice).collect()
}
