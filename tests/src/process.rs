//! Processes that run until somebody ends them.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, panicking};
use std::time::Duration;

/// Longer than anything here honestly takes.
const PATIENCE: Duration = Duration::from_mins(1);

/// A child that is killed when it is dropped. When the test is failing by then, the end of what it wrote to standard
/// error is shown.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    lines: Receiver<String>,
}

impl Process {
    /// Starts it; standard error goes to `log`.
    pub fn start(name: &str, command: &mut Command, log: &Path) -> Self {
        let errors = File::options().create(true).append(true).open(log).expect("a log file");
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let lines = lines_of(child.stdout.take().expect("its output"));
        Self { name: name.to_owned(), child, log: log.to_owned(), lines }
    }

    /// The next line of its standard output.
    ///
    /// # Panics
    /// When none comes.
    pub fn line(&mut self) -> String {
        self.next_line().unwrap_or_else(|| panic!("{} has nothing to say: {}", self.name, self.tail()))
    }

    /// The next line of its standard output, unless it ended or takes too long.
    pub fn next_line(&mut self) -> Option<String> {
        self.lines.recv_timeout(PATIENCE).ok()
    }

    /// Reads the next line as JSON.
    pub fn line_as_json(&mut self) -> serde_json::Value {
        let line = self.line();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in {line:?}"))
    }

    /// Its standard input.
    pub fn input(&mut self) -> &mut ChildStdin {
        self.child.stdin.as_mut().expect("its input")
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends it as `kill -9` does, without a chance to clean up.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Everything it wrote to standard error.
    pub fn log(&self) -> String {
        fs::read(&self.log).map(|text| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default()
    }

    /// What servers and gates wrote is looked through for secrets when all tests are over, by `scripts/test`; a command
    /// that speaks to a person on standard error has another name than `tegata …`.
    fn keep_log(&self) {
        let Some(folder) = std::env::var_os("TEGATA_TEST_LOGS").filter(|_| self.name.starts_with("tegata"))
        else {
            return;
        };
        let file =
            Path::new(&folder).join(format!("{}-{}.log", self.name.replace(' ', "-"), self.child.id()));
        if let Err(error) = fs::copy(&self.log, &file) {
            eprintln!("{} is not kept: {error}", self.log.display());
        }
    }

    fn tail(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        self.keep_log();
        if panicking() {
            eprintln!("── the end of what {} said:\n{}", self.name, self.tail());
        }
    }
}

fn lines_of(output: ChildStdout) -> Receiver<String> {
    let (sender, lines) = channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    lines
}
