//! The entries of the audit log about one subject, as sentences for people. Routine is folded: hundreds of tokens are
//! one line.

use serde_json::Value;
use tegata_core::Timestamp;
use tegata_storage::AuditEntry;

/// An entry of the audit log.
pub struct HistoryEvent {
    at: Timestamp,
    actor: String,
    action: String,
    detail: Value,
    /// Why whoever acted did so, as they said before.
    because: Option<String>,
}

/// A line for people.
#[derive(PartialEq, Eq, Debug)]
pub struct HistoryLine {
    /// When, the latest for what is folded.
    pub at: Timestamp,
    /// What happened, and by whom.
    pub text: String,
}

/// Routine entries that are not printed yet, the newest first.
#[derive(Default)]
struct RoutineCounts {
    tokens: u64,
    refreshes: u64,
    newest: Option<Timestamp>,
    oldest: Option<Timestamp>,
}

/// Makes lines of entries that come newest first.
#[derive(Default)]
pub struct HistoryFolding {
    lines: Vec<HistoryLine>,
    routine: RoutineCounts,
}

impl HistoryFolding {
    /// The next older entry.
    pub fn push(&mut self, event: &HistoryEvent) {
        if self.routine.takes(event) {
            return;
        }
        self.end_routine();
        self.lines.push(HistoryLine { at: event.at, text: event.sentence() });
    }

    /// How many lines there are already, without what is still being folded.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// All lines, newest first.
    pub fn finish(mut self) -> Vec<HistoryLine> {
        self.end_routine();
        self.lines
    }

    fn end_routine(&mut self) {
        self.lines.extend(std::mem::take(&mut self.routine).line());
    }
}

impl RoutineCounts {
    fn takes(&mut self, event: &HistoryEvent) -> bool {
        match event.action.as_str() {
            "token.issued" => self.tokens += event.tokens(),
            "token_family.rotated" => self.refreshes += 1,
            _ => return false,
        }
        self.newest = self.newest.max(Some(event.at));
        self.oldest = Some(self.oldest.map_or(event.at, |oldest| oldest.min(event.at)));
        true
    }

    fn line(self) -> Option<HistoryLine> {
        let (newest, oldest) = (self.newest?, self.oldest?);
        let what = match (self.tokens, self.refreshes) {
            (0, refreshes) => counted(refreshes, "use of a refresh token", "uses of a refresh token"),
            (tokens, _) => counted(tokens, "token", "tokens"),
        };
        let text = if newest == oldest {
            format!("{what} issued")
        } else {
            format!("{what} between {} and {}", oldest.whole_second(), newest.whole_second())
        };
        Some(HistoryLine { at: newest, text })
    }
}

fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

impl HistoryEvent {
    /// From the log; nothing where the entry is of a form that is not known.
    pub fn parse(entry: &AuditEntry) -> Option<Self> {
        let value: Value = serde_json::from_str(&entry.entry).ok()?;
        let text = |name: &str| value[name].as_str().map(str::to_owned);
        Some(Self {
            at: entry.at,
            actor: text("actor")?,
            action: text("action")?,
            detail: value.get("detail").cloned().unwrap_or_default(),
            because: because(&value["because"]),
        })
    }

    /// A number of its detail.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.detail[name].as_i64()
    }

    /// The actor as the audit log names it, such as `operator:root`.
    pub fn actor(&self) -> &str {
        &self.actor
    }

    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// What was noted about it, and why whoever acted did so, if anything was said.
    pub fn note(&self) -> Option<String> {
        let noted = ["note", "why"].iter().find_map(|name| self.text(name)).filter(|note| !note.is_empty());
        let said: Vec<_> = noted.into_iter().chain(self.because.as_deref()).collect();
        (!said.is_empty()).then(|| said.join("; "))
    }

    /// Who did it and when, as in `by operator root at 2026-11-30T08:00:00Z, who noted "ticket 7"`.
    pub fn by_whom_and_when(&self) -> String {
        let noted = self.note().map_or_else(String::new, |note| format!(", who noted {note:?}"));
        format!("by {} at {}{noted}", who(&self.actor), self.at.whole_second())
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.detail[name].as_str()
    }

    fn tokens(&self) -> u64 {
        let listed = self.detail["tokens"].as_array().map(|tokens| tokens.len() as u64);
        listed.or_else(|| self.detail["count"].as_u64()).unwrap_or(1)
    }

    fn sentence(&self) -> String {
        let what = self.what();
        let by = match self.actor.split_once(':') {
            // What a device or the program itself does in the course of things needs no name.
            Some(("device" | "system" | "invitation", _)) => String::new(),
            _ => format!(", by {}", who(&self.actor)),
        };
        let noted = self.note().map_or_else(String::new, |note| format!("; note: {note}"));
        format!("{what}{by}{noted}")
    }

    fn what(&self) -> String {
        let reason = self.text("reason").map_or_else(String::new, |reason| format!(" ({})", spaced(reason)));
        let generation = match (self.number("generation"), self.text("serial")) {
            (Some(generation), _) => format!("generation {generation}"),
            (None, Some(serial)) => format!("the certificate {serial}"),
            (None, None) => "the certificate".to_owned(),
        };
        match self.action.as_str() {
            "device.suspended" => format!("suspended{reason}"),
            "device.resumed" => "resumed".to_owned(),
            "device.revoked" => format!("revoked for ever{reason}"),
            "device.retired" => format!("retired{reason}"),
            "device.signed_out" => "signed out: tokens issued until then are refused".to_owned(),
            "certificate.reserved" => format!("{generation} was begun"),
            "certificate.issued" => format!("{generation} was issued"),
            "certificate.delivered" => "the device has its certificate".to_owned(),
            "certificate.used" => format!("{generation} was used for the first time"),
            "certificate.retired" => format!("{generation} retired, as a newer one works"),
            "certificate.abandoned" => format!("{generation} was given up: it was never completed"),
            "certificate.superseded" => format!("{generation} was given up for another attempt"),
            "certificate.revoked" => format!("{generation} was revoked{reason}"),
            "certificate.taken_over" => format!("{generation} was taken over from another CA"),
            "certificate.lost" => format!("{generation} is on no record any more, and revoked"),
            "token.revoked" => "a token was taken back".to_owned(),
            "token_family.started" => "signed in with a refresh token".to_owned(),
            "token_family.ended" => format!("the refresh token ended{reason}"),
            "acme.order_completed" => "an ACME client obtained a certificate".to_owned(),
            other => spaced(other).replace('.', ": "),
        }
    }
}

fn who(actor: &str) -> String {
    match actor.split_once(':') {
        Some(("system", name)) => format!("the program ({name})"),
        Some((kind, name)) => format!("{kind} {name}"),
        None if actor == "anonymous" => "somebody unknown".to_owned(),
        None => actor.to_owned(),
    }
}

/// Reason and ticket of somebody of the vendor's support, as in `a lost tablet [T-1024]`.
fn because(said: &Value) -> Option<String> {
    let (reason, ticket) = said["reason"].as_str().zip(said["ticket"].as_str())?;
    Some(format!("{reason} [{ticket}]"))
}

fn spaced(word: &str) -> String {
    word.replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(seconds: i64, actor: &str, action: &str, detail: &Value) -> HistoryEvent {
        let at = Timestamp::from_seconds(seconds);
        let entry = json!({"actor": actor, "action": action, "detail": detail}).to_string();
        HistoryEvent::parse(&AuditEntry { seq: 1, at, entry }).expect("an entry")
    }

    fn lines(events: &[HistoryEvent]) -> Vec<String> {
        let mut folding = HistoryFolding::default();
        for event in events {
            folding.push(event);
        }
        folding.finish().into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn tokens_in_a_row_are_one_line_and_everything_else_a_sentence() {
        let token = |seconds| event(seconds, "system:token", "token.issued", &json!({"tokens": [1, 2]}));
        let text = lines(&[
            event(900, "operator:root", "device.suspended", &json!({"reason": null, "note": "ticket 7"})),
            token(800),
            event(750, "device:d", "token_family.rotated", &json!({})),
            token(700),
            event(600, "device:d", "certificate.used", &json!({"generation": 1})),
            token(500),
        ]);
        assert_eq!(
            text,
            [
                "suspended, by operator root; note: ticket 7",
                "4 tokens between 1970-01-01T00:11:40Z and 1970-01-01T00:13:20Z",
                "generation 1 was used for the first time",
                "2 tokens issued",
            ]
        );
    }

    #[test]
    fn an_action_that_nobody_described_is_still_readable() {
        let text = lines(&[event(1, "client:till-cloud", "site.moved_on", &json!({}))]);
        assert_eq!(text, ["site: moved on, by client till-cloud"]);
    }

    #[test]
    fn what_support_said_of_its_call_stands_beside_the_note() {
        let entry = json!({
            "actor": "person:p", "action": "device.suspended", "detail": {"note": "by the till"},
            "because": {"reason": "a lost tablet", "ticket": "T-7"},
        });
        let event = HistoryEvent::parse(&AuditEntry {
            seq: 1,
            at: Timestamp::from_seconds(0),
            entry: entry.to_string(),
        });
        let note = event.expect("an entry").note();
        assert_eq!(note.as_deref(), Some("by the till; a lost tablet [T-7]"));
    }

    #[test]
    fn whoever_comes_second_learns_by_whom_when_and_why() {
        let first = event(0, "operator:root", "device.revoked", &json!({"note": "lost"}));
        assert_eq!(first.by_whom_and_when(), "by operator root at 1970-01-01T00:00:00Z, who noted \"lost\"");
    }
}
