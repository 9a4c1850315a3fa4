//! Pictures of what there is and what happens: each with the table that it was drawn from.

use crate::asking::JustifiedPage;
use crate::drawing::{Bar, BarChart, Line, LineChart, Tick, grouped};
use crate::figures::{REFUSAL_HOURS, SurfaceFigure};
use crate::fleet::{CountedFleet, WEEKS};
use crate::frame::Frame;
use crate::service::ConsoleService;
use crate::words;
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use std::collections::BTreeMap;
use std::time::Duration;
use tegata_core::policy::Platform;
use tegata_core::{DeviceState, Language, Refusal, Timestamp};
use tegata_storage::{RefusalHour, RenewalWeek};
use tegata_web::japan_date::{in_japan, moment};
use tegata_web::{ReaderLanguage, WebResult};

/// Lines of the picture of refusals: the most frequent codes, and all others together.
const CODES: usize = 4;

/// Hours that are one moment of the picture of refusals.
const HOURS: u32 = 6;

#[derive(Template)]
#[template(path = "console-figures.html")]
struct FiguresPage {
    frame: Frame,
    pictures: Vec<Picture>,
    counted_at: String,
}

/// A picture, and the table behind it.
struct Picture {
    id: &'static str,
    title: &'static str,
    summary: String,
    svg: String,
    head: Vec<String>,
    rows: Vec<Vec<String>>,
    /// What the numbers leave out.
    note: Option<&'static str>,
}

pub(crate) async fn show(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    JustifiedPage(by): JustifiedPage,
) -> WebResult<Response> {
    let figures = service.figures(&by).await?;
    let mut pictures = vec![fleet(&figures.fleet, language), renewals(&figures.fleet, language)];
    if let Some(refused) = &figures.refusals {
        pictures.push(refusals(refused, by.at, language));
    }
    if !figures.receipts.is_empty() {
        pictures.push(receipts(&figures.receipts, language));
    }
    let body = FiguresPage {
        frame: Frame::of(&by, "/console/figures", language),
        pictures,
        counted_at: moment(figures.fleet.at, language),
    };
    Ok(service.page(language, language.pick("グラフ", "Figures"), &body).into_response())
}

/// Devices by platform, and of each platform by state.
fn fleet(counted: &CountedFleet, language: Language) -> Picture {
    let mut by_platform: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
    let last = Platform::ALL.len();
    for count in &counted.devices {
        let place = Platform::ALL.iter().position(|known| Some(*known) == count.platform).unwrap_or(last);
        let states = by_platform.entry(place).or_insert_with(|| vec![0; DeviceState::ALL.len()]);
        if let Some(state) = DeviceState::ALL.iter().position(|known| *known == count.state) {
            states[state] += count.devices;
        }
    }
    let states: Vec<_> =
        DeviceState::ALL.iter().map(|state| words::state(*state, language).to_owned()).collect();
    let name = |place: &usize| Platform::name_of(Platform::ALL.get(*place).copied(), language).to_owned();
    let bars: Vec<_> = by_platform
        .iter()
        .map(|(place, values)| Bar { name: name(place), said: None, values: values.clone() })
        .collect();
    let all: u64 = counted.devices.iter().map(|count| count.devices).sum();
    let at_work: u64 = bars.iter().map(|bar| bar.values[0]).sum();
    let (all, at_work) = (grouped(all), grouped(at_work));
    let summary = match language {
        Language::Ja => format!("端末は{all}台です。そのうち{at_work}台が使えます。"),
        Language::En => format!("{all} devices, {at_work} of them in use."),
    };
    let title = language.pick("端末の種類と状態", "Devices by kind and state");
    let svg = BarChart { title, summary: &summary, parts: &states, bars: &bars }.svg("fleet");
    let mut head = vec![language.pick("種類", "Kind").to_owned()];
    head.extend(states);
    let row = |bar: Bar| {
        let numbers = bar.values.into_iter().map(grouped);
        std::iter::once(bar.name).chain(numbers).collect()
    };
    let rows = bars.into_iter().map(row).collect();
    Picture { id: "fleet", title, summary, svg, head, rows, note: None }
}

/// How many renewals are due in each of the next weeks.
fn renewals(counted: &CountedFleet, language: Language) -> Picture {
    let mut weeks = vec![
        (language.pick("期限が切れた", "Ended").to_owned(), counted.renewals_in(RenewalWeek::Ended)),
        (language.pick("いま更新できる", "Due now").to_owned(), counted.renewals_in(RenewalWeek::Now)),
    ];
    for week in 0..WEEKS {
        let begin = short_day(counted.at.plus(Duration::from_hours(7 * 24) * week), language);
        let name = match language {
            Language::Ja => format!("{begin}から7日間"),
            Language::En => format!("7 days from {begin}"),
        };
        weeks.push((name, counted.renewals_in(RenewalWeek::Week(week))));
    }
    let bars: Vec<_> = weeks
        .iter()
        .map(|(name, devices)| Bar { name: name.clone(), said: None, values: vec![*devices] })
        .collect();
    let (ended, due) = (grouped(weeks[0].1), grouped(weeks[1].1));
    let summary = match language {
        Language::Ja => {
            format!("いま更新できる端末は{due}台、更新されずに期限が切れた端末は{ended}台です。")
        }
        Language::En => format!("{due} devices are due now, {ended} ended without a renewal."),
    };
    let title = language.pick("更新の時期（週ごと）", "Renewals by week");
    let svg = BarChart { title, summary: &summary, parts: &[], bars: &bars }.svg("renewals");
    let head =
        vec![language.pick("時期", "When").to_owned(), language.pick("端末（台）", "Devices").to_owned()];
    let rows = weeks.into_iter().map(|(name, devices)| vec![name, grouped(devices)]).collect();
    let note = language.pick(
        "店舗や法人ごとの更新のきまりは含まない目安です。",
        "Without the rules of companies and sites, which move the hour.",
    );
    Picture { id: "renewals", title, summary, svg, head, rows, note: Some(note) }
}

/// How often requests were refused in the last week.
fn refusals(refused: &[RefusalHour], now: Timestamp, language: Language) -> Picture {
    let mut by_code: BTreeMap<&str, u64> = BTreeMap::new();
    for hour in refused {
        *by_code.entry(&hour.code).or_default() += hour.refused;
    }
    let mut codes: Vec<_> = by_code.into_iter().collect();
    codes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let total: u64 = codes.iter().map(|(_, count)| count).sum();
    let moments = usize::try_from(REFUSAL_HOURS.div_ceil(HOURS)).unwrap_or(0);
    let from = RefusalHour::begin_of(now.minus(Duration::from_hours(u64::from(REFUSAL_HOURS - 1))));
    let place = |hour: &RefusalHour| {
        let hours = hour.from.since(from).as_secs() / 3600 / u64::from(HOURS);
        usize::try_from(hours).ok().filter(|place| *place < moments)
    };
    let line = |name: String, is_of: &dyn Fn(&str) -> bool| {
        let mut values = vec![0; moments];
        for hour in refused.iter().filter(|hour| is_of(&hour.code)) {
            if let Some(place) = place(hour) {
                values[place] += hour.refused;
            }
        }
        Line { name, values }
    };
    let named: Vec<_> = codes.iter().take(CODES).map(|(code, _)| *code).collect();
    let mut lines: Vec<_> =
        named.iter().map(|code| line(told(code, language), &|known| known == *code)).collect();
    if codes.len() > CODES {
        let name = language.pick("そのほかのコード", "All other codes").to_owned();
        lines.push(line(name, &|known| !named.contains(&known)));
    }
    let begin = |place: usize| {
        let hours = u32::try_from(place).unwrap_or(0) * HOURS;
        from.plus(Duration::from_hours(u64::from(hours)))
    };
    let ticks: Vec<_> = [0, moments / 2, moments - 1]
        .map(|place| Tick { place, name: short_hour(begin(place), language) })
        .into();
    let total_said = grouped(total);
    let summary = match language {
        Language::Ja => format!("この7日間に断った要求は{total_said}件です。"),
        Language::En => format!("{total_said} requests were refused within the last 7 days."),
    };
    let title = language.pick("断った要求（コードごと）", "Refused requests by code");
    let svg = LineChart { title, summary: &summary, lines: &lines, ticks: &ticks }.svg("refusals");
    let head =
        vec![language.pick("コード", "Code").to_owned(), language.pick("7日間（件）", "7 days").to_owned()];
    let rows = codes.iter().map(|(code, count)| vec![told(code, language), grouped(*count)]).collect();
    let note = language.pick(
        "サーバーが断ったものです。ゲートが断ったものは、ゲートの記録にあります。",
        "By servers. What gates refuse is in the records of the gates.",
    );
    Picture { id: "refusals", title, summary, svg, head, rows, note: Some(note) }
}

/// How soon changes were confirmed.
fn receipts(surfaces: &[SurfaceFigure], language: Language) -> Picture {
    let name = |figure: &SurfaceFigure| words::surface(&figure.kind, language).to_owned();
    let bars: Vec<_> = surfaces
        .iter()
        .map(|figure| Bar {
            name: name(figure),
            said: Some(format!("{} ms", grouped(figure.slowest))),
            values: vec![figure.median, figure.slowest - figure.median],
        })
        .collect();
    let slowest = surfaces.iter().map(|figure| figure.slowest).max().unwrap_or(0);
    let slowest = grouped(slowest);
    let unconfirmed: usize = surfaces.iter().map(|figure| figure.unconfirmed).max().unwrap_or(0);
    let summary = match (language, unconfirmed) {
        (Language::Ja, 0) => format!("どのサービスも、遅くとも{slowest}ミリ秒で確認しました。"),
        (Language::En, 0) => format!("All services confirmed within {slowest} ms."),
        (Language::Ja, _) => {
            "時間内に確認がそろわなかった変更があります。表の「未確認」をご覧ください。".to_owned()
        }
        (Language::En, _) => {
            "Some changes were not confirmed by all in time: see “Not by all” in the table.".to_owned()
        }
    };
    let title = language.pick("停止などが行き渡るまでの時間", "How soon changes are confirmed");
    let parts = [language.pick("中央の値", "Median"), language.pick("いちばん遅い値", "Slowest")];
    let parts = parts.map(str::to_owned);
    let svg = BarChart { title, summary: &summary, parts: &parts, bars: &bars }.svg("receipts");
    let head = vec![
        language.pick("サービス", "Service").to_owned(),
        language.pick("確認済み（件）", "Confirmed by all").to_owned(),
        language.pick("未確認（件）", "Not by all").to_owned(),
        format!("{} (ms)", parts[0]),
        format!("{} (ms)", parts[1]),
    ];
    let row = |figure: &SurfaceFigure| {
        let counts =
            [figure.changes, figure.unconfirmed].map(|count| u64::try_from(count).unwrap_or(u64::MAX));
        let times = [figure.median, figure.slowest]
            .map(|took| if figure.changes == 0 { "–".to_owned() } else { grouped(took) });
        [vec![name(figure)], counts.map(grouped).to_vec(), times.to_vec()].concat()
    };
    let rows = surfaces.iter().map(row).collect();
    let note = language.pick(
        "この画面で行った、最近の100件までの変更です。",
        "The last 100 changes that were made on these pages.",
    );
    Picture { id: "receipts", title, summary, svg, head, rows, note: Some(note) }
}

/// A code with what it means, where this version knows it.
fn told(code: &str, language: Language) -> String {
    match Refusal::from_code(code) {
        Some(refusal) => format!("{code} {}", refusal.title(language)),
        None => code.to_owned(),
    }
}

fn short_day(at: Timestamp, language: Language) -> String {
    let date = in_japan(at);
    let (month, day) = (u8::from(date.month()), date.day());
    match language {
        Language::Ja => format!("{month}月{day}日"),
        Language::En => format!("{month:02}-{day:02}"),
    }
}

fn short_hour(at: Timestamp, language: Language) -> String {
    let hour = in_japan(at).hour();
    match language {
        Language::Ja => format!("{} {hour}時", short_day(at, language)),
        Language::En => format!("{} {hour:02}:00", short_day(at, language)),
    }
}
