//! The page of the day: whether there is anything to do, and where it is done.

use crate::acting::Acting;
use crate::asking::JustifiedPage;
use crate::frame::Frame;
use crate::service::ConsoleService;
use crate::work::{DayWork, WorkGroup, WorkScope};
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use tegata_core::{Act, Language, Refusal};
use tegata_web::japan_date::day;
use tegata_web::{ReaderLanguage, WebResult};

#[derive(Template)]
#[template(path = "today.html")]
struct TodayPage {
    frame: Frame,
    day: String,
    groups: Vec<WorkGroup>,
}

pub(crate) async fn show(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    JustifiedPage(by): JustifiedPage,
) -> WebResult<Response> {
    let groups = service.work_seen(&by, language).await?;
    let frame = Frame::of(&by, "/console/today", language);
    let body = TodayPage { frame, day: day(by.at, language), groups };
    Ok(service.page(language, language.pick("今日の運用", "Today"), &body).into_response())
}

impl ConsoleService {
    /// The day's work of somebody: of all that they reach, and of it what their roles and a program's scopes let them see.
    ///
    /// # Errors
    /// Those of [`Acting::reach`], or the ledger cannot be read.
    pub(crate) async fn work_seen(&self, by: &Acting, language: Language) -> Result<Vec<WorkGroup>, Refusal> {
        let sight = self.sight(by, Act::SeeDevices)?;
        let scope = match sight.within {
            _ if sight.is_everywhere => WorkScope::Installation,
            Some(sites) => WorkScope::Sites(by.tenant(), sites),
            None => WorkScope::Tenant(by.tenant()),
        };
        let work: &dyn DayWork = self.work.as_deref().ok_or(Refusal::Internal)?;
        let mut groups = work.groups(scope, language, by.at).await?;
        for group in &mut groups {
            group.items.retain(|item| item.act().is_some_and(|act| by.reach(act).is_ok()));
        }
        groups.retain(|group| !group.items.is_empty());
        Ok(groups)
    }
}
