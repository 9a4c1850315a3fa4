//! Many requests of one actor by one curl, over kept connections.

use crate::access::{AccessTable, filled};
use crate::actors::{Actor, Cast};
use crate::operations::Operation;
use serde_json::Value;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};
use tegata_tests::RunningInstallation;

/// What somebody was told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Told {
    pub(crate) status: u16,
    /// The code of a refusal, wherever its form has it.
    pub(crate) code: String,
    /// Where a redirection leads.
    pub(crate) location: String,
    pub(crate) body: String,
}

/// A request among many.
pub(crate) struct BatchedRequest {
    method: &'static str,
    url: String,
    headers: Vec<String>,
    body: Option<String>,
}

impl BatchedRequest {
    pub(crate) fn new(method: &str, url: String) -> Self {
        let method = ["GET", "POST", "PUT", "PATCH", "DELETE"].into_iter().find(|known| *known == method);
        Self { method: method.expect("a method"), url, headers: Vec::new(), body: None }
    }
}

/// All operations, as one actor asks for them.
pub(crate) fn send_all(
    cast: &Cast,
    actor: &Actor,
    operations: &[Operation],
    table: &AccessTable,
) -> Vec<(String, Told)> {
    let requests: Vec<_> =
        operations.iter().map(|operation| request(cast, actor, operation, table)).collect();
    let told = send_batch(&cast.installation, actor.pair.as_ref(), &requests);
    operations.iter().map(Operation::key).zip(told).collect()
}

fn request(cast: &Cast, actor: &Actor, operation: &Operation, table: &AccessTable) -> BatchedRequest {
    let origin = match operation.listener {
        "portal" => &cast.installation.portal,
        "device" => &cast.installation.device,
        _ => &cast.installation.public,
    };
    let query = table.query(operation).map_or_else(String::new, |query| format!("?{query}"));
    let url = cast.filled(&format!("{origin}{}{query}", filled(&operation.path)), actor);
    let mut request = BatchedRequest::new(&operation.method, url);
    if let Some(cookie) = &actor.cookie {
        request.headers.push(format!("cookie: {cookie}"));
        // As a program of theirs would, which has seen a device as it never was: nothing is done to it.
        request.headers.push(format!("x-csrf-token: {}", actor.form_token));
        request.headers.push("if-match: \"never\"".into());
    }
    if operation.method != "GET" {
        request.headers.push(format!("origin: {origin}"));
    }
    if let Some(token) = table.bearer(operation) {
        request.headers.push(cast.filled(&format!("authorization: Bearer {token}"), actor));
    }
    if let Some((media, body)) = table.body(operation) {
        request.headers.push(format!("content-type: {media}"));
        request.body = Some(cast.filled(body, actor));
    } else if let Some(body) = &operation.body {
        request.headers.push("content-type: application/json".into());
        request.headers.push("idempotency-key: walls".into());
        request.body = Some(cast.filled(body, actor));
    }
    request
}

/// The answers, in their order. A listener that asks for certificates is shown the pair, if there is one.
pub(crate) fn send_batch<'a>(
    installation: &RunningInstallation,
    pair: Option<&[String; 2]>,
    requests: impl IntoIterator<Item = &'a BatchedRequest>,
) -> Vec<Told> {
    let folder = tempfile::tempdir().expect("a folder");
    let place = |number: usize, kind: &str| folder.path().join(format!("{number}.{kind}"));
    let (mut config, mut count) = (String::new(), 0);
    for request in requests {
        let mut line = |name: &str, value: &str| {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"");
            writeln!(config, "{name} = \"{value}\"").expect("a text");
        };
        line("url", &request.url);
        line("request", request.method);
        line("cacert", &installation.tls_ca.display().to_string());
        // A feed has no end, and everything else answers sooner.
        line(
            "max-time",
            if request.url.ends_with("/feed") || request.url.ends_with("/stream") { "1" } else { "20" },
        );
        if let Some([certificate, key]) = pair {
            line("cert", certificate);
            line("key", key);
        }
        for header in &request.headers {
            line("header", header);
        }
        if let Some(body) = &request.body {
            line("data-binary", body);
        }
        line("output", &place(count, "body").display().to_string());
        line("dump-header", &place(count, "head").display().to_string());
        config.push_str("path-as-is\ngloboff\nsilent\nnext\n");
        count += 1;
    }
    let mut curl = Command::new("curl")
        .args(["--config", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("curl runs");
    let config = config.trim_end_matches("next\n");
    curl.stdin.take().expect("its input").write_all(config.as_bytes()).expect("it reads");
    // Its exit code is the last transfer's: what became of each is in the files.
    curl.wait().expect("curl ends");
    let read = |number, kind| {
        String::from_utf8_lossy(&std::fs::read(place(number, kind)).unwrap_or_default()).into_owned()
    };
    (0..count).map(|number| Told::read(&read(number, "head"), read(number, "body"))).collect()
}

impl Told {
    fn read(head: &str, body: String) -> Self {
        let status = head.lines().next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let location = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("location").then(|| value.trim().to_owned())
        });
        Self {
            status: status.unwrap_or(0),
            code: code_of(&body),
            location: location.unwrap_or_default(),
            body,
        }
    }
}

/// The code of a problem, of an OAuth error, or of a page.
fn code_of(body: &str) -> String {
    if let Ok(json) = serde_json::from_str::<Value>(body) {
        return json["code"].as_str().unwrap_or_default().to_owned();
    }
    let code = body.split_once("class=\"code\"").and_then(|(_, rest)| rest.split_once("<strong>"));
    code.map_or_else(String::new, |(_, code)| code.chars().take(4).collect())
}
