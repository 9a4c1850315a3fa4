//! The report of the next morning: what became of everything, and what is left to do. What the command prints is what the page shows.

use std::collections::BTreeMap;
use std::fmt::Display;
use tegata_core::Language;
use tegata_core::transfer::{DeviceTransferOutcome, PersonTransferOutcome, TransferState};
use tegata_storage::{Transfer, TransferResult, TransferSiteState, TransferredDevice};

/// What somebody reads who comes to work: first whether it is done, then what is left to do.
pub fn report_text(transfer: &Transfer, result: &TransferResult, language: Language) -> String {
    let mut lines = vec![headline(transfer, language).to_owned()];
    let count = |ja: &str, en: &str, number: usize| match language {
        Language::Ja => format!("{ja}: {number}"),
        Language::En => format!("{en}: {number}"),
    };
    let done = result.sites.iter().filter(|site| site.state == TransferSiteState::Done).count();
    lines.push(count("引き継いだ店舗", "sites handed over", done));
    for (outcome, number) in counted(result.devices.iter().map(|device| device.outcome)) {
        lines.push(count(device_ja(outcome), device_en(outcome), number));
    }
    for (outcome, number) in counted(result.people.iter().map(|person| person.outcome)) {
        lines.push(count(person_ja(outcome), person_en(outcome), number));
    }
    lines.extend(left(result, language));
    lines.join("\n")
}

pub(crate) fn headline(transfer: &Transfer, language: Language) -> &'static str {
    match transfer.state {
        TransferState::Draft | TransferState::Approved => {
            language.pick("まだ始まっていません。", "It has not begun.")
        }
        TransferState::Running => language.pick("いま進んでいます。", "It is under way."),
        TransferState::Done => language.pick("事業譲渡は完了しました。", "The transfer is done."),
        TransferState::Aborted => language
            .pick("取りやめになりました。何も変わっていません。", "It was aborted. Nothing was changed."),
        TransferState::Lapsed => language.pick(
            "期限までに始められませんでした。何も変わっていません。",
            "It could not begin in time. Nothing was changed.",
        ),
    }
}

/// What somebody has to do, device by device.
fn left(result: &TransferResult, language: Language) -> Vec<String> {
    let called = |device: &TransferredDevice| {
        let label = device.label.clone().unwrap_or_default();
        format!("  {label} ({})", device.successor.as_ref().unwrap_or(&device.device))
    };
    let mut lines = Vec::new();
    let mut list = |title: &'static str, devices: Vec<String>| {
        if !devices.is_empty() {
            lines.push(title.to_owned());
            lines.extend(devices);
        }
    };
    let waits =
        |device: &&TransferredDevice| device.outcome == DeviceTransferOutcome::Moved && !device.is_at_work;
    list(
        language.pick(
            "新しい証明書をまだ受け取っていない端末（その端末で証明書のページを開いてください）:",
            "devices that have not got their new certificate (open the certificate's page on each):",
        ),
        result.devices.iter().filter(waits).map(called).collect(),
    );
    let ended = |device: &&TransferredDevice| {
        matches!(device.outcome, DeviceTransferOutcome::Undecided | DeviceTransferOutcome::Suspended)
    };
    list(
        language.pick(
            "決まっていなかった、または停止中だった端末（使うには新しい招待が必要です）:",
            "devices that were undecided or suspended (each needs a new invitation):",
        ),
        result.devices.iter().filter(ended).map(called).collect(),
    );
    let undecided = result.people.iter().filter(|person| {
        matches!(
            person.outcome,
            PersonTransferOutcome::Undecided
                | PersonTransferOutcome::LoginTaken
                | PersonTransferOutcome::Emergency
                | PersonTransferOutcome::ChangedSince
                | PersonTransferOutcome::Gone
        )
    });
    list(
        language.pick("所属を確かめる必要がある人:", "people about whom somebody has to decide:"),
        undecided
            .map(|person| format!("  {} ({})", person.login.clone().unwrap_or_default(), person.person))
            .collect(),
    );
    lines
}

fn counted<T: Copy + Display>(all: impl Iterator<Item = T>) -> Vec<(T, usize)> {
    let mut counts: BTreeMap<String, (T, usize)> = BTreeMap::new();
    for one in all {
        counts.entry(one.to_string()).or_insert((one, 0)).1 += 1;
    }
    counts.into_values().collect()
}

const fn device_ja(outcome: DeviceTransferOutcome) -> &'static str {
    match outcome {
        DeviceTransferOutcome::Moved => "移った端末",
        DeviceTransferOutcome::Stayed => "元の会社に残った端末",
        DeviceTransferOutcome::Undecided => "決まっていなかった端末",
        DeviceTransferOutcome::Suspended => "停止中だった端末",
        DeviceTransferOutcome::Ended => "すでに使われていなかった端末",
    }
}

const fn device_en(outcome: DeviceTransferOutcome) -> &'static str {
    match outcome {
        DeviceTransferOutcome::Moved => "devices that moved",
        DeviceTransferOutcome::Stayed => "devices that stayed",
        DeviceTransferOutcome::Undecided => "devices that were undecided",
        DeviceTransferOutcome::Suspended => "devices that were suspended",
        DeviceTransferOutcome::Ended => "devices that had ended before",
    }
}

const fn person_ja(outcome: PersonTransferOutcome) -> &'static str {
    match outcome {
        PersonTransferOutcome::Moved => "移った人",
        PersonTransferOutcome::Stayed => "元の会社に残った人",
        PersonTransferOutcome::Undecided => "決まっていなかった人",
        PersonTransferOutcome::LoginTaken => "ログインIDが重なって移れなかった人",
        PersonTransferOutcome::Emergency => "緊急用のため移らなかったアカウント",
        PersonTransferOutcome::ChangedSince => "承認の後に変更されたため移らなかった人",
        PersonTransferOutcome::Gone => "すでにいなかった人",
    }
}

const fn person_en(outcome: PersonTransferOutcome) -> &'static str {
    match outcome {
        PersonTransferOutcome::Moved => "people who moved",
        PersonTransferOutcome::Stayed => "people who stayed",
        PersonTransferOutcome::Undecided => "people who were undecided",
        PersonTransferOutcome::LoginTaken => "people whose login ID was taken",
        PersonTransferOutcome::Emergency => "accounts for emergencies, which do not move",
        PersonTransferOutcome::ChangedSince => "people changed after the last approval, who did not move",
        PersonTransferOutcome::Gone => "people who had left before",
    }
}
