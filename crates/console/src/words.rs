//! Words of the ledger as people read them.

use crate::kitting::KittingStanding;
use tegata_core::transfer::{TransferSide, TransferState};
use tegata_core::{DeviceId, DeviceState, Language, PersonRole};
use tegata_storage::InvitationProgress;

pub(crate) const fn state(state: DeviceState, language: Language) -> &'static str {
    match state {
        DeviceState::Active => language.pick("有効", "In use"),
        DeviceState::Suspended => language.pick("一時停止中", "Suspended"),
        DeviceState::Revoked => language.pick("失効（元に戻せません）", "Revoked for ever"),
        DeviceState::Retired => language.pick("使用終了", "Retired"),
    }
}

pub(crate) const fn role(role: PersonRole, language: Language) -> &'static str {
    match role {
        PersonRole::Staff => language.pick("職員", "Staff"),
        PersonRole::SiteManager => language.pick("店舗の管理者", "Site manager"),
        PersonRole::TenantAdmin => language.pick("本部の管理者", "Head office"),
        PersonRole::Support => language.pick("サポート", "Support"),
        PersonRole::SupportLead => language.pick("サポートの責任者", "Support lead"),
        PersonRole::Operator => language.pick("運用者", "Operator"),
        PersonRole::Auditor => language.pick("監査人", "Auditor"),
    }
}

/// How far an invitation is.
pub(crate) const fn progress(progress: InvitationProgress, language: Language) -> &'static str {
    match progress {
        InvitationProgress::Waiting => language.pick("未使用", "Not used yet"),
        InvitationProgress::AwaitsApproval => language.pick("承認待ち", "Waits for approval"),
        InvitationProgress::Fetched => language.pick("証明書を受け取り済み", "Certificate fetched"),
        InvitationProgress::Enrolled => language.pick("使用開始", "In use"),
        InvitationProgress::Expired => language.pick("期限切れ", "Expired"),
        InvitationProgress::Withdrawn => language.pick("取り消し", "Taken back"),
    }
}

/// Where a kitting code stands.
pub(crate) const fn kitting(standing: KittingStanding, language: Language) -> &'static str {
    match standing {
        KittingStanding::Open => language.pick("使えます", "Open"),
        KittingStanding::UsedUp => language.pick("台数分が終わりました", "All devices are set up"),
        KittingStanding::Ended => language.pick("終了しました", "Ended"),
        KittingStanding::Expired => language.pick("期限切れ", "Expired"),
    }
}

/// What of a change acts upon it.
pub(crate) fn surface(kind: &str, language: Language) -> &'static str {
    match kind {
        "token" => language.pick("トークンの発行", "Tokens"),
        "introspection" => language.pick("トークンの照会", "Token checks"),
        "ocsp" => language.pick("証明書の照会（OCSP）", "Certificate checks (OCSP)"),
        "status-list" => language.pick("トークンの状態一覧", "Token status lists"),
        "crl" => language.pick("失効リスト（CRL）", "Revocation lists (CRL)"),
        "gate" => language.pick("ゲート", "Gates"),
        _ => language.pick("その他", "Other"),
    }
}

/// The beginning of an identifier, as every page shows it: short enough to read out, in two halves.
pub(crate) fn number(device: &DeviceId) -> String {
    let number = &device.as_str()[..8];
    format!("{}-{}", &number[..4], &number[4..]).to_uppercase()
}

pub(crate) const fn transfer_state(state: TransferState, language: Language) -> &'static str {
    match state {
        TransferState::Draft => language.pick("承認待ち", "Waits for approval"),
        TransferState::Approved => {
            language.pick("承認済み（日時を待っています）", "Approved, waits for its time")
        }
        TransferState::Running => language.pick("実行中", "Under way"),
        TransferState::Done => language.pick("完了", "Done"),
        TransferState::Aborted => language.pick("取りやめ", "Taken back"),
        TransferState::Lapsed => language.pick("期限切れ", "Not begun in time"),
    }
}

pub(crate) const fn transfer_side(side: TransferSide, language: Language) -> &'static str {
    match side {
        TransferSide::Source => {
            language.pick("譲り渡す会社の管理者", "An administrator of the company that gives")
        }
        TransferSide::Target => {
            language.pick("譲り受ける会社の管理者", "An administrator of the company that receives")
        }
        TransferSide::Support => language.pick("サポートの責任者", "A lead of support"),
    }
}

/// Why a transfer waits though its minute has come.
pub(crate) fn transfer_hold(held: &str, language: Language) -> &'static str {
    match held {
        "not_approved" => language.pick("承認がそろっていません", "Approvals are missing"),
        "tenant_suspended" => language.pick("会社が利用停止中です", "A company is suspended"),
        "name_taken" => language.pick("新しい名前の会社がすでにあります", "Another company has the new name"),
        "no_room" => language
            .pick("移る先の端末の台数が上限を超えます", "The other company has no places for the devices"),
        "begun_before" => language.pick(
            "この譲渡は、復元する前に始まっていました。サポートへご連絡ください",
            "It had begun before the ledger was restored: tell support",
        ),
        "versions_mixed" => language
            .pick("サーバーの更新が終わるのを待っています", "It waits until all servers run one version"),
        "clocks_differ" => language.pick(
            "サーバーの時計が合っていないため、待っています",
            "It waits because the clocks of servers do not agree",
        ),
        _ => language.pick("待っています", "It waits"),
    }
}
