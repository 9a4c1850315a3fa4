//! Whose rows each method of the ledger is about. A new method finds its place here, or this fails.

use std::collections::BTreeSet;
use std::path::Path;

/// About the whole installation by nature: what servers, passes and the operator do for everybody.
const INSTALLATION: &[&str] = &[
    // Opening, the group of writers, and what all transactions have.
    "open",
    "open_with",
    "open_patiently",
    "open_beside",
    "open_with_new_log",
    "close",
    "commits",
    "group",
    "within",
    "for_services",
    "begin",
    "now",
    "feed_seq",
    "commit",
    "audit",
    "inspect",
    "engine_clock",
    // The audit chain, the feed, the revocation log.
    "audit_entries",
    "verify_audit",
    "retain_audit",
    "audit_links",
    "audit_hash_at",
    "last_entry",
    "feed_head",
    "feed_after",
    "denials",
    "verify_log",
    "note_restored",
    "add_log",
    "complete_log",
    "replay_log",
    "last_event_of",
    "revocation_logs",
    "replication",
    "row_security",
    "isolation_of",
    "note_refusal",
    "write_refusals",
    // Copied certificates, which servers notice.
    "open_copy_alarms",
    "raise_copy_alarm",
    // What operators and auditors see of the installation.
    "count_refusals",
    "refusal_hours",
    "keep_check",
    "last_check",
    "begin_check",
    "check_begun",
    "place_counts",
    "engine_name",
    // Keys that sign tokens.
    "token_keys",
    "withdrawn_token_keys",
    "appoint_token_key",
    "take_in_token_key",
    "withdraw_token_key",
    "end_token_keys",
    // Issuers, their lists, responders, registrars and blocked keys.
    "issuers",
    "living_certificates",
    "add_issuer",
    "move_issuer",
    "crl",
    "crl_number",
    "shards",
    "publish_crl",
    "status_of",
    "ended",
    "responders",
    "has_responder",
    "reserve_responder",
    "complete_responder",
    "forget_responders",
    "registrars",
    "reserve_registrar",
    "complete_registrar",
    "blocked_keys",
    "block_public_key",
    "block_key",
    "revoke_certificates_of",
    "take_over",
    // Which tenants there are, and who serves them.
    "add_tenant",
    "set_tenant_key",
    "set_register_key",
    "require_unchanged_places",
    "audit_end",
    "set_issuing",
    "silos",
    "suspended_tenants",
    // Passes.
    "retire_due",
    "abandon_reserved",
    "forget_approvals",
    "forget_acme",
    "forget_ended_sign_ins",
    "forget_authorizations",
    "fill_search_index",
    "fill_trail",
    "people_policies",
    "transfers_due",
    "newest_entry_at",
    "advance_transfer",
    // Plans of two tenants, which the operator keeps for both.
    "add_transfer",
    "change_transfer",
    "approve_transfer",
    "abort_transfer",
    "decline_transfer",
    "hold_transfer",
    "has_ended_windows",
    "close_windows",
    "signs_of_life",
    "overdue_reviews",
    "unused_soon",
    "round_of_reviews",
    "suspend_unused",
    "people_of_devices",
    "noted_steps",
    "due_mails",
    "mail",
    "mails",
    "mail_counts",
    "begin_mail",
    "add_notices",
    "finish_mail",
    "told_for_day",
    "claim_mail",
    "note_mail",
    "forget_mails",
    "pass_leases",
    "pass_states",
    "prune_families",
    "unfinished_lists",
    "work_off_list",
    "certificates_after",
    "gate_certificates",
    "clients_to_tell",
    "due_logouts",
    "drop_logouts_of",
    "give_up_logouts",
    // Whom the operator has told by mail.
    "notice_recipients",
    "sender_names",
    "add_notice_recipient",
    "remove_notice_recipient",
    "pause_notice_recipient",
    "set_sender_name",
    // Clients of the ledger, which are no tenant's.
    "clients_version",
    "stored_clients",
    "add_client",
    "rotate_client_access",
    "logout_receivers",
    "initial_tokens",
    "add_initial_token",
    "withdraw_initial_token",
    // Receipts of surfaces.
    "acknowledge",
    "receipts",
    // What servers tell each other.
    "register_server",
    "remove_server",
    "servers",
    "announce_reselection",
    "reselections_elsewhere",
    "count_wrong_guesses",
    "wrong_guesses",
    "guess_secret",
    "keep_guess_secret",
    // Status lists, and receivers of security events, which the configuration names.
    "status_head",
    "begin_status_lists",
    "statuses",
    "statuses_of",
    "last_of_places",
    "receivers",
    "receiver",
    "notices",
    "acknowledged",
    "ends",
    "issued_after",
    "claim_receiver",
    "note_delivery",
    "ask_verification",
    "introduce_receiver",
    "acme_secret",
    "keep_acme_secret",
];

/// About what a right names that nobody guesses and the caller has shown: a code, a key, a certificate, a token, the
/// name of a client whose certificate was verified.
const RIGHT: &[&str] = &[
    // A code.
    "find_invitation",
    "find_invitation_by_short_code",
    "find_kitting",
    "kitting_place_of",
    "take_place",
    "give_place_back",
    "approval_for",
    "ask_approval",
    "pass_approval_on",
    // A certificate, with the tenant that the status cache knows of it.
    "holding",
    "stop_cause",
    "handover",
    "mark_delivered",
    "mark_used",
    "is_licensed",
    "tokens_before",
    "record_token",
    // A token of the caller's.
    "family",
    "session_named",
    "end_session_on",
    "is_gate",
    "authorization_code",
    "keep_request",
    "take_request",
    "take_pushed_request",
    // An initial access token, or a client's registration access token.
    "initial_token",
    "register_client",
    "client_of_access",
    "change_client",
    "remove_client",
    "end_family",
    "deny_token",
    "tenant_of_denied_token",
    // The key of an ACME account, or of a SCEP transaction.
    "acme_account",
    "acme_account_of",
    "add_acme_account",
    "keep_acme_account",
    "change_acme_key",
    "close_acme_account",
    "acme_order",
    "acme_orders_of",
    "is_acme_certificate_of",
    "add_acme_order",
    "authorize_acme_order",
    "end_acme_order",
    "take_acme_order",
    "release_acme_order",
    "complete_acme_order",
    "scep_transactions",
    "keep_scep_transaction",
    // A setup link.
    "open_setup",
    "set_up_person",
    // A token of a tenant's directory.
    "scim_token",
    // The client that sent a list.
    "invitation_list",
    "invitation_lines",
    "receive_list",
    "hand_list_over",
    "withdraw_list",
];

/// Of no tenant, and yet a service's to ask or to write: what is public, what servers tell each other, and counters.
const OF_NO_TENANT: &[&str] = &[
    "issuers",
    "crl",
    "status_of",
    "wrong_guesses",
    "count_wrong_guesses",
    "guess_secret",
    "keep_guess_secret",
    "note_refusal",
    "servers",
    "announce_reselection",
    // What a client's right was shown for, when its list came.
    "unfinished_lists",
    "work_off_list",
];

/// Reads of a scope that a service makes without one: what names the row was shown before, and nothing but the row is.
const SHOWN: &[&str] = &[
    "invitation",
    "kitting_places",
    "approval",
    "certificates_of",
    "find_certificates",
    "guidance_of",
    "renewal_rules_of",
];

/// Writes for a tenant: methods of `Transaction` that a scope hands out as those of `ScopedTransaction`. What
/// `scoped_writes!` names and nothing else.
fn tenants_writes() -> BTreeSet<String> {
    listed(&read("scope/transaction.rs"), "scoped_writes! {\n")
}

/// The names in the lists that begin like this.
fn listed(text: &str, head: &str) -> BTreeSet<String> {
    let lists = text.split(head).skip(1).map(|list| list.split("\n}").next().expect("its end"));
    let lines = lists.flat_map(str::lines).filter_map(|line| line.strip_prefix("    "));
    let names = lines.filter(|line| !line.starts_with(' ')).filter_map(|line| line.split_once('('));
    names.map(|(name, _)| name.to_owned()).filter(|name| !name.is_empty()).collect()
}

#[test]
fn a_service_reaches_what_a_right_names_and_nothing_else() {
    let text = read("service_ledger.rs");
    let mut reached = listed(&text, "reads! { Ledger =>\n");
    reached.extend(listed(&text, "\nwrites! {\n"));
    for name in &reached {
        let is_fit = RIGHT.contains(&name.as_str()) || OF_NO_TENANT.contains(&name.as_str());
        assert!(is_fit, "by which right does whoever serves tenants call {name}?");
    }
    let shown: Vec<_> = listed(&text, "reads! { ScopedLedger =>\n").into_iter().collect();
    let mut expected: Vec<_> = SHOWN.iter().map(ToString::to_string).collect();
    expected.sort();
    assert_eq!(shown, expected, "whoever serves tenants reads other rows without a scope");
    let mut own = public_methods("impl ServiceLedger {");
    own.extend(public_methods("impl ServiceTransaction {"));
    assert_eq!(
        own.into_iter().collect::<Vec<_>>(),
        ["begin", "commit", "group", "now", "reached_by", "receipt_wait", "within"]
    );
}

#[test]
fn every_method_of_the_ledger_has_a_place_in_the_table() {
    let mut found = public_methods("impl Ledger {");
    found.extend(public_methods("impl Transaction {"));
    let mut classified = tenants_writes();
    for name in INSTALLATION.iter().chain(RIGHT) {
        assert!(classified.insert((*name).to_owned()), "{name} has two places");
    }
    let missing: Vec<_> = found.difference(&classified).collect();
    assert!(missing.is_empty(), "whose rows are these about? {missing:?}");
    let gone: Vec<_> = classified.difference(&found).collect();
    assert!(gone.is_empty(), "there are no such methods: {gone:?}");
}

/// The reads of a scope and its writes, as another tenant tries them.
pub(crate) fn scoped_methods() -> BTreeSet<String> {
    let mut found = public_methods("impl ScopedLedger {");
    found.retain(|name| !["scope", "narrowed", "begin"].contains(&name.as_str()));
    found.extend(tenants_writes());
    found
}

/// What blocks with this head give to other crates.
fn public_methods(head: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("a source");
            for block in text.split(&format!("\n{head}\n")).skip(1) {
                let block = block.split("\n}\n").next().expect("a block");
                found.extend(block.lines().filter_map(public_method));
            }
        }
    }
    found
}

fn public_method(line: &str) -> Option<String> {
    let rest = line.strip_prefix("    pub ")?;
    let rest = rest.strip_prefix("async ").unwrap_or(rest).strip_prefix("fn ")?;
    Some(rest.split(['(', '<']).next()?.to_owned())
}

fn read(file: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file)).expect("a source")
}
