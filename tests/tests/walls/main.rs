//! Tenants are walls: every operation of every listener is tried by everybody on the things of one tenant, and nobody of another
//! is shown or changes anything of it.
//!
//! | to learn about | read |
//! |---|---|
//! | which operations there are | [`operations`]: from openapi.json and the routers' sources |
//! | who tries them | [`actors`] |
//! | what they are told | [`access`], and `routes.toml` |

mod access;
mod actors;
mod operations;
mod sending;

use access::AccessTable;
use actors::Cast;
use operations::{Operation, find_operations};
use sending::{Told, send_all};
use serde_json::json;
use std::collections::BTreeMap;

/// What is only in names of the first tenant's things.
const MARK: &str = "KOUSECRET";

/// Where the console's API begins, as far as it shows or changes what is a tenant's.
const CONSOLES: [&str; 10] = [
    "/api/v1/devices",
    "/api/v1/approvals/",
    "/api/v1/sites",
    "/api/v1/people",
    "/api/v1/changes",
    "/api/v1/invitations/open",
    "/api/v1/health",
    "/api/v1/today",
    "/api/v1/figures",
    "/api/v1/transfers",
];

#[test]
fn nobody_of_another_tenant_sees_or_changes_anything_of_one() {
    let cast = Cast::assemble();
    let table = AccessTable::read();
    let mut operations = find_operations(&cast.installation, &table);
    // Whoever has signed out is told nothing more.
    operations.sort_by_key(|operation| operation.path.starts_with("/account"));
    table.knows_all(&operations);
    let before = cast.state();
    let (strangers, own): (Vec<_>, Vec<_>) = cast.actors.iter().partition(|actor| !actor.is_own);
    let mut told: BTreeMap<(String, &str), Told> = BTreeMap::new();
    for actor in strangers.iter().chain(&own) {
        if actor.is_own && told.keys().all(|(_, name)| !name.contains("own")) {
            let after = cast.state();
            assert_eq!(before, after, "somebody of another tenant changed something");
        }
        for (operation, answer) in send_all(&cast, actor, &operations, &table) {
            told.insert((operation, actor.name.as_str()), answer);
        }
    }
    let mut wrong = Vec::new();
    for actor in &cast.actors {
        for operation in &operations {
            let key = operation.key();
            let answer = &told[&(key.clone(), actor.name.as_str())];
            let of_nobody = &told[&(key.clone(), "nobody")];
            wrong.extend(table.fault(operation, actor, answer, of_nobody));
            let sees =
                answer.body.contains(MARK) || cast.identifiers().iter().any(|id| answer.body.contains(id));
            let is_own = actor.is_own || (actor.reaches_all && is_consoles(operation));
            // Whoever is told that a thing has changed since was let through to it.
            let is_let_through = ["D-12", "U-60", "T-32"].contains(&answer.code.as_str()) && !is_own;
            if (sees || is_let_through) && !is_own && !table.may_see(&key, &actor.name) {
                wrong
                    .push(format!("{key} shows {} something of another tenant: {}", actor.name, answer.body));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), told.len(), wrong.join("\n"));
    let own_page = &told[&("device GET /".to_owned(), "device of its own tenant")];
    assert!(own_page.body.contains(MARK), "whose it is does see it: the trial proves something");
    lets_an_auditor_do_nothing(&told);
    shows_an_auditor_the_wall(&cast);
}

/// What the console changes is refused to auditors by their role, in their own tenant and in any other. Which act, they may say.
fn lets_an_auditor_do_nothing(told: &BTreeMap<(String, &str), Told>) {
    let acts = |key: &str| {
        let path = key.split(' ').nth(2).unwrap_or_default();
        let is_read = key.contains(" GET ");
        // What is the person's own, and the question whether something is on file.
        let own = ["/console/call", "/console/views", "/api/v1/session"];
        let is_own = own.iter().any(|own| path.starts_with(own)) || path.ends_with("/check");
        !is_read
            && !is_own
            && (path.starts_with("/console") || CONSOLES.iter().any(|start| path.starts_with(start)))
    };
    let answers = told
        .iter()
        .filter(|((key, actor), _)| actor.starts_with("auditor") && key.starts_with("device ") && acts(key));
    let mut refused = 0;
    for ((key, actor), answer) in answers {
        assert!(answer.status >= 400, "{key} lets {actor}: {} {}", answer.status, answer.body);
        refused += usize::from(answer.code == "U-20");
    }
    assert!(refused >= 16, "{refused} refused by role: the trial proves nothing");
}

/// Whether the vendor's people reach all tenants by an operation.
fn is_consoles(operation: &Operation) -> bool {
    let mut paths = CONSOLES.iter().chain(&["/console"]);
    operation.listener == "device" && paths.any(|path| operation.path.starts_with(path))
}

/// After all of it: what is the tenant's, and that nothing leads out of it.
fn shows_an_auditor_the_wall(cast: &Cast) {
    let asked = ["tenant", "isolation-report", cast.identifiers()[0]];
    let report = cast.installation.tell(&asked);
    assert_eq!((&report["ok"], &report["walls"]["row_security"]), (&json!(true), &json!("none")), "{report}");
    let crossings = report["crossings"].as_array().expect("crossings");
    assert!(!crossings.is_empty() && crossings.iter().all(|crossing| crossing["rows"] == 0), "{report}");
    let rows = |name: &str| {
        let tables = report["rows"].as_array().expect("tables");
        tables.iter().find(|table| table["name"] == name).map(|table| table["rows"].clone())
    };
    // The first operator of a development installation may be one more.
    let people = rows("person").and_then(|rows| rows.as_u64()).unwrap_or(0);
    assert!(rows("site") == Some(json!(1)) && people >= 7, "{report}");
    let kinds: Vec<_> =
        report["resources"].as_array().expect("resources").iter().map(|of| &of["kind"]).collect();
    assert!(kinds.contains(&&json!("own")) && kinds.contains(&&json!("pooled")));
    let text = cast.installation.command_without_json(&asked).good().stdout;
    for said in ["KOUSECRET法人", "What is the tenant's own", "Nothing is wrong.", "row security  none"] {
        assert!(text.contains(said), "{said}: {text}");
    }
}
