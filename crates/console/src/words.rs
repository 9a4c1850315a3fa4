//! Words of the ledger as people read them.

use tegata_core::{DeviceId, DeviceState, Language, PersonRole};

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
