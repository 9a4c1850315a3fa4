//! Which tables have rows of tenants, and how a row says whose it is. Row-level security has a policy for each of them
//! (`migrations/postgres`); what an auditor is shown is counted by it.

/// A table with rows of tenants.
pub(crate) struct TenantTable {
    pub(crate) name: &'static str,
    /// Rows of the tenant `$1`.
    pub(crate) count: &'static str,
}

macro_rules! tables {
    ($($name:literal $condition:literal)*) => {
        /// All tables with rows of tenants.
        pub(crate) const TENANT_TABLES: &[TenantTable] = &[$(TenantTable {
            name: $name,
            count: concat!("SELECT COUNT(*) FROM ", $name, " x WHERE ", $condition),
        }),*];
    };
}

tables! {
    "tenant" "x.id = $1"
    "site" "x.tenant = $1"
    "device" "x.tenant = $1"
    "invitation" "x.tenant = $1"
    "kitting" "x.tenant = $1"
    "licence" "x.tenant = $1"
    "invitation_line" "x.tenant = $1"
    "invitation_batch" "x.tenant = $1"
    "person" "x.tenant = $1"
    "session" "x.tenant = $1"
    "scim_token" "x.tenant = $1"
    "people_policy" "x.tenant = $1"
    "person_review" "x.tenant = $1"
    "person_link" "x.tenant = $1"
    "provider_logout" "x.tenant = $1"
    "certificate" "x.device IN (SELECT o.id FROM device o WHERE o.tenant = $1)"
    "token_family" "x.device IN (SELECT o.id FROM device o WHERE o.tenant = $1)"
    "granted_token" "x.family IN (SELECT f.id FROM device o JOIN token_family f ON f.device = o.id WHERE o.tenant = $1)"
    "denied_tokens" "x.holder = $1 OR x.holder IN (SELECT o.id FROM device o WHERE o.tenant = $1)"
    "token_day" "x.holder IN (SELECT o.id FROM device o WHERE o.tenant = $1)"
    "copy_alarm" "x.device IN (SELECT o.id FROM device o WHERE o.tenant = $1)"
    "loss_report" "x.device IN (SELECT o.id FROM device o WHERE o.tenant = $1)"
    "approval" "x.invitation IN (SELECT o.id FROM invitation o WHERE o.tenant = $1)"
    "acme_account" "x.invitation IN (SELECT o.id FROM invitation o WHERE o.tenant = $1)"
    "acme_order" "x.invitation IN (SELECT o.id FROM invitation o WHERE o.tenant = $1)"
    "person_site" "x.person IN (SELECT o.id FROM person o WHERE o.tenant = $1)"
    "credential" "x.person IN (SELECT o.id FROM person o WHERE o.tenant = $1)"
    "person_code" "x.person IN (SELECT o.id FROM person o WHERE o.tenant = $1)"
    "passkey" "x.person IN (SELECT o.id FROM person o WHERE o.tenant = $1)"
    "imported_password" "x.person IN (SELECT o.id FROM person o WHERE o.tenant = $1)"
    "person_review_answer" "x.review IN (SELECT o.id FROM person_review o WHERE o.tenant = $1)"
    "setup_link" "x.person IN (SELECT o.id FROM person o WHERE o.tenant = $1)"
    "person_device" "x.person IN (SELECT o.id FROM person o WHERE o.tenant = $1)"
    "device_person" "x.person IN (SELECT o.id FROM person o WHERE o.tenant = $1)"
    "device_change" "x.tenant = $1"
    "notice_recipient" "x.tenant = $1"
    "mail" "x.tenant = $1"
    "renewal_notice" "x.device IN (SELECT o.id FROM device o WHERE o.tenant = $1)"
    "kept_answer" "x.person IN (SELECT o.id FROM person o WHERE o.tenant = $1)"
    "trail" "x.tenant = $1"
    "kept_client_answer" "x.tenant = $1"
    "saved_view" "x.person IN (SELECT o.id FROM person o WHERE o.tenant = $1)"
    "file_check" "x.person IN (SELECT o.id FROM person o WHERE o.tenant = $1)"
    "search_name" "x.tenant = $1"
    "search_gram" "x.tenant = (SELECT o.search_number FROM tenant o WHERE o.id = $1)"
    "transfer" "x.source = $1 OR x.target = $1"
    "transfer_site" "x.transfer IN (SELECT o.id FROM transfer o WHERE o.source = $1 OR o.target = $1)"
    "transfer_approval" "x.transfer IN (SELECT o.id FROM transfer o WHERE o.source = $1 OR o.target = $1)"
    "transfer_binding" "x.transfer IN (SELECT o.id FROM transfer o WHERE o.source = $1)"
    "transfer_item" "x.transfer IN (SELECT o.id FROM transfer o WHERE o.source = $1 OR (o.target = $1 AND x.outcome = 'moved'))"
    "audit" "x.device IN (SELECT o.id FROM device o WHERE o.tenant = $1) OR (x.device IS NULL AND x.entry LIKE '%\"tenant\":\"' || $1 || '\"%')"
    "feed" "x.change LIKE '%\"tenant\":\"' || $1 || '\"%' OR EXISTS (SELECT 1 FROM device o WHERE o.tenant = $1 AND x.change LIKE '%\"device\":\"' || o.id || '\"%')"
}
