//! One call of a carrier: between the carrier's socket, which may be lost and come back, and the leg in the engine.

use crate::voice::VoiceHandle;
use crate::voice::attached::{Arrival, Attachment, ToCarrier};
use auricle_media::io::{CarrierNews, CarrierOrder};
use auricle_media::wire::{Keys, Said, Wire};
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{Sink, SinkExt, StreamExt};
use std::pin::Pin;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// A socket that brings nothing for this long is gone: while a call is on, carriers send audio all the time.
const SILENT_MAX: Duration = Duration::from_secs(5);
/// A socket that takes nothing for this long is gone.
const SEND_WITHIN: Duration = Duration::from_secs(5);
/// A socket that is lost is asked for again after this long: by then the carrier has come by itself, or has not noticed.
const RECALL_AFTER: Duration = Duration::from_millis(700);
/// How long a socket may take to close.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);
/// A carrier that has not said whether it places a call tells how it fares within this time, if it does.
const UNSURE_WAIT: Duration = Duration::from_secs(5);
/// How long a socket may take to come once a call that we place was answered.
const SOCKET_WITHIN: Duration = Duration::from_secs(10);
/// A call that failed: the next way may do better (RFC 3261 section 21.5.4).
const STATUS_FAILED: u16 = 503;
/// A call that was answered and brought no audio; it is not placed again (RFC 3261 section 21.4.26).
const STATUS_NO_AUDIO: u16 = 488;
/// Messages of one socket that are not understood; with more, it is given up.
const MISTAKES_MAX: u32 = 20;

/// The far end takes nothing any more.
#[derive(Debug)]
pub struct Gone;

/// A carrier's socket, by which texts come and go.
pub struct Socket {
    /// How it is written.
    pub wire: Box<dyn Wire>,
    /// Texts from the carrier; it ends with the socket.
    pub incoming: BoxStream<'static, String>,
    /// Texts to the carrier.
    pub outgoing: Pin<Box<dyn Sink<String, Error = Gone> + Send>>,
    /// Its place among the sockets.
    pub place: OwnedSemaphorePermit,
}

/// How a carrier is asked to open another socket, where it has not noticed that the last one is gone.
pub type Recall = Box<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// How a carrier is reached beside its socket.
pub struct Reach {
    /// For another socket.
    pub recall: Recall,
    /// For keys to be pressed, where the carrier does that.
    pub keys: Option<mpsc::Sender<String>>,
}

/// What a line is told from outside.
pub enum ToLine {
    /// There is another socket.
    Socket(Box<Socket>),
    /// The carrier says that the call is over.
    Over,
    /// It rings where we call.
    Rings,
    /// Whom we call has answered: a socket follows.
    Answered,
    /// Whom we call is not reached: the SIP status that says so best.
    Refused(u16),
}

/// What a carrier says when it is asked to place a call and does not say that it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// It does not: the SIP status that says so best. 500 and above, and 401 to 403: another way may do better.
    Refused(u16),
    /// Nobody knows: the question was sent, and no answer that says anything came. Should it place the call after all, it tells so.
    Unsure,
}

/// Who ended the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineEnd {
    /// The far end; the carrier knows.
    Theirs,
    /// We did, or gave it up: the carrier is to be told.
    Ours,
}

enum Step {
    Socket(Box<Socket>),
    Lost,
    Over,
    Ended,
}

/// Carries a call that has come from its first socket to its end.
pub async fn run(
    voice: VoiceHandle,
    arrival: Arrival,
    first: Socket,
    news: mpsc::Receiver<ToLine>,
    reach: Reach,
) -> LineEnd {
    match voice.attach(arrival).await {
        Ok(leg) => carry(leg, Box::new(first), news, reach).await,
        Err(error) => {
            tracing::error!(%error, "a carrier's call could not be given a leg");
            LineEnd::Ours
        }
    }
}

/// Carries a call that we place from the question to the carrier to its end. However it ends, the carrier's answer is awaited
/// first: without it nobody could end a call there that is not wanted any more.
pub async fn place(
    mut leg: Attachment,
    asking: impl Future<Output = Result<(), NotTaken>>,
    mut news: mpsc::Receiver<ToLine>,
    reach: Reach,
) -> LineEnd {
    tokio::pin!(asking);
    let (mut is_asked, mut is_wanted) = (false, true);
    // When the carrier has been waited for long enough: to say anything, or to open the socket of a call that was answered.
    let mut until: Option<(Instant, u16)> = None;
    loop {
        let waits = sleep_until(until.map_or_else(Instant::now, |(at, _)| at));
        let step = tokio::select! {
            answer = &mut asking, if !is_asked => {
                is_asked = true;
                match answer {
                    _ if !is_wanted => return LineEnd::Ours,
                    Ok(()) => {}
                    Err(NotTaken::Refused(status)) => return refused(&leg, status, LineEnd::Theirs),
                    Err(NotTaken::Unsure) => until = until.or(Some((Instant::now() + UNSURE_WAIT, STATUS_FAILED))),
                }
                continue;
            }
            out = leg.next(), if is_wanted => match out {
                None | Some(ToCarrier::Order(CarrierOrder::Hangup)) => {
                    is_wanted = false;
                    if is_asked { return LineEnd::Ours } else { continue }
                }
                Some(_) => continue,
            },
            Some(news) = news.recv() => news,
            () = waits, if until.is_some() => {
                tracing::warn!("a carrier was asked for a call, and no call came");
                let status = until.map_or(STATUS_FAILED, |(_, status)| status);
                return refused(&leg, status, LineEnd::Ours);
            }
        };
        match step {
            ToLine::Rings => {
                until = None;
                tell(&leg, CarrierNews::Ringing);
            }
            ToLine::Answered => until = Some((Instant::now() + SOCKET_WITHIN, STATUS_NO_AUDIO)),
            ToLine::Refused(status) => return refused(&leg, status, LineEnd::Theirs),
            ToLine::Over => {
                tell(&leg, CarrierNews::Over);
                return LineEnd::Theirs;
            }
            ToLine::Socket(_) if !is_wanted => return LineEnd::Ours,
            ToLine::Socket(socket) => {
                tell(&leg, CarrierNews::Answered);
                return carry(leg, socket, news, reach).await;
            }
        }
    }
}

fn refused(leg: &Attachment, status: u16, end: LineEnd) -> LineEnd {
    tell(leg, CarrierNews::Refused(status));
    end
}

/// Carries a call that is up.
async fn carry(mut leg: Attachment, first: Box<Socket>, mut news: mpsc::Receiver<ToLine>, reach: Reach) -> LineEnd {
    let mut socket = Some(first);
    loop {
        let step = match &mut socket {
            Some(socket) => ride(&mut leg, socket, &mut news, &reach).await,
            None => wait(&mut leg, &mut news, &reach).await,
        };
        match step {
            Step::Socket(new) => {
                if socket.is_some() {
                    tell(&leg, CarrierNews::Lost);
                }
                tell(&leg, CarrierNews::Back);
                socket = Some(new);
            }
            Step::Lost => {
                tracing::warn!("a carrier's socket was lost in mid-call");
                socket = None;
                tell(&leg, CarrierNews::Lost);
            }
            Step::Over => {
                tell(&leg, CarrierNews::Over);
                return LineEnd::Theirs;
            }
            Step::Ended => {
                if let Some(mut socket) = socket {
                    // A carrier that does not close in time has its connection cut.
                    let _closed = timeout(CLOSE_WITHIN, socket.outgoing.close()).await;
                }
                return LineEnd::Ours;
            }
        }
    }
}

fn tell(leg: &Attachment, news: CarrierNews) {
    // With the engine gone the leg is, too, which is noticed at once.
    if let Err(error) = leg.tell(news) {
        tracing::error!(%error, ?news, "the engine could not be told of a carrier's socket");
    }
}

/// While there is a socket.
async fn ride(leg: &mut Attachment, socket: &mut Socket, news: &mut mpsc::Receiver<ToLine>, reach: &Reach) -> Step {
    let mut keys = Keys::default();
    let step = listen(leg, socket, &mut keys, news, reach).await;
    // Keys that wait for others wait no longer: whatever comes on another socket was pressed later.
    while let Some(digit) = keys.take() {
        tell(leg, CarrierNews::Digit(digit));
    }
    step
}

async fn listen(
    leg: &mut Attachment,
    socket: &mut Socket,
    keys: &mut Keys,
    news: &mut mpsc::Receiver<ToLine>,
    reach: &Reach,
) -> Step {
    let (mut heard_at, mut mistakes) = (Instant::now(), 0);
    loop {
        while let Some(digit) = keys.due(Instant::now().into_std()) {
            tell(leg, CarrierNews::Digit(digit));
        }
        let key_at = keys.next_wake().map(Instant::from_std);
        let text = tokio::select! {
            out = leg.next() => match out {
                None | Some(ToCarrier::Order(CarrierOrder::Hangup)) => return Step::Ended,
                Some(ToCarrier::Order(CarrierOrder::Press(digits))) => {
                    press(reach, digits);
                    continue;
                }
                Some(out) => write(socket, &out),
            },
            text = socket.incoming.next() => {
                heard_at = Instant::now();
                match text.map(|text| socket.wire.hear(&text)) {
                    None => return Step::Lost,
                    Some(Said::Over) => return Step::Over,
                    Some(said @ (Said::Nonsense | Said::Fault(_))) => {
                        if let Said::Fault(code) = said {
                            tracing::warn!(code, "a carrier did not take what its media socket was sent");
                        }
                        mistakes += 1;
                        if mistakes > MISTAKES_MAX {
                            tracing::warn!("a carrier's socket brings what cannot be understood; it is given up");
                            return Step::Lost;
                        }
                    }
                    Some(said) => heard(leg, keys, said),
                }
                continue;
            }
            Some(news) = news.recv() => match step_of(news) {
                Some(step) => return step,
                None => continue,
            },
            () = sleep_until(key_at.unwrap_or(heard_at)), if key_at.is_some() => continue,
            () = sleep_until(heard_at + SILENT_MAX) => return Step::Lost,
        };
        match timeout(SEND_WITHIN, socket.outgoing.send(text)).await {
            Ok(Ok(())) => {}
            Ok(Err(Gone)) | Err(_) => return Step::Lost,
        }
    }
}

/// While there is none: until another comes, or the engine has waited for long enough.
async fn wait(leg: &mut Attachment, news: &mut mpsc::Receiver<ToLine>, reach: &Reach) -> Step {
    let recalling = async {
        sleep(RECALL_AFTER).await;
        (reach.recall)().await;
    };
    tokio::pin!(recalling);
    let mut is_recalled = false;
    loop {
        tokio::select! {
            () = &mut recalling, if !is_recalled => is_recalled = true,
            out = leg.next() => match out {
                None | Some(ToCarrier::Order(CarrierOrder::Hangup)) => return Step::Ended,
                Some(ToCarrier::Order(CarrierOrder::Press(digits))) => press(reach, digits),
                // What was under way when the socket went is lost.
                Some(_) => {}
            },
            Some(news) = news.recv() => if let Some(step) = step_of(news) { return step },
        }
    }
}

/// What news mean for a call that is up. That it rang, and what else comes out of order, means nothing any more.
fn step_of(news: ToLine) -> Option<Step> {
    match news {
        ToLine::Socket(socket) => Some(Step::Socket(socket)),
        ToLine::Over | ToLine::Refused(_) => Some(Step::Over),
        ToLine::Rings | ToLine::Answered => None,
    }
}

/// Has keys pressed. Where more wait than people press, they are lost.
fn press(reach: &Reach, digits: String) {
    if reach.keys.as_ref().is_none_or(|keys| keys.try_send(digits).is_err()) {
        tracing::error!("keys could not be handed to a carrier");
    }
}

fn heard(leg: &Attachment, keys: &mut Keys, said: Said) {
    match said {
        Said::Audio { at_ms, payload } => {
            if !leg.frame(at_ms, payload) {
                metrics::counter!("auricle_carrier_frames_dropped_total").increment(1);
            }
        }
        Said::Digit(key) => {
            if let Some(digit) = keys.press(key, Instant::now().into_std()) {
                tell(leg, CarrierNews::Digit(digit));
            }
        }
        Said::Mark(number) => tell(leg, CarrierNews::Mark(number)),
        Said::Over | Said::Nothing | Said::Fault(_) | Said::Nonsense => {}
    }
}

fn write(socket: &mut Socket, out: &ToCarrier) -> String {
    match out {
        ToCarrier::Frame(payload) => socket.wire.audio(payload),
        ToCarrier::Order(CarrierOrder::Mark(number)) => socket.wire.mark(*number),
        ToCarrier::Order(CarrierOrder::Clear | CarrierOrder::Press(_) | CarrierOrder::Hangup) => socket.wire.clear(),
    }
}
