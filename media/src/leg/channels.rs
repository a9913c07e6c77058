//! What a recording keeps of a frame: a channel for each class of party (B-03).

use crate::audio::level;
use crate::audio::mix::Mix;
use crate::io::PartyClass;

/// The frame that is being recorded.
#[derive(Default)]
pub(super) struct Channels {
    caller: Vec<i16>,
    receptionist: Vec<i16>,
    staff: Vec<i16>,
}

impl Channels {
    /// A new frame: nothing was said yet. It stays so while nothing leaves, on hold and beside a digit.
    pub(super) fn clear(&mut self) {
        for channel in [&mut self.caller, &mut self.receptionist, &mut self.staff] {
            channel.clear();
        }
    }

    /// What leaves in this frame: what was played, which `frame` holds, and what the bridge will add.
    pub(super) fn spoken(&mut self, frame: &[i16], bridged: Option<&Mix>) {
        self.receptionist.extend_from_slice(frame);
        let Some(bridged) = bridged else { return };
        bridged.mix_class(PartyClass::Receptionist, &mut self.receptionist);
        for (class, channel) in [(PartyClass::Caller, &mut self.caller), (PartyClass::Staff, &mut self.staff)] {
            if bridged.has(class) {
                channel.resize(frame.len(), 0);
                bridged.mix_class(class, channel);
            }
        }
    }

    /// What the far end, which is of this class, said in this frame.
    pub(super) fn heard(&mut self, class: PartyClass, far: &[i16]) {
        let channel = match class {
            PartyClass::Caller => &mut self.caller,
            PartyClass::Receptionist => &mut self.receptionist,
            PartyClass::Staff => &mut self.staff,
        };
        channel.resize(far.len().max(channel.len()), 0);
        level::mix(far, channel);
    }

    /// Caller, receptionist, staff; empty where nothing was said.
    pub(super) fn take(&self) -> [Box<[i16]>; 3] {
        [&self.caller, &self.receptionist, &self.staff].map(|channel| {
            if channel.iter().any(|sample| *sample != 0) { channel.as_slice().into() } else { Box::default() }
        })
    }
}
