//! Named tasks: who runs beside the requests, how they are told to stop, and how their end is waited for.

use std::future::Future;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

/// Starts tasks under a name and waits for them at the end. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    /// Starts a task. Its name stands in every log line of it; a panic ends it alone and is logged.
    pub fn spawn<F>(&self, name: &'static str, work: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let watched = async move {
            if let Err(error) = tokio::spawn(work.in_current_span()).await
                && error.is_panic()
            {
                tracing::error!(task = name, "a task panicked");
            }
        };
        self.tracker.spawn(watched.instrument(tracing::info_span!("task", name)));
    }

    /// Is cancelled when the program stops: long-running tasks wait for it beside their work.
    pub fn stop_token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// How many are running.
    pub fn running(&self) -> usize {
        self.tracker.len()
    }

    /// Tells all tasks to stop and waits for them, at most `grace`. Says whether all have ended.
    pub async fn stop(&self, grace: Duration) -> bool {
        self.stop.cancel();
        self.tracker.close();
        let ended = tokio::time::timeout(grace, self.tracker.wait()).await.is_ok();
        if !ended {
            tracing::warn!(running = self.running(), "tasks did not end in time");
        }
        ended
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]
    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_ends_alone_and_stop_waits_for_the_others() {
        let tasks = Tasks::default();
        tasks.spawn("fails", async { panic!("on purpose") });
        let stop = tasks.stop_token();
        let (done, was_done) = tokio::sync::oneshot::channel();
        tasks.spawn("waits", async move {
            stop.cancelled().await;
            let _receiver_is_there = done.send(());
        });
        assert!(tasks.stop(Duration::from_secs(5)).await);
        assert_eq!(was_done.await, Ok(()));
        assert_eq!(tasks.running(), 0);
    }
}
