//! The arrows between the crates: which may use which. `docs/architecture.md` draws them, and a dependency that is not
//! drawn there fails here.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// Each crate and the crates it may use.
const ARROWS: &[(&str, &[&str])] = &[
    ("core", &[]),
    ("net", &["core"]),
    ("gate", &["core", "net"]),
    ("storage", &["core"]),
    ("ca", &["core", "storage"]),
    ("web", &["core", "net", "storage"]),
    ("enroll", &["core", "storage", "web", "ca"]),
    ("signals", &["core", "storage", "web"]),
    ("federation", &["core"]),
    ("oauth", &["core", "storage", "web", "signals", "federation"]),
    ("identity", &["core", "storage", "web", "federation"]),
    ("console", &["core", "storage", "web"]),
    ("mail", &["core"]),
    ("scheduler", &["core", "storage", "mail"]),
    ("installation", &["core", "net", "storage", "ca"]),
    ("admin", &["core", "net", "storage", "ca", "installation", "scheduler"]),
    (
        "tegata",
        &[
            "core",
            "net",
            "storage",
            "gate",
            "ca",
            "installation",
            "admin",
            "web",
            "enroll",
            "signals",
            "oauth",
            "identity",
            "federation",
            "console",
            "mail",
            "scheduler",
        ],
    ),
];

/// Crates that test the others from outside. They may use any tool.
const WORKSHOPS: &[&str] = &["tegata-tests", "tegata-bench", "tegata-testkit"];

/// A foreign crate and the only crates that may name it as a dependency of what is built for users.
const RESERVED: &[(&str, &[&str])] = &[
    ("sqlx", &["storage"]),
    ("rcgen", &["ca"]),
    ("cryptoki", &["ca"]),
    ("x509-ocsp", &["ca"]),
    ("axum", &["web", "enroll", "signals", "oauth", "identity", "console", "tegata"]),
    ("tokio-rustls", &["net"]),
    ("argon2", &["identity"]),
    ("askama", &["web", "enroll", "identity", "console"]),
    ("lettre", &["mail"]),
    ("minijinja", &["mail"]),
    ("utoipa", &["web", "enroll", "console"]),
    ("clap", &["tegata"]),
    ("tracing-subscriber", &["tegata"]),
];

/// A crate and what must not be anywhere below it.
const FAR_FROM: &[(&str, &[&str])] = &[
    ("core", &["tokio", "hyper", "axum", "sqlx", "rcgen", "rustls"]),
    ("net", &["sqlx", "rcgen", "axum", "x509-parser"]),
    ("gate", &["sqlx", "rcgen", "axum"]),
    ("storage", &["axum", "hyper", "rcgen", "x509-parser"]),
    ("ca", &["axum", "hyper"]),
    ("signals", &["rcgen", "pkcs8", "tegata-ca"]),
    ("federation", &["axum", "hyper", "sqlx", "rustls"]),
    ("oauth", &["rcgen", "pkcs8", "tegata-ca"]),
    ("identity", &["rcgen", "pkcs8", "tegata-ca"]),
    ("console", &["rcgen", "pkcs8", "tegata-ca"]),
    ("mail", &["axum", "hyper", "sqlx", "rcgen"]),
    ("scheduler", &["axum", "hyper", "rcgen", "tegata-ca"]),
    ("installation", &["axum", "clap"]),
    ("admin", &["axum", "clap", "askama", "tegata-web"]),
];

/// ring is the only provider of cryptography.
const NOWHERE: &[&str] = &["openssl", "openssl-sys", "native-tls", "aws-lc-rs", "aws-lc-sys"];

#[test]
fn every_crate_uses_only_the_crates_below_it() {
    let workspace = Workspace::read();
    let crates: BTreeSet<_> = ARROWS.iter().map(|(krate, _)| format!("tegata-{krate}")).collect();
    let found: BTreeSet<_> = workspace.crates().collect();
    assert_eq!(found, crates, "a new crate is drawn in docs/architecture.md and listed here");
    for (krate, allowed) in ARROWS {
        let allowed: BTreeSet<_> = allowed.iter().map(|below| format!("tegata-{below}")).collect();
        let used = workspace.declared(&format!("tegata-{krate}"));
        let used: BTreeSet<_> = used.into_iter().filter(|name| crates.contains(name)).collect();
        let wrong: Vec<_> = used.difference(&allowed).collect();
        assert!(wrong.is_empty(), "{krate} must not use {wrong:?}");
    }
}

#[test]
fn no_crate_uses_what_is_reserved_for_another() {
    let workspace = Workspace::read();
    for (foreign, allowed) in RESERVED {
        for krate in workspace.crates() {
            let short = krate.trim_start_matches("tegata-");
            let uses = workspace.declared(&krate).contains(*foreign);
            assert!(!uses || allowed.contains(&short), "{short} must not depend on {foreign}");
        }
    }
}

#[test]
fn nothing_below_a_crate_is_forbidden_for_it() {
    let workspace = Workspace::read();
    for (krate, far) in FAR_FROM {
        let below = workspace.below(&format!("tegata-{krate}"));
        for name in *far {
            assert!(!below.contains(*name), "{name} is below {krate}");
        }
    }
}

#[test]
fn ring_is_the_only_provider_of_cryptography() {
    let workspace = Workspace::read();
    for (name, _) in ARROWS {
        let below = workspace.below(&format!("tegata-{name}"));
        let wrong: Vec<_> = NOWHERE.iter().filter(|banned| below.contains(**banned)).collect();
        assert!(wrong.is_empty(), "{name} brings {wrong:?} in");
    }
    assert!(workspace.below("tegata-tegata").contains("ring"), "the tree was read");
}

/// Who may say on whose behalf something is done, and where. A device's and an invitation's principal need no line: they are made
/// of what the ledger alone can give.
const PRINCIPALS: &[(&str, &[&str])] = &[
    ("Principal::operator(", &["installation/src/system_context.rs"]),
    // By its certificate, and by a token that is bound to it.
    ("Principal::client(", &["enroll/src/bulk/api.rs", "console/src/acting.rs"]),
    // By an ID token and by a logout token, each verified.
    (
        "Principal::provider(",
        &["identity/src/federation/account.rs", "identity/src/federation/backchannel_logout.rs"],
    ),
    (
        "Principal::system(",
        &[
            // An event says whose device it is about, and only its tenant's receivers hear it.
            "signals/src/receivers/signing.rs",
            // Who is due is looked for among everybody's.
            "scheduler/src/renewal.rs",
            // The vendor's register names everybody's companies.
            "admin/src/contracts.rs",
            // What the configuration names is looked up before anybody is served.
            "tegata/src/server/bulk.rs",
            "tegata/src/server/identity_providers.rs",
            "tegata/src/server/receivers.rs",
            "tegata/src/server/canary/place.rs",
            // Operators and auditors are told what gates are called.
            "tegata/src/server/health.rs",
        ],
    ),
];

/// Where an operator names a tenant: writes go through its scope. What serves tenants cannot do otherwise, by type.
const TENANT_FACING: &[&str] = &[
    "tegata/src/cli/approvals.rs",
    "tegata/src/cli/certificate.rs",
    "tegata/src/cli/device.rs",
    "tegata/src/cli/device/list.rs",
    "tegata/src/cli/device/lookup.rs",
    "tegata/src/cli/device/show.rs",
    "tegata/src/cli/device/stop.rs",
    "tegata/src/cli/guidance.rs",
    "tegata/src/cli/invite.rs",
    "tegata/src/cli/invite/bulk.rs",
    "tegata/src/cli/invite/kitting.rs",
    "tegata/src/cli/invite/managing.rs",
    "tegata/src/cli/invite/writing.rs",
    "tegata/src/cli/license.rs",
    "tegata/src/cli/person/adding.rs",
    "tegata/src/cli/person/linking.rs",
    "tegata/src/cli/person/lookup.rs",
    "tegata/src/cli/person/showing.rs",
    "tegata/src/cli/person/stopping.rs",
    "tegata/src/cli/policy.rs",
    "tegata/src/cli/sign_out.rs",
    "tegata/src/cli/tenant/sign_in.rs",
    "tegata/src/cli/site.rs",
];

#[test]
fn a_principal_is_made_only_where_somebody_was_recognized() {
    let sources = sources();
    for (made, allowed) in PRINCIPALS {
        for (file, text) in sources.iter().filter(|(file, _)| !file.starts_with("storage/")) {
            assert!(!text.contains(made) || allowed.contains(&file.as_str()), "{file} says {made}…)");
        }
        for file in *allowed {
            assert!(
                sources.get(*file).is_some_and(|text| text.contains(made)),
                "{file} is no exception to {made}…)"
            );
        }
    }
}

/// Crates that serve people and programs of tenants. They hold a `ServiceLedger`, which reaches nothing else of the ledger; these
/// names would give them more.
const SERVICES: &[&str] = &["enroll/", "identity/", "oauth/", "console/"];
const BEYOND_SERVICES: &[&str] =
    &["Ledger", "Transaction", "ServerContext", "Principal::system", "Principal::operator"];

#[test]
fn what_serves_tenants_never_names_the_whole_ledger() {
    for (file, text) in sources() {
        if !SERVICES.iter().any(|service| file.starts_with(service)) {
            continue;
        }
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let code: Vec<_> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        let mut words = code.iter().flat_map(|line| {
            line.split(|letter: char| !letter.is_alphanumeric() && letter != '_' && letter != ':')
        });
        let found = words.find(|word| BEYOND_SERVICES.contains(&word.trim_matches(':')));
        assert_eq!(
            found, None,
            "{file}: take it from the ServiceContext, or add a right to storage's ServiceLedger"
        );
    }
}

#[test]
fn what_an_operator_does_to_a_tenant_goes_through_its_scope() {
    let sources = sources();
    for file in TENANT_FACING {
        let text = sources.get(*file).unwrap_or_else(|| panic!("{file} is there"));
        let text: String = text.split_whitespace().collect();
        assert!(!text.contains("ledger.begin("), "{file} opens a transaction of the whole installation");
    }
}

/// What is built for users, by its path below `crates/`, tests left out.
fn sources() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
    let mut found = BTreeMap::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.strip_prefix(&root).expect("below crates/").to_string_lossy().into_owned();
            let is_test = name.contains("/tests") || name.starts_with("testkit");
            if path.is_dir() && !is_test {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test {
                found.insert(name, std::fs::read_to_string(path).expect("a source"));
            }
        }
    }
    found
}

#[test]
fn no_more_than_two_files_need_each_other() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let output = Command::new("scripts/lib/file-circles").current_dir(root).output().expect("python3 runs");
    let said = String::from_utf8(output.stdout).expect("text");
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.is_empty(), "a file of its own for what both sides need cuts it:\n{said}");
}

/// The workspace as cargo resolves it.
struct Workspace {
    packages: Vec<Value>,
    /// Package id → ids of what it is built with, tests left out.
    edges: BTreeMap<String, Vec<String>>,
    members: BTreeSet<String>,
}

impl Workspace {
    fn read() -> Self {
        let output = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version", "1", "--locked"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("cargo runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo's JSON");
        let nodes = array(&metadata["resolve"]["nodes"]);
        Self {
            packages: array(&metadata["packages"]).clone(),
            edges: nodes.iter().map(|node| (text(&node["id"]), used_by(node))).collect(),
            members: array(&metadata["workspace_members"]).iter().map(text).collect(),
        }
    }

    /// Members of the workspace that are built for users.
    fn crates(&self) -> impl Iterator<Item = String> {
        let is_member = |package: &&Value| self.members.contains(&text(&package["id"]));
        let names = self.packages.iter().filter(is_member).map(|package| text(&package["name"]));
        names.filter(|name| !WORKSHOPS.contains(&name.as_str()))
    }

    /// What a package names as its dependencies, tests left out.
    fn declared(&self, name: &str) -> BTreeSet<String> {
        let dependencies = array(&self.package(name)["dependencies"]).iter();
        let built_in = dependencies.filter(|dependency| dependency["kind"] != "dev");
        built_in.map(|dependency| text(&dependency["name"])).collect()
    }

    /// Names of everything that a package is built with, however far down.
    fn below(&self, name: &str) -> BTreeSet<String> {
        let mut open = vec![text(&self.package(name)["id"])];
        let mut seen = BTreeSet::new();
        while let Some(id) = open.pop() {
            for used in &self.edges[&id] {
                if seen.insert(used.clone()) {
                    open.push(used.clone());
                }
            }
        }
        let is_seen = |package: &&Value| seen.contains(&text(&package["id"]));
        self.packages.iter().filter(is_seen).map(|package| text(&package["name"])).collect()
    }

    fn package(&self, name: &str) -> &Value {
        self.packages.iter().find(|package| package["name"] == name).expect("a package of this name")
    }
}

fn used_by(node: &Value) -> Vec<String> {
    let is_built_in =
        |dependency: &&Value| array(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"] != "dev");
    array(&node["deps"]).iter().filter(is_built_in).map(|dependency| text(&dependency["pkg"])).collect()
}

fn array(value: &Value) -> &Vec<Value> {
    value.as_array().expect("an array")
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}
