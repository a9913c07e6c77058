//! What happens when the disk under the record store fails.

use crate::error::StoreError;
use std::sync::Once;

/// Exit code when the disk failed: `EX_IOERR` of sysexits.h.
const EXIT_IO: i32 = 74;

/// Called with the error that ends the process.
pub type OnFatal = Box<dyn Fn(&StoreError) + Send + Sync>;

/// Strikes once. After a failed sync the system may have dropped the very pages it was to write and report
/// success the next time; only starting again from what is really on the disk is safe.
pub(crate) struct Fatal {
    hook: OnFatal,
    struck: Once,
}

impl Fatal {
    pub(crate) fn new(hook: Option<OnFatal>) -> Self {
        Self { hook: hook.unwrap_or_else(|| Box::new(end_process)), struck: Once::new() }
    }

    pub(crate) fn strike(&self, error: &StoreError) {
        self.struck.call_once(|| (self.hook)(error));
    }
}

fn end_process(error: &StoreError) {
    tracing::error!(%error, "the record store has failed; ending the process so that it starts again from the disk");
    std::process::exit(EXIT_IO);
}
