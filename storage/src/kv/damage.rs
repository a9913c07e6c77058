//! What happens when redb meets pages that are not what it wrote.
//!
//! redb checks no page while it reads: a rotten one makes it answer an error, or panic. A panic while it reads is caught and
//! concerns whoever asked. While it writes, opens or closes, it can panic a second time on its way out, which ends
//! the process and could do so at every start. So before the first panic unwinds, a mark is left beside the file; a store
//! with a mark is not opened, and says why and what to do.

use crate::error::StoreError;
use crate::files;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook};
use std::path::{Path, PathBuf};
use std::sync::Once;

/// File of the mark, in the store's directory.
const MARK: &str = "store.damaged";
/// What an administrator can do about a damaged record file.
const WAY_BACK: &str = "Bring the store back with `auricle restore` from the newest backup";

thread_local! {
    /// The mark to leave when this thread panics, and what it is about to do.
    static ON_PANIC: RefCell<Option<(PathBuf, &'static str)>> = const { RefCell::new(None) };
}

/// The mark of the store whose record file this is.
fn mark_of(file: &Path) -> PathBuf {
    file.with_file_name(MARK)
}

/// Refuses a store that has been found damaged.
pub(super) fn refuse_marked(file: &Path) -> Result<(), StoreError> {
    let mark = mark_of(file);
    if !mark.exists() {
        return Ok(());
    }
    let way_back = "It is not opened again, so that it gets no worse: bring the store back with `auricle restore` from the \
        newest backup, or remove that mark to try it once more";
    Err(StoreError::Damaged { what: format!("{} (found so before, see {})", file.display(), mark.display()), way_back })
}

/// The error for a file that is not what was written.
pub(super) fn damaged(file: &Path, attempt: &str, reason: &str) -> StoreError {
    StoreError::Damaged { what: format!("a page of {} ({attempt}: {reason})", file.display()), way_back: WAY_BACK }
}

/// Leaves the mark, and says so when that fails too: nothing more can be done then.
pub(super) fn mark(file: &Path, attempt: &str, reason: &str) {
    leave(&mark_of(file), attempt, reason);
}

fn leave(mark: &Path, attempt: &str, reason: &str) {
    if mark.exists() || mark.parent().is_none_or(|parent| !parent.is_dir()) {
        return;
    }
    if let Err(error) = files::write_whole(mark, format!("{attempt}: {reason}\n").as_bytes()) {
        tracing::error!(%error, "the record store is damaged, and cannot be marked as such");
    }
}

/// Runs a part of redb that reads. A panic becomes an error.
pub(super) fn reading<T>(file: &Path, attempt: &'static str, part: impl FnOnce() -> T) -> Result<T, StoreError> {
    // What redb leaves behind when it panics while reading are locks that are poisoned at worst.
    catch_unwind(AssertUnwindSafe(part)).map_err(|_| damaged(file, attempt, "the page cannot be made sense of"))
}

/// Runs a part of redb that writes, opens or closes. A panic becomes an error, and marks the store before it unwinds.
pub(super) fn writing<T>(file: &Path, attempt: &'static str, part: impl FnOnce() -> T) -> Result<T, StoreError> {
    watch_panics();
    ON_PANIC.set(Some((mark_of(file), attempt)));
    let outcome = catch_unwind(AssertUnwindSafe(part));
    ON_PANIC.set(None);
    outcome.map_err(|_| damaged(file, attempt, "a page cannot be made sense of"))
}

/// Leaves marks from now on.
fn watch_panics() {
    static WATCHES: Once = Once::new();
    WATCHES.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            before(panic);
            if let Some((mark, attempt)) = ON_PANIC.take() {
                leave(&mark, attempt, &reason(panic));
            }
        }));
    });
}

/// The words of a panic in redb: they name pages and lengths, never a value.
fn reason(panic: &PanicHookInfo<'_>) -> String {
    panic.payload_as_str().unwrap_or("a panic").to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::kv::tests::{open, options};
    use crate::{Backend, Store};
    use std::panic::resume_unwind;

    fn file() -> (PathBuf, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        (directory.path().join("store.redb"), directory)
    }

    #[test]
    fn a_panic_while_reading_is_an_error_and_leaves_no_mark() {
        let (file, _kept) = file();
        let outcome = reading(&file, "reading", || resume_unwind(Box::new("a rotten page")));
        assert!(matches!(outcome, Err::<(), _>(StoreError::Damaged { .. })));
        assert_eq!(refuse_marked(&file), Ok(()));
    }

    /// The mark is there before the panic unwinds: what it meets on its way may end the process.
    #[test]
    #[allow(clippy::panic, reason = "only a panic runs the hook")]
    fn a_panic_while_writing_marks_the_store_before_it_unwinds() {
        struct Looks(PathBuf);
        impl Drop for Looks {
            fn drop(&mut self) {
                assert!(!std::thread::panicking() || mark_of(&self.0).exists());
            }
        }
        let (file, _kept) = file();
        let looks = Looks(file.clone());
        let outcome = writing(&file, "committing", move || {
            let _looks = looks;
            panic!("a rotten page")
        });
        assert!(matches!(outcome, Err::<(), _>(StoreError::Damaged { .. })));
        assert_eq!(std::fs::read_to_string(mark_of(&file)).unwrap(), "committing: a rotten page\n");
    }

    #[test]
    fn a_marked_store_is_refused_in_words_until_the_mark_is_removed() {
        let opened = open(Backend::Redb);
        let (store, directory) = (opened.store, opened.directory);
        drop(store);
        mark(&directory.path().join("store.redb"), "committing", "a rotten page");
        for _ in 0..2 {
            let refused = Store::open(options(directory.path(), Backend::Redb)).err().unwrap();
            assert!(matches!(refused, StoreError::Damaged { .. }));
            assert!(refused.to_string().contains("auricle restore"), "{refused}");
        }
        std::fs::remove_file(directory.path().join(MARK)).unwrap();
        assert!(Store::open(options(directory.path(), Backend::Redb)).is_ok());
    }
}
