//! What a transfer will change, in lines: what the command prints, the page shows and people approve of.

use serde_json::{Value, json};
use tegata_core::Language;
use tegata_core::japan_date::moment;
use tegata_core::transfer::{DeviceTransferOutcome, PersonTransferOutcome, TransferChange};
use tegata_storage::{
    DeviceForecast, GivenApproval, PersonForecast, ReceivedForecast, SeenForecast, SiteForecast, Transfer,
    TransferForecast, TransferProblem,
};

/// The dry run of a transfer, line by line.
pub fn dry_run_text(transfer: &Transfer, seen: &SeenForecast, language: Language) -> String {
    let words = DryRunWords(language);
    let mut lines = match language {
        Language::Ja => vec![
            format!("計画: {}", transfer.plan.hash()),
            format!("開始: {}", moment(transfer.plan.at, language)),
        ],
        Language::En => vec![
            format!("plan      {}", transfer.plan.hash()),
            format!("begins    {}", transfer.plan.at.whole_second()),
        ],
    };
    if let TransferChange::Shares { name } = &transfer.plan.change {
        let called = &transfer.source_name;
        lines.push(match language {
            Language::Ja => format!("{called} の名前が {name} に変わります。ほかは何も変わりません。"),
            Language::En => format!("{called} is called {name}; nothing else changes"),
        });
    }
    match seen {
        SeenForecast::Whole(forecast) => words.whole(forecast, &mut lines),
        SeenForecast::Received(forecast) => words.received(forecast, &mut lines),
    }
    lines.join("\n")
}

/// A transfer without the decisions about each device and person, for programs.
pub fn describe_transfer(transfer: &Transfer) -> Value {
    json!({
        "transfer": transfer.id, "state": transfer.state, "plan": transfer.plan.hash(),
        "source": transfer.plan.source, "source_name": transfer.source_name, "target": transfer.plan.target(),
        "target_name": transfer.target_name, "at": transfer.plan.at.whole_second(),
        "latest": transfer.plan.latest.whole_second(), "requested_by": transfer.requested_by,
        "changed_by": transfer.changed_by, "reverses": transfer.reverses, "held": transfer.held,
        "begun_at": transfer.begun_at, "ended_at": transfer.ended_at,
        "name": match &transfer.plan.change {
            TransferChange::Shares { name } => Some(name),
            TransferChange::Business { .. } => None,
        },
    })
}

/// An approval, for programs.
pub fn describe_approval(transfer: &Transfer, given: &GivenApproval) -> Value {
    let GivenApproval { approval, at } = given;
    json!({
        "side": approval.side, "person": approval.person, "at": at.whole_second(),
        "counts": approval.plan == transfer.plan.hash(),
    })
}

struct DryRunWords(Language);

impl DryRunWords {
    fn whole(&self, forecast: &TransferForecast, lines: &mut Vec<String>) {
        for site in &forecast.sites {
            self.site(site, lines);
        }
        lines.extend(forecast.people.iter().map(|person| self.person(person)));
        lines.extend(forecast.clients.iter().map(|client| match self.0 {
            Language::Ja => {
                format!("製品: {} に {} 件のサインアウトを知らせます", client.client, client.sessions)
            }
            Language::En => {
                format!("client    {} hears of the end of {} sessions", client.client, client.sessions)
            }
        }));
        lines.extend(self.problems(&forecast.problems));
    }

    fn site(&self, site: &SiteForecast, lines: &mut Vec<String>) {
        let SiteForecast { site: id, name, becomes, new_name, .. } = site;
        lines.push(match self.0 {
            Language::Ja => format!("店舗: {name} ({id}) は {new_name} ({becomes}) になります"),
            Language::En => format!("site      {name} ({id}) becomes {new_name} ({becomes})"),
        });
        for device in &site.devices {
            self.device(device, lines);
        }
        lines.extend(site.invitations.iter().map(|invitation| match self.0 {
            Language::Ja => format!("  招待 {invitation} は取り消されます"),
            Language::En => format!("  invitation {invitation} is withdrawn"),
        }));
        lines.extend(site.kittings.iter().map(|kitting| match self.0 {
            Language::Ja => format!("  まとめて設定するコード {kitting} は終了します"),
            Language::En => format!("  kitting code {kitting} ends"),
        }));
        lines.extend(site.licenses.iter().map(|product| match self.0 {
            Language::Ja => format!("  製品: {product} の利用許可も移ります"),
            Language::En => format!("  license for {product} goes along"),
        }));
    }

    fn device(&self, device: &DeviceForecast, lines: &mut Vec<String>) {
        let DeviceForecast { device: id, label, outcome, sessions, refresh_tokens, .. } = device;
        lines.push(match self.0 {
            Language::Ja => format!(
                "  端末: {label} ({id}) は{}。サインイン {sessions} 件、更新トークン {refresh_tokens} 件が終わります",
                device_outcome(*outcome, self.0)
            ),
            Language::En => format!(
                "  device  {label} ({id}): {outcome}; {sessions} sessions and {refresh_tokens} refresh tokens end"
            ),
        });
        lines.extend(device.certificates.iter().map(|serial| match self.0 {
            Language::Ja => format!("    証明書 {serial} は失効します（所属の変更）"),
            Language::En => format!("    certificate {serial} is revoked: affiliationChanged"),
        }));
        lines.extend(device.people.iter().map(|person| match self.0 {
            Language::Ja => format!("    {person} 専用の端末です"),
            Language::En => format!("    is for {person}"),
        }));
    }

    fn person(&self, person: &PersonForecast) -> String {
        let PersonForecast { person: id, login, outcome, roles, sessions, loses, gets, .. } = person;
        let (gets, loses) = (gets.len(), loses.len());
        match self.0 {
            Language::Ja => format!(
                "人: {login} ({id}) は{}。{roles}、{gets} 店舗。{loses} 店舗を離れ、サインイン {sessions} 件が終わります",
                person_outcome(*outcome, self.0)
            ),
            Language::En => format!(
                "person    {login} ({id}): {outcome}; {roles} at {gets} sites, loses {loses}, {sessions} sessions end"
            ),
        }
    }

    fn received(&self, forecast: &ReceivedForecast, lines: &mut Vec<String>) {
        for site in &forecast.sites {
            lines.push(match self.0 {
                Language::Ja => format!("店舗: {} ({}) が加わります", site.name, site.site),
                Language::En => format!("site      {} ({}) comes", site.name, site.site),
            });
            lines.extend(site.devices.iter().map(|label| match self.0 {
                Language::Ja => format!("  端末: {label}"),
                Language::En => format!("  device  {label}"),
            }));
            lines.extend(site.licenses.iter().map(|product| match self.0 {
                Language::Ja => format!("  製品: {product} の利用許可も移ります"),
                Language::En => format!("  license for {product} comes along"),
            }));
        }
        lines.extend(forecast.people.iter().map(|person| {
            let sites = person.sites.len();
            match self.0 {
                Language::Ja => format!("人: {}（{}、{sites} 店舗）", person.login, person.roles),
                Language::En => format!("person    {}: {} at {sites} sites", person.login, person.roles),
            }
        }));
        lines.extend(self.problems(&forecast.problems));
        if forecast.other_problems {
            let text = self.0.pick(
                "相手の会社が確かめることが残っています",
                "there is something that the other company has to see to",
            );
            lines.push(self.look_at(text));
        }
    }

    fn problems(&self, problems: &[TransferProblem]) -> Vec<String> {
        problems.iter().map(|problem| self.look_at(&problem_text(problem, self.0))).collect()
    }

    fn look_at(&self, text: &str) -> String {
        format!("{}{text}", self.0.pick("確認: ", "look at   "))
    }
}

/// What becomes of a device, as people read it.
pub fn device_outcome(outcome: DeviceTransferOutcome, language: Language) -> &'static str {
    match outcome {
        DeviceTransferOutcome::Moved => language.pick("移ります", "moves"),
        DeviceTransferOutcome::Stayed => language.pick("元の会社に残ります", "stays"),
        DeviceTransferOutcome::Undecided => {
            language.pick("決まっていないため、使えなくなります", "undecided: ends")
        }
        DeviceTransferOutcome::Suspended => {
            language.pick("停止中のため、使えなくなります", "suspended: ends")
        }
        DeviceTransferOutcome::Ended => language.pick("すでに使われていません", "had ended before"),
    }
}

/// What becomes of a person, as people read it.
pub fn person_outcome(outcome: PersonTransferOutcome, language: Language) -> &'static str {
    match outcome {
        PersonTransferOutcome::Moved => language.pick("移ります", "moves"),
        PersonTransferOutcome::Stayed => language.pick("元の会社に残ります", "stays"),
        PersonTransferOutcome::Undecided => {
            language.pick("決まっていないため、元の会社に残ります", "undecided: stays")
        }
        PersonTransferOutcome::LoginTaken => {
            language.pick("ログインIDが重なるため、元の会社に残ります", "login ID taken: stays")
        }
        PersonTransferOutcome::Emergency => {
            language.pick("緊急用のため、元の会社に残ります", "for emergencies: stays")
        }
        PersonTransferOutcome::ChangedSince => {
            language.pick("承認の後に変更されたため、元の会社に残ります", "changed since the approval: stays")
        }
        PersonTransferOutcome::Gone => language.pick("すでにいません", "had left before"),
    }
}

/// What somebody should see to.
pub fn problem_text(problem: &TransferProblem, language: Language) -> String {
    let (ja, en) = both(problem);
    match language {
        Language::Ja => ja,
        Language::En => en,
    }
}

fn both(problem: &TransferProblem) -> (String, String) {
    match problem {
        TransferProblem::NotApproved => (
            "まだ全員の承認がそろっていません。そろうまで始まりません".into(),
            "approvals are missing: it will not begin".into(),
        ),
        TransferProblem::TenantSuspended { tenant } => (
            format!("会社 {tenant} が利用停止中です。再開するまで始まりません"),
            format!("tenant {tenant} is suspended: it will not begin"),
        ),
        TransferProblem::SiteGone { site } => (
            format!("店舗 {site} はもうありません。移りません"),
            format!("site {site} is not there any more: it stays out"),
        ),
        TransferProblem::SiteNameTaken { site, name } => (
            format!("移る先に同じ名前の店舗「{name}」があります。{site} は別の名前になります"),
            format!(
                "the new tenant has a site {name:?}: {site} will be called otherwise; --call gives it a name"
            ),
        ),
        TransferProblem::DeviceUndecided { device } => (
            format!("端末 {device} が決まっていません。使えなくなり、新しい招待が必要になります"),
            format!("device {device} is undecided: it ends, and needs a new invitation"),
        ),
        TransferProblem::DeviceSuspended { device } => (
            format!("端末 {device} は停止中です。移らずに使えなくなります"),
            format!("device {device} is suspended: it does not move, and ends"),
        ),
        TransferProblem::GateStays { device } => (
            format!("ゲート {device} は元の会社に残ります。移すときは登録し直してください"),
            format!("gate {device} stays where it is: enroll it anew if it goes along"),
        ),
        TransferProblem::PersonUndecided { person } => (
            format!("利用者 {person} が決まっていません。移る店舗を離れ、元の会社に残ります"),
            format!("person {person} is undecided, and stays without the sites that move"),
        ),
        TransferProblem::LoginTaken { person } => (
            format!("利用者 {person} は移れません。移る先に同じログインIDの人がいます"),
            format!("person {person} cannot move: somebody of the new tenant signs in by this name"),
        ),
        TransferProblem::PersonChanged { person } => (
            format!("利用者 {person} は承認の後に変更されたため、移りません。計画を承認し直してください"),
            format!(
                "person {person} was changed since the new tenant approved, and does not move: have the plan approved again"
            ),
        ),
        TransferProblem::PersonCannotSignIn { person } => (
            format!(
                "利用者 {person} は移りますが、移る先でサインインできません。移る先の管理者が設定し直してください"
            ),
            format!(
                "person {person} moves and cannot sign in there: somebody of the new tenant sets them up, or links them"
            ),
        ),
        TransferProblem::NoAdministratorLeft => (
            "元の会社に管理者がいなくなります".into(),
            "the tenant that gives is left without an administrator".into(),
        ),
        TransferProblem::NoRoom { places, needed } => (
            format!(
                "移る先に登録できる端末は {places} 台までで、{needed} 台になります。台数の上限を増やすまで始まりません"
            ),
            format!("the new tenant's policy admits {places} devices, and there would be {needed}"),
        ),
        TransferProblem::ProductNotLicensed { product } => (
            format!("移る先には {product} の利用許可がありません"),
            format!("the new tenant has no license for {product}: tegata license grant"),
        ),
    }
}
