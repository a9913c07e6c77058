//! The floor's shell: waits for engine, receptionists and people, and does what the machine decides.
//!
//! One task owns the machine. Voice commands go out at once; what has to be written goes to a writer of the call's own, so that the
//! facts of a call are in order and no call waits for another's disk.

mod apology;
mod arrival;
mod attendance;
mod news;
mod outward;
mod recording;
mod recovery;
mod shell;
mod writer;

pub use recovery::close_lost_calls;

use crate::clock::Clock;
use crate::error::{Error, ErrorCode};
use crate::events::Events;
use crate::tasks::Tasks;
use crate::voice::carrierbook::CarrierBook;
use crate::voice::phonebook::PhoneBook;
use crate::voice::receptionist::Desk;
use crate::voice::stationbook::StationBook;
use crate::voice::trunkbook::TrunkBook;
use crate::voice::{EngineEvents, VoiceHandle};
use auricle_domain::account::Actor;
use auricle_domain::code::{Lang, Part};
use auricle_domain::floor::{Floor, NotPlaced, Order, Origin};
use auricle_domain::id::{AccountId, CallId, CauseId};
use auricle_domain::live::LiveCall;
use auricle_domain::outbound::Show;
use auricle_media::io::{Codec, LegId};
use auricle_storage::Store;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{mpsc, oneshot, watch};

use apology::Apologies;
use shell::{Seen, Shell};

/// Inputs from receptionists' ends and recordings that wait for the floor; when it is full, senders wait.
const MAILBOX_MAX: usize = 1_024;
/// Orders of people that wait for the floor; when it is full, people wait.
const ORDERS_MAX: usize = 64;

/// What the floor needs from outside.
pub struct FloorParts {
    /// The store.
    pub store: Store,
    /// The one path for facts.
    pub events: Events,
    /// The engine.
    pub voice: VoiceHandle,
    /// Which phones are which.
    pub phones: PhoneBook,
    /// Whose softphones are there.
    pub stations: StationBook,
    /// Which trunks are which, and which are up.
    pub trunks: TrunkBook,
    /// Who places calls by carriers.
    pub carriers: CarrierBook,
    /// What every receptionist works with; its `reports` belong to `reports` below.
    pub desk: Desk,
    /// Where receptionists report.
    pub reports: mpsc::Receiver<(CallId, crate::voice::receptionist::Report)>,
    /// For the tasks of calls.
    pub tasks: Tasks,
    /// The time of day.
    pub clock: Clock,
    /// Calls at the same time.
    pub calls_max: usize,
    /// What is offered to whom we call, best first.
    pub codecs: Vec<Codec>,
    /// What a caller hears when the receptionist fails, by language and by whether the call ends after it.
    pub apology: fn(Lang, bool) -> String,
}

/// A person's wish to call.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The call that it becomes.
    pub call: CallId,
    /// Who.
    pub by: AccountId,
    /// The same in the log.
    pub actor: Actor,
    /// The piece of work.
    pub cause: CauseId,
    /// From where: their softphone, or their telephone, which is rung first.
    pub origin: Origin,
    /// What colleagues are shown: an extension or a name.
    pub shown: String,
    /// What they dialled: a number or an extension.
    pub to: String,
    /// What a called party outside shall be shown.
    pub show: Show,
}

/// A person who comes into a call.
#[derive(Clone, Debug)]
pub struct Joiner {
    /// Who.
    pub account: AccountId,
    /// The same in the log.
    pub actor: Actor,
    /// From where: their softphone, or their telephone, which is rung.
    pub origin: Origin,
    /// How the others are shown them: an extension or a name.
    pub shown: String,
}

/// What a person asks of the floor.
#[derive(Clone, Debug)]
enum Ask {
    Place(Wanted),
    Join { call: CallId, by: Joiner, part: Part, takes_over: bool },
    Order { call: CallId, by: AccountId, order: Order },
    Transfer { call: CallId, by: AccountId, to: String, attended: bool },
    Drain,
}

struct Ordered {
    ask: Ask,
    reply: Option<oneshot::Sender<Result<(), NotPlaced>>>,
}

/// A way to the floor from anywhere. Cheap to clone.
#[derive(Clone)]
pub struct FloorHandle {
    orders: mpsc::Sender<Ordered>,
    board: watch::Receiver<Arc<Vec<LiveCall>>>,
    legs: watch::Receiver<HashMap<LegId, CallId>>,
    changes: Arc<AtomicU64>,
}

impl FloorHandle {
    /// The call that this leg brought, while it is on.
    pub fn call_of(&self, leg: LegId) -> Option<CallId> {
        self.legs.borrow().get(&leg).copied()
    }

    /// The calls that are on now, oldest first.
    pub fn snapshot(&self) -> Arc<Vec<LiveCall>> {
        Arc::clone(&self.board.borrow())
    }

    /// Hears of every change of the live picture; the latest wins.
    pub fn watch(&self) -> watch::Receiver<Arc<Vec<LiveCall>>> {
        self.board.clone()
    }

    /// Grows whenever a call's record has changed: whoever keeps figures of calls counts again then.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Places a call: from the person's softphone at once, otherwise their telephone is rung first.
    ///
    /// # Errors
    /// `outbound_refused` with the rule that stands against it, `conflict` when their softphone is in use, `unavailable` when no
    /// place is left.
    pub async fn place(&self, wanted: Wanted) -> Result<(), Error> {
        self.ask(Ask::Place(wanted)).await
    }

    /// Does what a person wants of a call that is on. Calls are handed on by [`Self::transfer`].
    ///
    /// # Errors
    /// `conflict` when it is not on any more, or nobody is on its other side, or it does not ring for them; `unavailable` when the
    /// service is stopping.
    pub async fn order(&self, call: CallId, by: AccountId, order: Order) -> Result<(), Error> {
        self.ask(Ask::Order { call, by, order }).await
    }

    /// Hands a call on to a number or an extension; `attended` asks there first.
    ///
    /// # Errors
    /// As [`Self::place`] and [`Self::order`].
    pub async fn transfer(&self, call: CallId, by: AccountId, to: String, attended: bool) -> Result<(), Error> {
        self.ask(Ask::Transfer { call, by, to, attended }).await
    }

    /// Brings a person into a call that others have, or lets them take part in another way.
    ///
    /// # Errors
    /// As [`Self::order`]; `conflict` also when their softphone is in another call; `unavailable` when the call has no place left.
    pub async fn join(&self, call: CallId, by: Joiner, part: Part) -> Result<(), Error> {
        self.ask(Ask::Join { call, by, part, takes_over: false }).await
    }

    /// Lets a person handle a call in the place of the receptionist, or of a colleague.
    ///
    /// # Errors
    /// As [`Self::join`].
    pub async fn take_over(&self, call: CallId, by: Joiner) -> Result<(), Error> {
        self.ask(Ask::Join { call, by, part: Part::Talk, takes_over: true }).await
    }

    async fn ask(&self, ask: Ask) -> Result<(), Error> {
        let stopping = || Error::new(ErrorCode::Unavailable, "The service is stopping");
        let (reply, answer) = oneshot::channel();
        self.orders.send(Ordered { ask, reply: Some(reply) }).await.map_err(|_| stopping())?;
        match answer.await.map_err(|_| stopping())? {
            Ok(()) => Ok(()),
            Err(NotPlaced::Rule(rule)) => Err(Error::outbound(rule)),
            Err(NotPlaced::NotTalking) => {
                Err(Error::new(ErrorCode::Conflict, "Nobody is on the other side of this call, or it has ended"))
            }
            Err(NotPlaced::Busy) => Err(Error::new(
                ErrorCode::Conflict,
                "Your softphone is in a call, or it rings: end or answer that one first",
            )),
            Err(NotPlaced::Full) => {
                Err(Error::new(ErrorCode::Unavailable, "Every line is taken (sip.calls_max)").retry_after(30))
            }
            Err(NotPlaced::Stopping) => Err(stopping()),
        }
    }

    /// Takes no new calls from now on; those that are on stay.
    pub async fn drain(&self) {
        // A floor that is gone takes no calls either.
        let _gone = self.orders.send(Ordered { ask: Ask::Drain, reply: None }).await;
    }
}

/// Opens the floor. It closes when the engine's events end and every call has been written down.
pub fn open(parts: FloorParts, engine: EngineEvents) -> FloorHandle {
    let (mailbox, inputs) = mpsc::channel(MAILBOX_MAX);
    let (orders, ordered) = mpsc::channel(ORDERS_MAX);
    let (board, watched) = watch::channel(Arc::default());
    let (legs, known) = watch::channel(HashMap::new());
    let changes = Arc::new(AtomicU64::new(0));
    let apologies = Apologies::prepare(&parts.tasks, Arc::clone(&parts.desk.tts), parts.apology);
    let handle = FloorHandle { orders, board: watched, legs: known, changes: Arc::clone(&changes) };
    let tasks = parts.tasks.clone();
    let shell = Shell::new(Floor::new(parts.calls_max), parts, mailbox, Seen { board, legs }, changes, apologies);
    tasks.spawn("floor", shell.run(engine, ordered, inputs));
    handle
}
