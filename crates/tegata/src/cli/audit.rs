//! `tegata audit …`: the audit log in files that prove themselves.
//!
//! An export is JSON lines: a head that says behind which entry it begins, each entry exactly as it was hashed, the gaps where
//! entries had been let go before, and an end with the last hash. Without its end it was cut off. Whoever has exports that
//! follow one another can verify them with nothing else, and that the ledger goes on from there.

use super::output::OutputFormat;
use crate::cli::installation_args::InstallationArgs;
use crate::cli::moment::day_or_moment;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use tegata_core::Timestamp;
use tegata_core::encoding::{from_hex, hex};
use tegata_installation::{Failure, FailureContext, SystemContext};
use tegata_storage::{AuditChain, AuditEntry, AuditGap, AuditLink, Ledger};

/// What can be done with the audit log.
#[derive(clap::Subcommand)]
pub enum AuditCommand {
    /// Write the entries up to a day into a new file that proves itself; nothing is taken out of the ledger
    Export {
        /// Entries before this day (2026-04-01, as it begins in Japan) or moment (RFC 3339)
        #[arg(long, value_parser = day_or_moment)]
        before: Timestamp,
        /// Only what comes after this entry: where the last export ended
        #[arg(long, default_value_t = 0)]
        after: u64,
        /// The file to make
        #[arg(long)]
        out: PathBuf,
        #[command(flatten)]
        output: OutputFormat,
    },
    /// Verify exports that follow one another, without an installation
    Verify {
        /// The files, the oldest first
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Also that the ledger of the installation goes on from them
        #[arg(long)]
        with_ledger: bool,
        #[command(flatten)]
        output: OutputFormat,
    },
}

const FORMAT: &str = "tegata-audit-1";

/// Steps of the log read at a time.
const PAGE: u32 = 1000;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum ExportLine {
    Head { format: String, installation: String, after: u64, hash: String },
    Entry { seq: u64, at: Timestamp, hash: String, text: String },
    Gap { first: u64, last: u64, hash: String, entry: u64 },
    End { through: u64, hash: String, entries: u64 },
}

pub async fn run(
    place: &InstallationArgs,
    command: &AuditCommand,
    system: &SystemContext,
) -> Result<(), Failure> {
    match command {
        AuditCommand::Export { before, after, out, output } => {
            let installation = place.config()?.installation.name.as_str().to_owned();
            let ledger = place.ledger(system).await?;
            let exported = export(&ledger, &installation, (*after, *before), out).await;
            ledger.close().await;
            let (chain, entries) = exported?;
            let (through, hash) = (chain.seq(), hex(chain.hash()));
            if output.json {
                outln!(
                    "{}",
                    json!({"file": out.display().to_string(), "after": after, "through": through, "entries": entries, "hash": hash})
                );
            } else {
                outln!(
                    "{}: {entries} entries, from {} to {through}, ending with {hash}",
                    out.display(),
                    after + 1
                );
            }
            if entries == 0 { Err(Failure::wrong("there are no such entries")) } else { Ok(()) }
        }
        AuditCommand::Verify { files, with_ledger, output } => {
            let mut read = ExportChain::default();
            for file in files {
                read.follow(file)?;
            }
            let chain = read.finish()?;
            if *with_ledger {
                let ledger = place.ledger(system).await?;
                let joined = read.join(&ledger).await;
                ledger.close().await;
                joined?;
            }
            let (through, hash, entries) = (chain.0, hex(&chain.1), read.entries);
            if output.json {
                outln!(
                    "{}",
                    json!({"after": read.after, "through": through, "entries": entries, "hash": hash, "joined": with_ledger})
                );
            } else {
                let joined = if *with_ledger { "; the ledger goes on from there" } else { "" };
                outln!(
                    "{entries} entries, from {} to {through}, whole, ending with {hash}{joined}",
                    read.after + 1
                );
            }
            Ok(())
        }
    }
}

/// Under another name first, so that a file with the name is whole.
async fn export(
    ledger: &Ledger,
    installation: &str,
    (after, before): (u64, Timestamp),
    out: &Path,
) -> Result<(AuditChain, u64), Failure> {
    if out.exists() {
        return Err(Failure::misuse(format!("{} exists: an export is a new file", out.display())));
    }
    let draft = out.with_added_extension("new");
    let what = || format!("cannot write {}", draft.display());
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft);
    let mut file = BufWriter::new(file.doing(what())?);
    let written = write(ledger, installation, (after, before), &mut file).await;
    let done = match written {
        Ok(done) => done,
        Err(failure) => {
            let _ = fs::remove_file(&draft);
            return Err(failure);
        }
    };
    file.into_inner()
        .map_err(std::io::IntoInnerError::into_error)
        .and_then(|file| file.sync_all())
        .doing(what())?;
    fs::hard_link(&draft, out).doing(format!("cannot make {}", out.display()))?;
    fs::remove_file(&draft).doing(what())?;
    Ok(done)
}

async fn write(
    ledger: &Ledger,
    installation: &str,
    (after, before): (u64, Timestamp),
    file: &mut impl Write,
) -> Result<(AuditChain, u64), Failure> {
    let start = hash_at(ledger, after).await?;
    let mut put = |line: &ExportLine| -> Result<(), Failure> {
        serde_json::to_writer(&mut *file, line)
            .map_err(std::io::Error::from)
            .doing("cannot write the export")?;
        file.write_all(b"\n").doing("cannot write the export")
    };
    let head = ExportLine::Head {
        format: FORMAT.into(),
        installation: installation.into(),
        after,
        hash: hex(&start),
    };
    put(&head)?;
    let (mut chain, mut entries) = (AuditChain::from(after, start), 0);
    'log: loop {
        let page = ledger.audit_links(chain.seq(), PAGE).await.doing(READ)?;
        if page.is_empty() {
            break;
        }
        for link in page {
            if matches!(&link, AuditLink::Entry(entry, _) if entry.at >= before) {
                break 'log;
            }
            chain.follow(&link).map_err(|fault| Failure::wrong(format!("{fault}: see `tegata check`")))?;
            entries += u64::from(matches!(link, AuditLink::Entry(..)));
            put(&ExportLine::of(link))?;
        }
    }
    put(&ExportLine::End { through: chain.seq(), hash: hex(chain.hash()), entries })?;
    Ok((chain, entries))
}

/// The hash of the entry that an export begins behind.
async fn hash_at(ledger: &Ledger, after: u64) -> Result<Vec<u8>, Failure> {
    if after == 0 {
        return Ok(vec![0; 32]);
    }
    let at = ledger.audit_hash_at(after).await.doing(READ)?;
    at.ok_or_else(|| {
        Failure::misuse(format!(
            "entry {after} is not in the ledger (any more): begin behind another, or with all, without --after"
        ))
    })
}

const READ: &str = "cannot read the ledger";

impl ExportLine {
    fn of(link: AuditLink) -> Self {
        match link {
            AuditLink::Entry(AuditEntry { seq, at, entry }, hash) => {
                Self::Entry { seq, at, hash: hex(&hash), text: entry }
            }
            AuditLink::Gap(AuditGap { first, last, hash, entry }) => {
                Self::Gap { first, last, hash: hex(&hash), entry }
            }
        }
    }
}

/// Exports that follow one another, as far as they were read.
#[derive(Default)]
struct ExportChain {
    chain: Option<AuditChain>,
    installation: Option<String>,
    after: u64,
    entries: u64,
    /// Every place of the chain at which it can be compared with a ledger.
    hashes: HashMap<u64, Vec<u8>>,
}

impl ExportChain {
    fn follow(&mut self, path: &Path) -> Result<(), Failure> {
        let wrong = |what: &dyn std::fmt::Display| Failure::wrong(format!("{}: {what}", path.display()));
        let file = File::open(path).map_err(|error| wrong(&error))?;
        let (mut has_ended, mut is_begun, mut entries) = (false, false, 0);
        for (number, line) in BufReader::new(file).lines().enumerate() {
            let place = |what: &dyn std::fmt::Display| wrong(&format!("line {}: {what}", number + 1));
            let line = line.map_err(|error| place(&error))?;
            let line: ExportLine =
                serde_json::from_str(&line).map_err(|_| place(&"it is no line of an export"))?;
            if has_ended || is_begun == matches!(line, ExportLine::Head { .. }) {
                return Err(place(&"it stands where it does not belong"));
            }
            match line {
                ExportLine::Head { format, installation, after, hash } => {
                    self.begin(&format, installation, after, &hash).map_err(|what| place(&what))?;
                    is_begun = true;
                }
                ExportLine::End { through, hash, entries: counted } => {
                    let chain = self.chain.as_ref().ok_or_else(|| place(&"there is no head"))?;
                    if (through, hash, counted) != (chain.seq(), hex(chain.hash()), entries) {
                        return Err(place(&"the end says another story than the lines before it"));
                    }
                    has_ended = true;
                }
                line => {
                    let link = line.link().ok_or_else(|| place(&"a hash is none"))?;
                    entries += u64::from(matches!(link, AuditLink::Entry(..)));
                    let chain = self.chain.as_mut().ok_or_else(|| place(&"there is no head"))?;
                    chain.follow(&link).map_err(|fault| place(&fault))?;
                    self.hashes.insert(chain.seq(), chain.hash().to_vec());
                }
            }
        }
        self.entries += entries;
        if has_ended { Ok(()) } else { Err(wrong(&"it was cut off: the end is missing")) }
    }

    fn begin(
        &mut self,
        format: &str,
        installation: String,
        after: u64,
        hash: &str,
    ) -> Result<(), &'static str> {
        if format != FORMAT {
            return Err("an export of a form that this version does not know");
        }
        let hash = from_hex(hash).filter(|hash| hash.len() == 32).ok_or("a hash is none")?;
        if let (Some(chain), Some(known)) = (&self.chain, &self.installation) {
            let follows = chain.seq() == after && chain.hash() == hash && *known == installation;
            return if follows { Ok(()) } else { Err("it does not follow the file before it") };
        }
        if after == 0 && hash != [0; 32] {
            return Err("the first entry of all follows another one");
        }
        self.after = after;
        self.chain = Some(AuditChain::from(after, hash));
        self.installation = Some(installation);
        Ok(())
    }

    /// The last entry and its hash. What let entries go may be said only in a later export.
    fn finish(&self) -> Result<(u64, Vec<u8>), Failure> {
        let chain = self.chain.as_ref().ok_or_else(|| Failure::misuse("there is no export"))?;
        Ok((chain.seq(), chain.hash().to_vec()))
    }

    /// The ledger has let go of entries since, so that not every place is in it; those that are must agree, and one of them
    /// has to be the last, or lie in a gap that ends later.
    async fn join(&self, ledger: &Ledger) -> Result<(), Failure> {
        let (through, _) = self.finish()?;
        let (mut chain, mut common) = (AuditChain::default(), 0u64);
        while chain.seq() < through {
            let page = ledger.audit_links(chain.seq(), PAGE).await.doing(READ)?;
            if page.is_empty() {
                return Err(Failure::wrong(format!(
                    "the ledger ends at entry {}, before the exports do: it was cut off, or is another's or a backup",
                    chain.seq()
                )));
            }
            for link in page {
                chain.follow(&link).map_err(|fault| Failure::wrong(format!("in the ledger: {fault}")))?;
                let Some(known) = self.hashes.get(&chain.seq()) else { continue };
                if known != chain.hash() {
                    return Err(Failure::wrong(format!(
                        "entry {} of the ledger is another than that of the exports: one of them was edited",
                        chain.seq()
                    )));
                }
                common += 1;
            }
        }
        if common == 0 {
            return Err(Failure::wrong(
                "the ledger has let go of everything that the exports hold: export what follows too",
            ));
        }
        Ok(())
    }
}

impl ExportLine {
    fn link(self) -> Option<AuditLink> {
        let read = |hash: &str| from_hex(hash).filter(|hash| hash.len() == 32);
        match self {
            Self::Entry { seq, at, hash, text } => {
                Some(AuditLink::Entry(AuditEntry { seq, at, entry: text }, read(&hash)?))
            }
            Self::Gap { first, last, hash, entry } => {
                Some(AuditLink::Gap(AuditGap { first, last, hash: read(&hash)?, entry }))
            }
            Self::Head { .. } | Self::End { .. } => None,
        }
    }
}
