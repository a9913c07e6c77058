//! A circuit breaker: a provider that keeps failing is left alone for a while, so that callers do not wait for it.

use super::{Llm, LlmDelta, LlmRequest, ProviderError};
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Failures in a row that open the breaker.
const FAILURES_MAX: u32 = 3;
/// How long it stays open before one request may try again.
const REST: Duration = Duration::from_secs(30);

/// Where a breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Requests pass.
    Closed,
    /// Requests are refused at once.
    Open,
    /// One request is trying whether it works again.
    HalfOpen,
}

#[derive(Debug)]
enum State {
    Closed { failures: u32 },
    Open { since: Instant },
    HalfOpen,
}

/// A language model behind a breaker.
pub struct Breaker {
    inner: Arc<dyn Llm>,
    state: Arc<Mutex<State>>,
}

impl std::fmt::Debug for Breaker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Breaker({}, {:?})", self.inner.name(), self.health())
    }
}

impl Breaker {
    /// A closed breaker around `inner`.
    pub fn new(inner: Arc<dyn Llm>) -> Self {
        Self { inner, state: Arc::new(Mutex::new(State::Closed { failures: 0 })) }
    }

    /// Where it stands now.
    pub fn health(&self) -> Health {
        match *self.state.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Closed { .. } => Health::Closed,
            State::Open { .. } => Health::Open,
            State::HalfOpen => Health::HalfOpen,
        }
    }

    /// Whether a request may pass now; an open breaker that has rested lets one through.
    fn admit(&self) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match *state {
            State::Closed { .. } => true,
            State::Open { since } if since.elapsed() >= REST => {
                *state = State::HalfOpen;
                true
            }
            State::Open { .. } | State::HalfOpen => false,
        }
    }
}

/// Notes how a request went. A request that was dropped before its end (the caller spoke over it) proves nothing, but
/// must not leave the breaker half-open for ever.
struct Watch {
    state: Arc<Mutex<State>>,
    settled: bool,
}

impl Watch {
    fn settle(&mut self, ok: bool) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.settled = true;
        *state = match (&*state, ok) {
            (_, true) => State::Closed { failures: 0 },
            (State::Closed { failures }, false) if failures + 1 < FAILURES_MAX => {
                State::Closed { failures: failures + 1 }
            }
            (State::Closed { .. } | State::HalfOpen | State::Open { .. }, false) => {
                State::Open { since: Instant::now() }
            }
        };
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.settled && matches!(*state, State::HalfOpen) {
            *state = State::Closed { failures: FAILURES_MAX - 1 };
        }
    }
}

impl Llm for Breaker {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn reply(&self, request: LlmRequest) -> BoxStream<'static, Result<LlmDelta, ProviderError>> {
        if !self.admit() {
            let reason = format!("it failed {FAILURES_MAX} times in a row and rests for {} s", REST.as_secs());
            let refused = ProviderError::Unavailable { provider: "llm", reason };
            return stream::once(async move { Err(refused) }).boxed();
        }
        let mut watch = Watch { state: Arc::clone(&self.state), settled: false };
        let answer = self.inner.reply(request);
        answer
            .inspect(move |delta| match delta {
                Ok(LlmDelta::Done) => watch.settle(true),
                Err(_) => watch.settle(false),
                Ok(_) => {}
            })
            .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

    #[derive(Default)]
    struct Scripted {
        works: AtomicBool,
        asked: AtomicU32,
    }

    impl Llm for Scripted {
        fn name(&self) -> &str {
            "scripted"
        }
        fn reply(&self, _: LlmRequest) -> BoxStream<'static, Result<LlmDelta, ProviderError>> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            let works = self.works.load(Ordering::SeqCst);
            let outcome =
                if works { Ok(LlmDelta::Done) } else { Err(ProviderError::Timeout { provider: "llm", limit_ms: 1 }) };
            stream::once(async move { outcome }).boxed()
        }
    }

    async fn ask(breaker: &Breaker) -> bool {
        let request = LlmRequest { system: String::new(), messages: vec![], tools: vec![], tokens_max: 1 };
        let deltas: Vec<_> = breaker.reply(request).collect().await;
        deltas.iter().all(Result::is_ok)
    }

    /// VOICE-11's three states, on virtual time.
    #[tokio::test(start_paused = true)]
    async fn it_opens_after_three_failures_rests_tries_once_and_closes() {
        let model = Arc::new(Scripted::default());
        let breaker = Breaker::new(model.clone());
        for _ in 0..FAILURES_MAX {
            assert!(!ask(&breaker).await);
        }
        assert_eq!(breaker.health(), Health::Open);
        assert!(!ask(&breaker).await);
        assert_eq!(model.asked.load(Ordering::SeqCst), FAILURES_MAX, "an open breaker asks nobody");
        tokio::time::advance(REST).await;
        assert!(!ask(&breaker).await);
        assert_eq!(model.asked.load(Ordering::SeqCst), FAILURES_MAX + 1, "half-open lets one through");
        assert_eq!(breaker.health(), Health::Open);
        tokio::time::advance(REST).await;
        model.works.store(true, Ordering::SeqCst);
        assert!(ask(&breaker).await);
        assert_eq!(breaker.health(), Health::Closed);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_dropped_while_half_open_does_not_wedge_it() {
        let breaker = Breaker::new(Arc::new(Scripted::default()));
        for _ in 0..FAILURES_MAX {
            ask(&breaker).await;
        }
        tokio::time::advance(REST).await;
        drop(breaker.reply(LlmRequest { system: String::new(), messages: vec![], tools: vec![], tokens_max: 1 }));
        assert_eq!(breaker.health(), Health::Closed);
        assert!(!ask(&breaker).await);
        assert_eq!(breaker.health(), Health::Open);
    }
}
