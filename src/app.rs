//! The program as a whole: what its parts share, starting them in order, stopping them in reverse.

mod first;
mod speech;
mod start;

pub use speech::Speech;
pub use start::{Options, Running, StartError};

use crate::backups::Backups;
use crate::calls::StatsCache;
use crate::carriers::Carriers;
use crate::clock::Clock;
use crate::config::Config;
use crate::events::Events;
use crate::floor::FloorHandle;
use crate::knowledge::Library;
use crate::music::Music;
use crate::phones::Phones;
use crate::reasons::Reasons;
use crate::search::rebuild::Rebuild;
use crate::sessions::Strangers;
use crate::softphone::Softphones;
use crate::tasks::Tasks;
use crate::trunks::Trunks;
use crate::voice::VoiceHandle;
use crate::voice::receptionist::Desk;
use auricle_domain::Timestamp;
use auricle_storage::{Search, Store};

/// Everything that use-cases and handlers work with. Shared as `Arc<App>`.
pub struct App {
    /// As it was read at start.
    pub config: Config,
    /// Records, feed and blobs.
    pub store: Store,
    /// The full-text index; follows the feed.
    pub search: Search,
    /// Building that index again.
    pub rebuild: Rebuild,
    /// Makes backups.
    pub backups: Backups,
    /// What the clinic knows, ready to be asked.
    pub library: Library,
    /// Today's figures of calls, as last counted.
    pub stats: StatsCache,
    /// Why past calls are opened, as last said.
    pub reasons: Reasons,
    /// Wrong passwords for e-mail addresses that nobody has.
    pub strangers: Strangers,
    /// Carriers that are used by their API: their calls, and what stands before them.
    pub carriers: Carriers,
    /// How the trunks stand.
    pub trunks: Trunks,
    /// Where the desk phones are.
    pub phones: Phones,
    /// Who speaks from a browser.
    pub softphones: Softphones,
    /// The one path for facts.
    pub events: Events,
    /// Music on hold.
    pub music: Music,
    /// The engine.
    pub voice: VoiceHandle,
    /// Who talks to whom.
    pub floor: FloorHandle,
    /// What receptionists work with: speech, language model, tools.
    pub desk: Desk,
    /// Tasks beside the requests.
    pub tasks: Tasks,
    /// The time of day.
    pub clock: Clock,
    /// When the program started.
    pub started_at: Timestamp,
}
