//! The output of commands: facts on standard output, the rest on standard error.
//!
//! A reader may go away, as `head` does. What was left to say is then dropped, and the command does its work to the end
//! with the exit code of that work: `println!` would panic, and a default SIGPIPE would kill a command between what it
//! did and its receipts. Output that is lost for another reason, such as a full disk, makes the command fail.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};
use std::sync::OnceLock;
use tegata_installation::Failure;

/// Why standard output could not be written; nothing more is written then.
static STOPPED: OnceLock<io::Error> = OnceLock::new();

/// `println!` for standard output that may be closed.
macro_rules! outln {
    ($($argument:tt)*) => { $crate::printing::out(format_args!("{}\n", format_args!($($argument)*))) };
}

/// `print!` for standard output that may be closed.
macro_rules! out {
    ($($argument:tt)*) => { $crate::printing::out(format_args!($($argument)*)) };
}

/// `eprintln!` for standard error that may be closed.
macro_rules! errln {
    ($($argument:tt)*) => { $crate::printing::err(format_args!("{}\n", format_args!($($argument)*))) };
}

/// `eprint!` for standard error that may be closed.
macro_rules! err {
    ($($argument:tt)*) => { $crate::printing::err(format_args!($($argument)*)) };
}

/// Writes to standard output.
pub fn out(text: Arguments<'_>) {
    if STOPPED.get().is_none() {
        noting(|| io::stdout().lock().write_fmt(text));
    }
}

/// Copies to standard output. Gives whether anybody is still reading.
pub fn copy(from: &mut impl io::Read) -> bool {
    noting(|| io::copy(from, &mut io::stdout().lock()).map(drop));
    STOPPED.get().is_none()
}

/// Writes to standard error, where nothing can be done about a failure.
pub fn err(text: Arguments<'_>) {
    let _ = io::stderr().lock().write_fmt(text);
}

/// Fails if some of the output was lost.
///
/// # Errors
/// Standard output could not be written, for another reason than that its reader went away.
pub fn finish() -> Result<(), Failure> {
    noting(|| io::stdout().lock().flush());
    match STOPPED.get() {
        Some(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::wrong(format!("the command did its work, but its output is incomplete: {error}")))
        }
        _ => Ok(()),
    }
}

fn noting(write: impl FnOnce() -> io::Result<()>) {
    if let Err(error) = write() {
        let _ = STOPPED.set(error);
    }
}
