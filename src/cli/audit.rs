//! `auricle audit`: the chain of who did or read what, read and checked at the machine.

use super::{Failure, texts, user};
use auricle::backups;
use auricle::config::Config;
use auricle_domain::audit::AuditHead;
use auricle_storage::{ReadTx, Store};
use clap::Subcommand;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

/// Entries that `list` shows at most.
const LISTED_MAX: u16 = 1_000;
/// Lines of a file of heads that are read; one a day for ten years is less.
const HEADS_MAX: usize = 10_000;

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Check every link, and the exported heads in a file; name the first that does not hold
    Verify {
        /// A file of heads: one in a line, as `auricle audit head` prints them, or one that lies beside a backup
        #[arg(long, value_name = "FILE")]
        head: Option<PathBuf>,
    },
    /// Print the end of the chain: its number and its link
    Head,
    /// Show entries, newest first
    List {
        /// How many
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=i64::from(LISTED_MAX)))]
        limit: u16,
    },
}

/// Runs one of them.
pub(super) fn run(config: &Config, command: AuditCommand, out: &mut dyn Write) -> Result<(), Failure> {
    let store = user::open(config)?;
    match command {
        AuditCommand::Verify { head } => verify(&store, head.as_deref(), out),
        AuditCommand::Head => {
            let head = store.read(ReadTx::audit_head).map_err(Failure::failed)?;
            writeln!(out, "{} {}", head.seq, head.link)?;
            Ok(())
        }
        AuditCommand::List { limit } => list(&store, limit, out),
    }
}

fn verify(store: &Store, file: Option<&Path>, out: &mut dyn Write) -> Result<(), Failure> {
    let heads = file.map(read_heads).transpose()?.unwrap_or_default();
    let check = store.verify_audit(&heads, |_, _| {}).map_err(Failure::failed)?;
    if let Some(broken) = check.broken {
        return Err(Failure::Failed(format!("the audit chain does not hold: {broken}")));
    }
    writeln!(out, "{}: {} entries, {} exported heads.", texts::AUDIT_HOLDS, check.entries, heads.len())?;
    writeln!(out, "{} {}", check.head.seq, check.head.link)?;
    Ok(())
}

fn read_heads(path: &Path) -> Result<Vec<AuditHead>, Failure> {
    if let Some(beside_a_backup) = backups::heads(path) {
        return Ok(beside_a_backup.heads);
    }
    let file = File::open(path).map_err(|error| Failure::Failed(format!("cannot read {}: {error}", path.display())))?;
    let mut heads = Vec::new();
    for (number, line) in BufReader::new(file).lines().take(HEADS_MAX).enumerate() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let parsed = line
            .split_once(' ')
            .and_then(|(seq, link)| Some(AuditHead { seq: seq.trim().parse().ok()?, link: link.trim().parse().ok()? }));
        heads.push(parsed.ok_or_else(|| {
            Failure::Usage(format!("line {} of {} is no head: a number and 64 digits", number + 1, path.display()))
        })?);
    }
    Ok(heads)
}

fn list(store: &Store, limit: u16, out: &mut dyn Write) -> Result<(), Failure> {
    let entries = store.read(|tx| tx.audit(u64::MAX, usize::from(limit))).map_err(Failure::failed)?;
    if entries.is_empty() {
        writeln!(out, "{}", texts::AUDIT_EMPTY)?;
    }
    for entry in entries {
        let reason = entry.reason.map_or(String::new(), |reason| format!("  \"{reason}\""));
        writeln!(
            out,
            "{:>8}  {:.0}  {:<24}  {:<24}  {} {}{reason}",
            entry.seq,
            entry.at,
            entry.actor.to_string(),
            entry.action,
            entry.object,
            entry.id
        )?;
    }
    Ok(())
}
