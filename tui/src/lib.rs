//! The wall board in a terminal: who is calling now, what was said last, how the day goes.
//!
//! A client of the same HTTP and socket API as the web pages, in the Elm shape: a [`model::Model`] changed by
//! [`message::Message`]s in [`update::update`], drawn by [`view::draw`] on change only. Everything that waits lives in
//! [`client`] and in the loop of [`run`].

pub mod client;
pub mod keys;
pub mod message;
pub mod model;
pub mod screens;
pub mod text;
pub mod theme;
pub mod update;
pub mod view;

use auricle_domain::Timestamp;
use auricle_domain::code::Lang;
use crossterm::event::{Event, EventStream, KeyEventKind};
use futures_util::StreamExt;
use message::Message;
use model::Model;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval};
use update::Effect;

/// Messages that wait to be handled; beyond it the client waits.
const MESSAGES_MAX: usize = 256;
/// Shortest time between two drawings: at most 30 a second.
const FRAME: Duration = Duration::from_millis(33);

/// How to run the board.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where Auricle is, such as `http://127.0.0.1:8080`.
    pub url: String,
    /// Whose board.
    pub email: String,
    /// Their password; used once, to sign in.
    pub password: String,
    /// Language of the board; the account's own where `None`.
    pub language: Option<Lang>,
    /// Draw with plain ASCII.
    pub ascii: bool,
    /// The clock, as an argument like everywhere else.
    pub clock: fn() -> Timestamp,
}

/// Why the board could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum WallError {
    /// The terminal refused.
    #[error("the terminal cannot be used: {0}")]
    Terminal(#[from] std::io::Error),
    /// The address is not one.
    #[error("{0:?} is not an address of Auricle; it looks like http://127.0.0.1:8080")]
    Address(String),
    /// Nobody answers there.
    #[error("no answer from {url}: is Auricle running there?")]
    Unreachable {
        /// The address tried.
        url: String,
    },
    /// It answers, but not with what a board needs.
    #[error("{url} refused: {detail}")]
    Refused {
        /// The address tried.
        url: String,
        /// The server's own words.
        detail: String,
    },
}

/// Signs in, takes over the terminal and shows the board until `q`. The terminal is restored on every way out, a panic
/// included.
///
/// # Errors
/// When the server cannot be reached or refuses the sign-in at the start. Later losses are shown, not returned.
pub async fn run(options: Options) -> Result<(), WallError> {
    let client = client::Client::sign_in(&options).await?;
    let language = options.language.unwrap_or(client.language());
    let mut model = Model::new(client.clinic().clone(), language, options.ascii, (options.clock)());
    let (messages_out, messages) = mpsc::channel(MESSAGES_MAX);
    let (refresh, refresh_in) = mpsc::channel(1);
    let follower = tokio::spawn(client.follow(messages_out, refresh_in));
    let mut terminal = ratatui::try_init()?;
    let outcome = board(&mut terminal, &mut model, messages, &refresh, options.clock).await;
    ratatui::restore();
    follower.abort();
    outcome
}

async fn board(
    terminal: &mut ratatui::DefaultTerminal,
    model: &mut Model,
    mut messages: mpsc::Receiver<Message>,
    refresh: &mpsc::Sender<()>,
    clock: fn() -> Timestamp,
) -> Result<(), WallError> {
    let mut keys = EventStream::new();
    let mut second = interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut drawn_at = Instant::now();
    terminal.draw(|frame| view::draw(frame, model))?;
    loop {
        let message = tokio::select! {
            key = keys.next() => match key {
                Some(Ok(Event::Key(key))) if key.kind != KeyEventKind::Release => Message::Key(key.code, key.modifiers),
                Some(Ok(Event::Resize(..))) => Message::Resized,
                Some(Ok(_)) => continue,
                Some(Err(error)) => return Err(error.into()),
                // The terminal is gone (the SSH connection broke): so is the reason to run.
                None => return Ok(()),
            },
            message = messages.recv() => match message {
                Some(message) => message,
                None => return Ok(()),
            },
            _ = second.tick() => Message::Second(clock()),
        };
        let (effect, changed) = update::update(model, message);
        match effect {
            Some(Effect::Quit) => return Ok(()),
            // A refresh that already waits is as good as another one.
            Some(Effect::Refresh) => drop(refresh.try_send(())),
            None => {}
        }
        // A burst of messages is drawn once; whatever is left over is drawn at the latest by the next second.
        if changed && (drawn_at.elapsed() >= FRAME || messages.is_empty()) {
            drawn_at = Instant::now();
            terminal.draw(|frame| view::draw(frame, model))?;
        }
    }
}
