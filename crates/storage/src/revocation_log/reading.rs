//! Reading the log: its end, and what a ledger lacks.

use super::{
    BEGINNING, LogEnd, LogError, LogHeader, LogRecord, LoggedEvent, PersonRecordState, RevocationLog,
    SealedRecord, VERSION,
};
use crate::revocation_log::medium::{LogExtent, LogPart};
use std::collections::{HashMap, HashSet};
use std::io::{BufRead, Read};
use tegata_core::PersonId;

/// Bytes read first to find the last line. It is read again with more when that line is longer.
const PAGE: u64 = 1 << 16;

/// What a ledger knows of a log.
#[derive(Clone, Debug)]
pub(crate) struct WantedLogPlace {
    /// The last line it contains, by the name of the log.
    pub(crate) hash: Option<Vec<u8>>,
    /// The last event of its feed.
    pub(crate) feed_seq: u64,
    /// Other logs may tell of the same ledger, so that more than the last common event has to be compared.
    pub(crate) is_one_of_several: bool,
}

/// The log, read from end to end.
#[derive(Debug)]
pub(crate) struct LogScan {
    pub(crate) end: LogEnd,
    /// What the ledger lacks, oldest first. Without its place in the log: all events beyond its feed, and all other
    /// records there are, which can be done twice.
    pub(crate) lacking: Vec<LogRecord>,
    /// Whether the ledger's last line is in the log.
    pub(crate) found: bool,
    /// Events behind the ledger's place in the log, with numbers that its feed has too, and the last one before that place.
    pub(crate) overlapping: Vec<LoggedEvent>,
    /// The keys and CAs that the log speaks of, each with the CA's last state.
    pub(crate) keys: HashSet<String>,
    pub(crate) token_keys: HashSet<String>,
    pub(crate) issuers: HashSet<(String, String)>,
    /// The people that the log speaks of, with each one's last state.
    pub(crate) people: HashMap<PersonId, PersonRecordState>,
}

/// The log as an auditor sees it: every line follows its predecessor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogReport {
    /// Where the log is: a path for a file.
    pub file: String,
    /// Lines, the first included.
    pub lines: u64,
    /// The number of the last event in it.
    pub last_event: u64,
    /// Pieces of lines that a crash left.
    pub torn: u64,
    /// Whether it ends where the ledger says.
    pub agrees: bool,
    /// How many lines it has beyond the ledger; none where the ledger's last line is not in it.
    pub ahead: Option<u64>,
    /// Lines that it could not take when they were committed, and still lacks.
    pub owed: usize,
}

impl RevocationLog {
    pub(crate) fn header(&self) -> Result<LogHeader, LogError> {
        let first = self.part(0)?.bytes.split(b'\n').next().transpose();
        let first = first.map_err(|error| self.failed(&error))?;
        let sealed =
            first.as_deref().and_then(SealedRecord::parse).filter(|sealed| sealed.follows(&BEGINNING));
        match sealed.and_then(|sealed| sealed.record()) {
            Some(LogRecord::Header(header)) if header.version == VERSION => Ok(header),
            _ => Err(LogError::Unreadable(self.name())),
        }
    }

    /// Walks the whole chain, and collects what a ledger lacks.
    pub(crate) fn scan(&self, wanted: &WantedLogPlace) -> Result<LogScan, LogError> {
        let end = self.end()?;
        let mut scan = LogScan::new(end);
        let hash = self.walk(|sealed, line| {
            let record = sealed.record().ok_or_else(|| LogError::Newer { file: self.name(), line })?;
            scan.take(record, wanted);
            if wanted.hash.as_ref() == Some(&sealed.hash) {
                scan.is_known_so_far();
            }
            Ok(())
        })?;
        // Somebody wrote while it was read.
        if hash.0 != scan.end.hash {
            return Err(LogError::Moved);
        }
        Ok(scan)
    }

    /// Walks the whole chain.
    pub(crate) fn report(&self, expected: Option<&[u8]>) -> Result<LogReport, LogError> {
        self.header()?;
        let (mut lines, mut last_event, mut found) = (0, 0, None);
        let (hash, torn) = self.walk(|sealed, _| {
            lines += 1;
            if expected == Some(sealed.hash.as_slice()) {
                found = Some(lines);
            }
            if let Some(LogRecord::Event(logged)) = sealed.record() {
                last_event = logged.event.seq;
            }
            Ok(())
        })?;
        let agrees = expected == Some(hash.as_slice());
        let ahead = found.map(|found| lines - found);
        Ok(LogReport { file: self.name(), lines, last_event, torn, agrees, ahead, owed: 0 })
    }

    /// Gives the hash of the last line, and how many pieces of lines there are.
    fn walk(
        &self,
        mut visit: impl FnMut(&SealedRecord, u64) -> Result<(), LogError>,
    ) -> Result<(Vec<u8>, u64), LogError> {
        let (mut hash, mut torn) = (BEGINNING.to_vec(), 0);
        for (line, number) in self.part(0)?.bytes.split(b'\n').zip(1..) {
            let line = line.map_err(|error| self.failed(&error))?;
            // A piece of a line that a crash left stands in nobody's way: its successor follows its predecessor.
            let Some(sealed) = SealedRecord::parse(&line) else {
                torn += u64::from(!line.is_empty());
                continue;
            };
            if !sealed.follows(&hash) {
                return Err(LogError::Broken { file: self.name(), line: number });
            }
            visit(&sealed, number)?;
            hash = sealed.hash;
        }
        Ok((hash, torn))
    }

    /// The last whole line and the last event, found from behind.
    pub(super) fn read_end(&self, extent: LogExtent) -> Result<LogEnd, LogError> {
        let log = self.header()?.log;
        let mut page = PAGE;
        loop {
            let from = extent.size.saturating_sub(page);
            let mut bytes = Vec::new();
            let mut part = self.part(from)?.bytes.take(extent.size - from);
            part.read_to_end(&mut bytes).map_err(|error| self.failed(&error))?;
            let is_torn = bytes.last().is_some_and(|byte| *byte != b'\n');
            // The first piece may have begun before the page.
            let whole = if from == 0 {
                0
            } else {
                bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| at + 1)
            };
            let mut lines =
                bytes[whole..].rsplit(|byte| *byte == b'\n').filter_map(SealedRecord::parse).peekable();
            let hash = lines.peek().map(|sealed| sealed.hash.clone());
            let last_event = lines.find_map(|sealed| sealed.event_seq());
            match (hash, last_event) {
                (Some(hash), Some(last_event)) => {
                    return Ok(LogEnd { extent, log, hash, last_event, is_torn });
                }
                (Some(hash), None) if from == 0 => {
                    return Ok(LogEnd { extent, log, hash, last_event: 0, is_torn });
                }
                (None, _) if from == 0 => return Err(LogError::Unreadable(self.name())),
                _ => page *= 4,
            }
        }
    }

    fn part(&self, from: u64) -> Result<LogPart, LogError> {
        let part = self.medium.read_from(from).map_err(|error| self.failed(&error))?;
        part.ok_or_else(|| LogError::Missing(self.name()))
    }
}

impl LogScan {
    fn new(end: LogEnd) -> Self {
        Self {
            end,
            lacking: Vec::new(),
            found: false,
            overlapping: Vec::new(),
            keys: HashSet::new(),
            token_keys: HashSet::new(),
            issuers: HashSet::new(),
            people: HashMap::new(),
        }
    }

    fn take(&mut self, record: LogRecord, wanted: &WantedLogPlace) {
        match &record {
            LogRecord::Header(_) => return,
            LogRecord::Event(logged) if logged.event.seq <= wanted.feed_seq => {
                if !wanted.is_one_of_several {
                    self.overlapping.clear();
                }
                self.overlapping.push(logged.clone());
                return;
            }
            LogRecord::Event(_) => {}
            LogRecord::KeyBlocked { key, .. } => drop(self.keys.insert(key.clone())),
            LogRecord::TokenKeyWithdrawn { kid, .. } => drop(self.token_keys.insert(kid.clone())),
            LogRecord::IssuerMoved { issuer, state, .. } => {
                self.issuers.insert((issuer.to_string(), state.clone()));
            }
            LogRecord::PersonMoved { person, state, .. } => {
                self.people.insert(person.clone(), *state);
            }
        }
        self.lacking.push(record);
    }

    /// What came before is in the ledger; its last event is the proof that both are one story.
    fn is_known_so_far(&mut self) {
        self.found = true;
        self.lacking.clear();
        self.overlapping.drain(..self.overlapping.len().saturating_sub(1));
    }
}
