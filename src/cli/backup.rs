//! `auricle backup` and `auricle restore`.

use super::{Failure, secrets, texts, user};
use auricle::backups::{self, Backups, Request, State};
use auricle::clock;
use auricle::config::Config;
use auricle::events::Events;
use auricle_domain::account::Actor;
use auricle_storage::{BackupSummary, Missing, Passphrase, StoreError, Verified, restore, verify_backup};
use clap::{Args, Subcommand};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a running service is asked how far it has come.
const ASK_EVERY: Duration = Duration::from_millis(300);
/// Questions without an answer after which nobody is taken to be there: a minute.
const UNANSWERED_MAX: u32 = 200;

#[derive(Debug, Subcommand)]
pub(super) enum BackupCommand {
    /// Make a backup and verify it by restoring it beside itself; works while the service runs
    Create {
        /// Folder for it [default: backup.directory]
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
    },
    /// List the backups in a folder, and say which was verified last
    List {
        /// The folder [default: backup.directory]
        #[arg(long = "in", value_name = "DIR")]
        folder: Option<PathBuf>,
    },
    /// Restore a backup beside itself, compare, and remove what came out; asks for the recovery passphrase
    Verify {
        /// The backup
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(super) struct RestoreArguments {
    /// The backup
    file: PathBuf,
    /// Folder of the store to make: empty, or not there yet
    #[arg(long, value_name = "DIR")]
    into: PathBuf,
    /// Where to put the new key file [default: the folder's name with .key at its end]
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

/// Runs one of them.
pub(super) async fn run(config: Config, command: BackupCommand, out: &mut dyn Write) -> Result<(), Failure> {
    let folder = |named: Option<PathBuf>| {
        named
            .or_else(|| config.backup.directory.clone())
            .ok_or_else(|| Failure::Usage(texts::BACKUP_NOWHERE.to_owned()))
    };
    match command {
        BackupCommand::Create { to } => create(&config, &folder(to)?, out).await,
        BackupCommand::List { folder: named } => list(&config, &folder(named)?, out),
        BackupCommand::Verify { file } => {
            let passphrase = secrets::ask_passphrase()?;
            let Verified { summary, missing } = verify_backup(&file, &passphrase).map_err(Failure::failed)?;
            writeln!(out, "{}", texts::BACKUP_GOOD)?;
            show(&summary, out)?;
            show_missing(&missing, texts::BACKUP_LACKS, out)
        }
    }
}

async fn create(config: &Config, to: &Path, out: &mut dyn Write) -> Result<(), Failure> {
    let to = std::path::absolute(to)?;
    let store = match user::try_open(config) {
        Ok(store) => store,
        Err(StoreError::InUse { .. }) => return ask_service(&config.storage.directory, &to, out).await,
        Err(error) => return Err(user::cannot_open(config, error)),
    };
    let backups = Backups::new(store.clone(), Events::new(store, clock::system), clock::system, config.file.clone());
    let backup = backups.make(&to, Actor::Console, |_| {}).await.map_err(Failure::failed)?;
    writeln!(out, "{}", texts::BACKUP_GOOD)?;
    writeln!(out, "{}  {} bytes", backup.path.display(), backup.bytes)?;
    show(&backup.summary, out)?;
    show_missing(&backup.missing, texts::BACKUP_LACKS, out)
}

/// Leaves a request with the running service, and tells how far it has come until it is done.
async fn ask_service(directory: &Path, to: &Path, out: &mut dyn Write) -> Result<(), Failure> {
    let id = clock::fresh(auricle_domain::id::CauseId::new, clock::system()).to_string();
    backups::request(directory, &Request { id: id.clone(), to: to.to_owned() }).map_err(Failure::failed)?;
    writeln!(out, "{}", texts::BACKUP_ASKED)?;
    let (mut unanswered, mut told) = (0, State::default());
    loop {
        tokio::time::sleep(ASK_EVERY).await;
        let Some(state) = backups::state(directory, &id) else {
            unanswered += 1;
            if unanswered > UNANSWERED_MAX {
                backups::withdraw(directory);
                return Err(Failure::failed(texts::BACKUP_UNANSWERED));
            }
            continue;
        };
        if let Some(failed) = state.failed {
            return Err(Failure::Failed(failed));
        }
        if let Some(made) = &state.made {
            writeln!(out, "{}", texts::BACKUP_GOOD)?;
            writeln!(out, "{}  {} rows, {} recordings and documents", made.display(), state.rows, state.blobs)?;
            return show_missing(&state.missing, texts::BACKUP_LACKS, out);
        }
        if state != told {
            let doing = if state.verifying { texts::BACKUP_VERIFYING } else { texts::BACKUP_WRITING };
            writeln!(out, "{doing}  {} rows, {} recordings and documents", state.rows, state.blobs)?;
            out.flush()?;
            told = state;
        }
    }
}

fn list(config: &Config, folder: &Path, out: &mut dyn Write) -> Result<(), Failure> {
    let all = backups::listed(folder)
        .map_err(|error| Failure::Failed(format!("cannot read {}: {error}", folder.display())))?;
    if all.is_empty() {
        writeln!(out, "{}", texts::BACKUP_NONE)?;
    }
    let last = backups::last(&config.storage.directory);
    for path in all {
        let bytes = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
        let mark = if last.as_ref().is_some_and(|last| last.path == path) { texts::BACKUP_LAST } else { "" };
        let heads = backups::heads(&backups::heads_file(&path)).map_or_else(Vec::new, |kept| kept.heads);
        let head = heads.first().map_or(String::new(), |head| format!("audit head {}  ", head.seq));
        writeln!(out, "{}  {bytes:>14} bytes  {head}{mark}", path.display())?;
    }
    Ok(())
}

fn show(summary: &BackupSummary, out: &mut dyn Write) -> Result<(), Failure> {
    if let Some(made_at) = summary.made_at {
        writeln!(out, "Made                 {made_at:.0}")?;
    }
    writeln!(out, "Events               {}", summary.feed_head)?;
    writeln!(out, "Rows                 {}", summary.rows_all())?;
    writeln!(out, "Recordings, documents {} ({} bytes)", summary.blobs, summary.blob_bytes)?;
    if let Some(head) = summary.audit_head {
        writeln!(out, "Audit head           {} {}", head.seq, head.link)?;
    }
    Ok(())
}

/// What was lost before, if anything was.
fn show_missing(missing: &Missing, words: &str, out: &mut dyn Write) -> Result<(), Failure> {
    if missing.count > 0 {
        writeln!(out, "{words} {}", missing.count)?;
        missing.first.iter().try_for_each(|what| writeln!(out, "  {what}"))?;
    }
    Ok(())
}

/// Restores a backup into an empty folder.
pub(super) fn run_restore(arguments: RestoreArguments, out: &mut dyn Write) -> Result<(), Failure> {
    let RestoreArguments { file, into, key_file } = arguments;
    let into = std::path::absolute(into)?;
    let key_file = key_file.unwrap_or_else(|| {
        let mut name = into.file_name().unwrap_or_default().to_owned();
        name.push(".key");
        into.with_file_name(name)
    });
    let passphrase: Passphrase = secrets::ask_passphrase()?;
    let restored = restore(&file, &into, &key_file, &passphrase, clock::system()).map_err(Failure::failed)?;
    writeln!(out, "{}", texts::RESTORED)?;
    writeln!(out, "Store                {}", into.display())?;
    writeln!(out, "Key file             {}", restored.key_file.display())?;
    if let Some(config) = restored.config {
        writeln!(out, "Configuration        {}", config.display())?;
    }
    show(&restored.summary, out)?;
    show_missing(&restored.missing, texts::RESTORED_LACKS, out)?;
    writeln!(out, "{}", texts::RESTORED_NEXT)?;
    Ok(())
}
