//! Commands that end by themselves.

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// How a command ended.
#[derive(Debug)]
pub struct CommandOutcome {
    /// Its exit code; -1 when a signal ended it.
    pub code: i32,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl CommandOutcome {
    /// Runs the command to its end.
    pub fn of(command: &mut Command) -> Self {
        let name = command.get_program().to_owned();
        let output = command.stdin(Stdio::null()).output();
        Self::from(output.unwrap_or_else(|error| panic!("{}: {error}", name.display())))
    }

    /// The outcome, provided that it is a good one.
    #[allow(clippy::return_self_not_must_use, reason = "often the promise is all that is wanted")]
    pub fn good(self) -> Self {
        assert_eq!(self.code, 0, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// The last line of standard output as JSON.
    pub fn json(&self) -> serde_json::Value {
        let line = self.stdout.trim_end();
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line:?}; {}", self.stderr))
    }

    /// Both outputs, for whoever looks for a word.
    pub fn said(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

impl From<Output> for CommandOutcome {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Standard output of a command that must succeed.
pub fn run(program: &str, arguments: &[&str]) -> String {
    CommandOutcome::of(Command::new(program).args(arguments)).good().stdout
}

/// Runs a program in a folder.
pub fn run_in(folder: &Path, program: &str, arguments: &[&str]) -> String {
    CommandOutcome::of(Command::new(program).args(arguments).current_dir(folder)).good().stdout
}
