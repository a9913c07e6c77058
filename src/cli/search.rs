//! `auricle search`: the search index, which is derived from the records.

use super::{Failure, texts, user};
use auricle::clock;
use auricle::config::Config;
use auricle::jobs;
use auricle::knowledge::Library;
use auricle::providers::local::HashedWords;
use auricle::search::rebuild::{self, IndexProgress, Request};
use auricle_domain::id::CauseId;
use auricle_storage::StoreError;
use clap::Subcommand;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Events between two lines of progress.
const TOLD_EVERY: u64 = 10_000;
/// How often a running service is asked how far it has come.
const ASK_EVERY: Duration = Duration::from_millis(300);
/// Questions without an answer after which nobody is taken to be there: a minute.
const UNANSWERED_MAX: u32 = 200;

#[derive(Debug, Subcommand)]
pub(super) enum SearchCommand {
    /// Build the index again from the records, and tell how far it has come; works while the service runs
    Rebuild,
}

/// Runs it.
pub(super) async fn run(config: Config, command: SearchCommand, out: &mut dyn Write) -> Result<(), Failure> {
    let SearchCommand::Rebuild = command;
    let store = match user::try_open(&config) {
        Ok(store) => store,
        Err(StoreError::InUse { .. }) => return ask_service(&config.storage.directory, out).await,
        Err(error) => return Err(user::cannot_open(&config, error)),
    };
    let search = jobs::search::open(&config.storage.directory.join("search"), &store).map_err(Failure::failed)?;
    let library = Library::open(store.clone(), search.clone(), Some(Arc::new(HashedWords))).map_err(Failure::failed)?;
    let (mut told, mut unheard) = (0, Ok(()));
    let rebuilt = jobs::search::rebuild(&store, &search, &library, |done, all| {
        if done >= told + TOLD_EVERY || done == all {
            told = done;
            if let Err(error) = tell(IndexProgress { done, of: all }, out) {
                unheard = Err(error);
            }
        }
    });
    rebuilt.await.map_err(Failure::failed)?;
    unheard?;
    writeln!(out, "{}", texts::SEARCH_REBUILT)?;
    Ok(())
}

/// Leaves a request with the running service, and tells how far it has come until it is done.
async fn ask_service(directory: &Path, out: &mut dyn Write) -> Result<(), Failure> {
    let id = clock::fresh(CauseId::new, clock::system()).to_string();
    rebuild::request(directory, &Request { id: id.clone() }).map_err(Failure::failed)?;
    writeln!(out, "{}", texts::SEARCH_ASKED)?;
    let (mut unanswered, mut told) = (0, IndexProgress::default());
    loop {
        tokio::time::sleep(ASK_EVERY).await;
        let Some(state) = rebuild::told(directory, &id) else {
            unanswered += 1;
            if unanswered > UNANSWERED_MAX {
                rebuild::withdraw(directory);
                return Err(Failure::failed(texts::SEARCH_UNANSWERED));
            }
            continue;
        };
        if let Some(failed) = state.failed {
            return Err(Failure::Failed(failed));
        }
        if state.progress != told {
            tell(state.progress, out)?;
            told = state.progress;
        }
        if state.built {
            writeln!(out, "{}", texts::SEARCH_REBUILT)?;
            return Ok(());
        }
    }
}

fn tell(IndexProgress { done, of }: IndexProgress, out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(out, "{done} of {of} events")?;
    out.flush()
}
