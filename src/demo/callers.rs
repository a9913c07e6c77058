//! The three callers: what they say, what came of it, and whether that was right.

use super::clinic::may;
use crate::cli::Failure;
use auricle::app::{App, Running};
use auricle::auth::SignedIn;
use auricle::calls;
use auricle::error::Error;
use auricle::providers::flite::Flite;
use auricle::recordings;
use auricle::search::{self, SearchInput};
use auricle::voice::caller::{self, Act, CallReport, CallScript};
use auricle_domain::call::Call;
use auricle_domain::code::{CallStatus, Outcome, RecordingState, Speaker};
use auricle_domain::conversation::Turn;
use auricle_domain::id::CallId;
use auricle_media::io::Codec;
use auricle_storage::Scan;
use auricle_storage::schema::CALLS_BY_TIME;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How long the last facts of a call may take to be written, and to be found by search.
const SETTLED_WITHIN: Duration = Duration::from_secs(30);
/// A channel of a recording on which somebody speaks is louder than this, of 100.
const AUDIBLE: u8 = 3;
/// Silence after which a caller takes its turn.
const QUIET: Duration = Duration::from_millis(1_200);

/// A caller of the demo.
struct Caller {
    wish: &'static str,
    number: &'static str,
    voice: &'static str,
    codec: Codec,
    says: &'static [&'static str],
    outcome: Outcome,
}

const CALLERS: [Caller; 3] = [
    Caller {
        wish: "asks for the opening hours",
        number: "+442079460101",
        voice: "rms",
        codec: Codec::Pcmu,
        says: &["What are your opening hours?", "No thanks, goodbye."],
        outcome: Outcome::AnsweredQuestion,
    },
    Caller {
        wish: "books an appointment",
        number: "+442079460102",
        voice: "awb",
        codec: Codec::G722,
        says: &[
            "I would like to book an appointment.",
            "A consultation, please.",
            "Next Tuesday at ten in the morning.",
            "Yes, please.",
            "My name is Emma Brown.",
            "No thanks, goodbye.",
        ],
        outcome: Outcome::Booked,
    },
    Caller {
        wish: "has chest pain",
        number: "+442079460103",
        voice: "slt",
        codec: Codec::G722,
        says: &["I have chest pain.", "Yes."],
        outcome: Outcome::Emergency,
    },
];

/// What the clinic has of a call afterwards.
struct Kept {
    call: Call,
    turns: Vec<Turn>,
    audible: bool,
    found: bool,
}

/// Lets the callers ring one after the other and prints what came of each. True when all went right.
pub(super) async fn ring(
    running: &Running,
    admin: SignedIn,
    folder: &Path,
    out: &mut dyn Write,
) -> Result<bool, Failure> {
    let mut all_right = true;
    for (index, caller) in CALLERS.iter().enumerate() {
        writeln!(
            out,
            "Caller {} of {} {} ({}, voice {})",
            index + 1,
            CALLERS.len(),
            caller.wish,
            name(caller.codec),
            caller.voice
        )?;
        out.flush()?;
        let report = caller::place(script(running, caller)).await.map_err(Failure::failed)?;
        let kept = kept(&running.app, admin, caller).await.map_err(Failure::failed)?;
        all_right &= print(running, folder, caller, &report, kept.as_ref(), out)?;
        out.flush()?;
    }
    Ok(all_right)
}

fn script(running: &Running, caller: &Caller) -> CallScript {
    CallScript {
        from: caller.number.to_owned(),
        codecs: vec![caller.codec],
        acts: caller.says.iter().map(|sentence| Act::Say((*sentence).to_owned())).collect(),
        tts: Some(Arc::new(Flite::new(&running.app.config.speech.flite, caller.voice))),
        quiet: QUIET,
        length_max: Duration::from_secs(120),
        ..CallScript::to(format!("sip:clinic@{}", running.app.voice.sip_addr()))
    }
}

/// Waits until everything about the call is written, then looks at it as the administrator would.
async fn kept(app: &App, admin: SignedIn, caller: &Caller) -> Result<Option<Kept>, Error> {
    let deadline = Instant::now() + SETTLED_WITHIN;
    let mut feed = app.events.watch();
    let call = loop {
        feed.mark_unchanged();
        let latest = app.store.read(|tx| tx.scan(Scan::index(CALLS_BY_TIME).newest_first().limit(1)))?.items.pop();
        match latest {
            Some(call) if call.from_number == caller.number && is_settled(&call) => break call,
            latest => {
                if timeout_at(deadline, feed.changed()).await.is_err() {
                    match latest.filter(|call| call.from_number == caller.number) {
                        Some(call) => break call,
                        None => return Ok(None),
                    }
                }
            }
        }
    };
    let turns = calls::turns(app, &may(admin)?, call.id).await?.items;
    let audible = is_audible(app, admin, call.id).await?;
    let found = is_found(app, admin, &turns, call.id, deadline).await?;
    Ok(Some(Kept { call, turns, audible, found }))
}

fn is_settled(call: &Call) -> bool {
    call.status == CallStatus::Ended && call.recording.state != RecordingState::Recording
}

/// Whether the recording has both sides.
async fn is_audible(app: &App, admin: SignedIn, call: CallId) -> Result<bool, Error> {
    match recordings::waveform(app, &may(admin)?, call, None).await {
        Ok(drawn) => {
            Ok([&drawn.caller, &drawn.receptionist].iter().all(|side| side.iter().any(|peak| *peak > AUDIBLE)))
        }
        Err(_) => Ok(false),
    }
}

/// Whether search finds the call by what the caller said in it.
async fn is_found(app: &App, admin: SignedIn, turns: &[Turn], call: CallId, deadline: Instant) -> Result<bool, Error> {
    let Some(said) = turns.iter().find(|turn| turn.speaker == Speaker::Caller) else { return Ok(false) };
    let input = SearchInput {
        q: said.text.clone(),
        kind: None,
        language: None,
        from: None,
        to: None,
        outcome: None,
        agent: None,
        channel: None,
        after: None,
        limit: None,
    };
    loop {
        let page = search::search(app, &may(admin)?, input.clone()).await?;
        if page.hits.iter().any(|hit| hit.call == Some(call)) {
            return Ok(true);
        }
        if Instant::now() > deadline {
            return Ok(false);
        }
        // The index follows within a second; it does not say when.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn print(
    running: &Running,
    folder: &Path,
    caller: &Caller,
    report: &CallReport,
    kept: Option<&Kept>,
    out: &mut dyn Write,
) -> Result<bool, Failure> {
    let Some(answered_ms) = report.answered_ms else {
        writeln!(out, "  NOT RIGHT: nobody answered\n")?;
        return Ok(false);
    };
    let first_word = report.greeting_ms.map_or("none".to_owned(), |ms| format!("{ms} ms"));
    writeln!(out, "  answered     after {answered_ms} ms; first word after {first_word}")?;
    let Some(Kept { call, turns, audible, found }) = kept else {
        writeln!(out, "  NOT RIGHT: the clinic knows nothing of this call\n")?;
        return Ok(false);
    };
    for turn in turns {
        let who = if turn.speaker == Speaker::Caller { "heard" } else { "said" };
        let after = turn.reply_ms.map_or(String::new(), |ms| format!("  [{ms} ms]"));
        writeln!(out, "  {who:<12} {}{after}", turn.text)?;
    }
    let outcome = call.outcome.map_or("none", Outcome::as_str);
    let is_right = call.outcome == Some(caller.outcome);
    writeln!(out, "  outcome      {outcome}{}", wrong(is_right, "it should be", caller.outcome.as_str()))?;
    let seconds = call.recording.length_ms as f64 / 1_000.0;
    let file = folder.join("clinic/blobs/recordings").join(call.id.to_string());
    writeln!(
        out,
        "  recording    {seconds:.1} s, http://{}/calls/{}{}",
        running.web_addr,
        call.id,
        wrong(*audible, "not both sides are heard", "")
    )?;
    writeln!(out, "               {}", file.display())?;
    writeln!(
        out,
        "  search       {}\n",
        if *found { "finds it by what was said" } else { "NOT RIGHT: does not find it" }
    )?;
    Ok(is_right && *audible && *found)
}

fn wrong(is_right: bool, what: &str, wanted: &str) -> String {
    if is_right { String::new() } else { format!("  NOT RIGHT: {what} {wanted}") }
}

fn name(codec: Codec) -> &'static str {
    match codec {
        Codec::Opus => "Opus",
        Codec::G722 => "G.722",
        Codec::Pcmu => "G.711 mu-law",
        Codec::Pcma => "G.711 A-law",
    }
}
