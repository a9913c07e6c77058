//! Work beside the requests: followers of the feed that keep derived data up to date.

pub mod search;

use crate::app::App;

/// Starts all of them.
pub fn start(app: &App) {
    let (store, search, library) = (app.store.clone(), app.search.clone(), app.library.clone());
    app.tasks.spawn("search", search::run(store, search, library, app.tasks.stop_token()));
}
