//! The transcript of an act: to the terminal, and to a file that is kept.

use serde_json::{Map, Value, json};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use tegata_core::Clock;
use tegata_installation::{Failure, FailureContext, SystemContext};

/// Where a ceremony is heard, and where somebody is asked.
pub trait CeremonyTerminal {
    /// Shows one thing with its facts. `line` is both as the transcript has them, with the time.
    fn hear(&mut self, what: &str, facts: &Value, line: &Value);

    /// Asks whether to go on with what ends something for ever.
    ///
    /// # Errors
    /// [`Failure`] when nobody consented.
    fn consent(&mut self, what: &str) -> Result<(), Failure>;
}

/// A transcript in the making. Each line is on the disk before the next thing is done.
pub struct Transcript<'a> {
    file: Option<File>,
    terminal: &'a mut dyn CeremonyTerminal,
    clock: Arc<dyn Clock>,
}

impl<'a> Transcript<'a> {
    /// The file, if one is wanted, must not exist: a transcript is never added to.
    pub fn open(
        file: Option<&Path>,
        terminal: &'a mut dyn CeremonyTerminal,
        system: &SystemContext,
    ) -> Result<Self, Failure> {
        let open = |path: &Path| {
            File::create_new(path).map_err(|error| {
                Failure::misuse(format!("cannot begin the transcript {}: {error}", path.display()))
            })
        };
        Ok(Self { file: file.map(open).transpose()?, terminal, clock: system.clock.clone() })
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
        self.terminal.hear(what, facts, &line);
        Ok(())
    }

    /// Obtains consent to what ends for ever.
    pub fn consent(&mut self, what: &str) -> Result<(), Failure> {
        self.terminal.consent(what)
    }
}
