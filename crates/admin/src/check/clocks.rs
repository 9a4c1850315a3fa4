//! This machine's clock against what the ledger was written with, the database's clock, and a running server's.

use super::code::FindingCode;
use super::context::CheckContext;
use std::time::Duration;
use tegata_core::Timestamp;
use tegata_installation::{Failure, FailureContext};
use tegata_net::plain_http;

/// More than this apart, clocks do not agree: gates and tokens count in seconds.
const APART: Duration = Duration::from_secs(2);

/// A date in HTTP has no fraction of a second.
const APART_IN_HTTP: Duration = Duration::from_secs(3);

/// Compares this host's clock with the audit log, the database and the running server.
pub async fn look(look: &mut CheckContext<'_>) -> Result<(), Failure> {
    let now = look.system.now();
    for [(seq, ahead), (next, right)] in look.dates.back.clone() {
        let detail = format!(
            "entry {seq} is dated {ahead} and entry {next} {right}: a clock was ahead and was set right"
        );
        look.report.add(FindingCode::ClockWasAhead, "the audit log", detail);
    }
    let explained = look.dates.ahead().plus(APART);
    let last = look.dates.last;
    if let Some((seq, at)) = last.filter(|(_, at)| *at > now.plus(APART)) {
        // Its last entry is the last that this clock said.
        look.report.add(
            FindingCode::ClockBehind,
            "this machine",
            format!("it is {now} here, and {at} at audit entry {seq}"),
        );
    }
    for latest in look.inspection.latest_times().await.doing("cannot read the ledger's times")? {
        if latest.at > now.plus(APART) && latest.at > explained && latest.table != "audit" {
            let (subject, detail) = (
                format!("table {}", latest.table),
                format!("it is {now} here, and {} was written", latest.at),
            );
            look.report.add(FindingCode::FutureRow, subject, detail);
        }
    }
    let asked = look.system.now();
    let engine = look.ledger.engine_clock().await.doing("cannot ask the database what time it is")?;
    if let Some(clock) = engine {
        apart(look, FindingCode::ClockDatabase, "the database", clock, asked, APART);
    }
    let asked = look.system.now();
    let server = server_clock(&look.public_address().to_string()).await;
    if let Some(clock) = server {
        apart(look, FindingCode::ClockServer, "the running server", clock, asked, APART_IN_HTTP);
    }
    let others = [engine.map(|_| "database"), server.map(|_| "server")];
    let others: Vec<_> = others.into_iter().flatten().collect();
    look.report.area(
        "clocks",
        if others.is_empty() {
            "nothing was written later than now; no other clock to compare".to_owned()
        } else {
            format!("nothing was written later than now; {} agrees", others.join(" and "))
        },
    );
    Ok(())
}

/// The answer was made between the question and now.
fn apart(
    look: &mut CheckContext<'_>,
    code: FindingCode,
    who: &str,
    clock: Timestamp,
    asked: Timestamp,
    limit: Duration,
) {
    let answered = look.system.now();
    if clock.plus(limit) < asked || clock > answered.plus(limit) {
        look.report.add(code, who, format!("it says {clock}, this machine {answered}"));
    }
}

/// The `Date` of whatever answers at the public address; nothing where no server runs.
async fn server_clock(address: &str) -> Option<Timestamp> {
    date_of(&plain_http::head(address).await?.head)
}

fn date_of(head: &str) -> Option<Timestamp> {
    let line = |line: &str| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("date").then(|| value.trim().to_owned())
    };
    Timestamp::parse_http_date(&head.lines().find_map(line)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_of_an_answer_is_read_to_the_second() {
        let head =
            "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n";
        assert_eq!(date_of(head), Timestamp::parse("1994-11-06T08:49:37Z"));
        for none in ["HTTP/1.1 200 OK\r\n\r\n", "date: yesterday", "date: Sun, 06 Foo 1994 08:49:37 GMT"] {
            assert_eq!(date_of(none), None);
        }
    }
}
