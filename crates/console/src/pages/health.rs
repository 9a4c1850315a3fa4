//! How the installation does. Nothing is changed from here.

use crate::acting::Acting;
use crate::asking::JustifiedPage;
use crate::frame::Frame;
use crate::health::{CaHealth, HealthReport, InstallationHealth, Trouble, TroubleKind};
use crate::service::ConsoleService;
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use std::time::Duration;
use tegata_core::{Act, Language, Refusal, Timestamp};
use tegata_web::japan_date::{day, in_japan, second};
use tegata_web::{ReaderLanguage, WebResult};

/// For how long a report is given to whoever asks.
const KEPT: Duration = Duration::from_secs(5);

#[derive(Template)]
#[template(path = "console-health.html")]
struct HealthPage {
    frame: Frame,
    report: Arc<HealthReport>,
    troubles: Vec<TroubleView>,
    cas: Vec<CaView>,
    told: HealthWords,
}

struct TroubleView {
    what: &'static str,
    subject: String,
    detail: String,
    /// What to do about it.
    advice: &'static str,
}

/// A CA, with its lists taken together: there may be a thousand.
struct CaView {
    ca: String,
    kind: &'static str,
    is_resting: bool,
    ends_at: String,
    /// How many lists it has, and how many of them lack changes.
    lists: usize,
    behind: usize,
    /// The highest number, the time when the eldest was made, and when the first ends.
    number: u64,
    made_at: String,
    good_until: String,
}

/// Times, and words of the report, as this reader reads them.
struct HealthWords(Language);

pub(crate) async fn show(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    JustifiedPage(by): JustifiedPage,
) -> WebResult<Response> {
    let report = service.health_report(&by).await?;
    let body = HealthPage {
        frame: Frame::of(&by, "/console/health", language),
        troubles: report.troubles.iter().map(|trouble| TroubleView::of(trouble, language)).collect(),
        cas: report.cas.iter().map(|ca| CaView::of(ca, &HealthWords(language))).collect(),
        report,
        told: HealthWords(language),
    };
    Ok(service.page(language, language.pick("稼働状況", "Health"), &body).into_response())
}

impl ConsoleService {
    /// The report for whoever may see it.
    /// It is gathered by one at a time, and kept for some seconds: whoever watches it costs no more than a few reads.
    pub(crate) async fn health_report(&self, by: &Acting) -> Result<Arc<HealthReport>, Refusal> {
        by.reach(Act::SeeHealth)?;
        let health: &dyn InstallationHealth = self.health.as_deref().ok_or(Refusal::Internal)?;
        let gather = async { Ok((health.report(by.at).await?, self.context.now().plus(KEPT))) };
        self.health_kept.get(&(), by.at, Box::pin(gather)).await
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, clippy::ref_option, reason = "templates give references")]
impl HealthWords {
    /// The date and the time of day, without the year.
    fn short(&self, at: &Timestamp) -> String {
        let date = in_japan(*at);
        let (month, day) = (u8::from(date.month()), date.day());
        let (hour, minute, second) = (date.hour(), date.minute(), date.second());
        match self.0 {
            Language::Ja => format!("{month}月{day}日 {hour}:{minute:02}:{second:02}"),
            Language::En => format!("{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"),
        }
    }

    fn second(&self, at: &Timestamp) -> String {
        second(*at, self.0)
    }

    fn day(&self, at: &Timestamp) -> String {
        day(*at, self.0)
    }

    fn condition(&self, word: &str) -> &'static str {
        match word {
            "good" => self.0.pick("正常", "Good"),
            "failing" => self.0.pick("失敗", "Failing"),
            _ => self.0.pick("遅れ", "Overdue"),
        }
    }

    fn ca_kind(&self, word: &str) -> &'static str {
        match word {
            "root" => self.0.pick("ルート", "Root"),
            "issuing" => self.0.pick("発行", "Issuing"),
            _ => self.0.pick("他社", "Foreign"),
        }
    }

    fn perhaps(&self, at: &Option<Timestamp>) -> String {
        at.map_or_else(|| self.0.pick("まだありません", "Never").to_owned(), |at| self.short(&at))
    }
}

impl CaView {
    fn of(ca: &CaHealth, told: &HealthWords) -> Self {
        let none = || "–".to_owned();
        Self {
            ca: ca.ca.clone(),
            kind: told.ca_kind(&ca.kind),
            is_resting: ca.state == "resting",
            ends_at: told.day(&ca.ends_at),
            lists: ca.lists.len(),
            behind: ca.lists.iter().filter(|list| list.is_behind).count(),
            number: ca.lists.iter().map(|list| list.number).max().unwrap_or(0),
            made_at: ca.lists.iter().map(|list| list.made_at).min().map_or_else(none, |at| told.short(&at)),
            good_until: ca
                .lists
                .iter()
                .map(|list| list.ends_at)
                .min()
                .map_or_else(none, |at| told.second(&at)),
        }
    }
}

impl TroubleView {
    fn of(trouble: &Trouble, language: Language) -> Self {
        let (what_ja, what_en, advice_ja, advice_en) = words_of(trouble.kind);
        Self {
            what: language.pick(what_ja, what_en),
            subject: trouble.subject.clone(),
            detail: trouble.detail.clone(),
            advice: language.pick(advice_ja, advice_en),
        }
    }
}

/// What it is called, and what to do about it: Japanese and English.
const fn words_of(kind: TroubleKind) -> (&'static str, &'static str, &'static str, &'static str) {
    match kind {
        TroubleKind::NoServer => {
            ("動いているサーバーがありません", "No server runs", "サーバーを起動してください。", "Start one.")
        }
        TroubleKind::Replication => (
            "データベースの複製に問題があります",
            "Replication of the database is at fault",
            "待機系のデータベースを確かめてください。",
            "Look at the stand-bys.",
        ),
        TroubleKind::RowSecurity => (
            "データベースが法人ごとの行を分けていません",
            "The database does not keep tenants' rows apart",
            "tegata check の説明に従ってください。",
            "tegata check says how.",
        ),
        TroubleKind::CheckWrong => (
            "点検で誤りが見つかりました",
            "The check found something wrong",
            "下の点検の結果をご覧ください。",
            "See the check below.",
        ),
        TroubleKind::CanaryAlarm => (
            "停止した端末を受け付けた窓口があります",
            "An endpoint let in what was revoked",
            "すぐにサーバーの記録で canary を調べてください。",
            "Look for canary in the server's log at once.",
        ),
        TroubleKind::ListEnded => (
            "失効リストの期限が切れています",
            "A revocation list has ended",
            "認証局の鍵と、リストを作る処理を確かめてください。",
            "Look at the CA's key and the pass that makes the list.",
        ),
        TroubleKind::ListBehind => (
            "失効リストに新しい失効が入っていません",
            "A revocation list lacks changes",
            "リストを作る処理を確かめてください。ルートのリストは儀式で作ります。",
            "Look at the pass that makes it. A root's is made by a ceremony.",
        ),
        TroubleKind::GateBehind => (
            "ゲートに変更が届いていません",
            "A gate has not acknowledged changes",
            "ゲートの記録と、ゲートからの接続を確かめてください。",
            "Look at the gate's log and its connection.",
        ),
        TroubleKind::PassFailing => (
            "定期の処理が失敗しています",
            "A pass fails",
            "エラーの内容と、サーバーの記録を確かめてください。",
            "See the error, and the server's log.",
        ),
        TroubleKind::PassOverdue => (
            "定期の処理が遅れています",
            "A pass is late or hangs",
            "担当のサーバーが動いているか確かめてください。",
            "See whether its server works.",
        ),
        TroubleKind::ReceiverFailing => (
            "通知を受け取らない送り先があります",
            "A receiver takes nothing",
            "送り先の担当者に知らせてください。",
            "Tell whoever runs it.",
        ),
        TroubleKind::CaEnding => (
            "認証局の期限が近づいています",
            "A CA ends soon",
            "交代の儀式を準備してください。",
            "Prepare the ceremony that replaces it.",
        ),
        TroubleKind::CheckOld => (
            "2日以上、点検が行われていません",
            "Nothing was checked for two days",
            "「check」の処理のエラーを確かめてください。",
            "See the error of the pass check.",
        ),
    }
}
