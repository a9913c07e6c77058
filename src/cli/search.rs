//! `auricle search`: the search index, which is derived from the records.

use super::{Failure, texts, user};
use auricle::config::Config;
use auricle::jobs;
use auricle::knowledge::Library;
use auricle::providers::local::HashedWords;
use clap::Subcommand;
use std::io::Write;
use std::sync::Arc;

/// Events between two lines of progress.
const TOLD_EVERY: u64 = 10_000;

#[derive(Debug, Subcommand)]
pub(super) enum SearchCommand {
    /// Build the index again from the records, and tell how far it has come
    Rebuild,
}

/// Runs it.
pub(super) async fn run(config: Config, command: SearchCommand, out: &mut dyn Write) -> Result<(), Failure> {
    let SearchCommand::Rebuild = command;
    let store = user::open(&config)?;
    let search = jobs::search::open(&config.storage.directory.join("search"), &store).map_err(Failure::failed)?;
    let library = Library::open(store.clone(), search.clone(), Some(Arc::new(HashedWords))).map_err(Failure::failed)?;
    let (mut told, mut unheard) = (0, Ok(()));
    let rebuilt = jobs::search::rebuild(&store, &search, &library, |done, all| {
        if done >= told + TOLD_EVERY || done == all {
            told = done;
            if let Err(error) = writeln!(out, "{done} of {all} events").and_then(|()| out.flush()) {
                unheard = Err(error);
            }
        }
    });
    rebuilt.await.map_err(Failure::failed)?;
    unheard?;
    writeln!(out, "{}", texts::SEARCH_REBUILT)?;
    Ok(())
}
