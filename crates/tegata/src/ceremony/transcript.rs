//! The transcript of an act: to the terminal, and to a file that is kept.

use crate::failure::{Failure, FailureContext};
use crate::system_context::SystemContext;
use serde_json::{Map, Value, json};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use tegata_core::Clock;

/// A transcript in the making. Each line is on the disk before the next thing is done.
pub struct Transcript {
    file: Option<File>,
    as_json: bool,
    clock: Arc<dyn Clock>,
}

impl Transcript {
    /// The file, if one is wanted, must not exist: a transcript is never added to.
    pub fn open(file: Option<&Path>, as_json: bool, system: &SystemContext) -> Result<Self, Failure> {
        let open = |path: &Path| {
            File::create_new(path).map_err(|error| {
                Failure::misuse(format!("cannot begin the transcript {}: {error}", path.display()))
            })
        };
        Ok(Self { file: file.map(open).transpose()?, as_json, clock: system.clock.clone() })
    }

    /// One thing, with its facts: a JSON object without `at` and `what`.
    pub fn say(&mut self, what: &str, facts: &Value) -> Result<(), Failure> {
        let mut line =
            Map::from_iter([("at".to_owned(), json!(self.clock.now())), ("what".to_owned(), what.into())]);
        line.extend(facts.as_object().cloned().unwrap_or_default());
        let line = Value::Object(line);
        if let Some(file) = &mut self.file {
            writeln!(file, "{line}").and_then(|()| file.sync_all()).doing("cannot write the transcript")?;
        }
        if self.as_json {
            outln!("{line}");
        } else {
            outln!("{what}");
            show(facts, 1);
        }
        Ok(())
    }
}

/// For people: one fact a line.
fn show(facts: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    let Value::Object(facts) = facts else { return };
    for (name, fact) in facts {
        match fact {
            Value::Object(_) => {
                outln!("{indent}{name}");
                show(fact, depth + 1);
            }
            Value::Array(list) => {
                outln!("{indent}{name}");
                for one in list {
                    outln!("{indent}  {}", plain(one));
                }
            }
            _ => outln!("{indent}{name:22} {}", plain(fact)),
        }
    }
}

fn plain(fact: &Value) -> String {
    match fact {
        Value::String(text) => text.clone(),
        Value::Object(facts) => {
            let parts = facts.iter().map(|(name, fact)| format!("{name} {}", plain(fact)));
            parts.collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}
