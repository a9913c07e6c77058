//! What a recording keeps of a frame: a channel for each class of party (B-03).

use crate::audio::mix::Mix;
use crate::io::{LegId, Output, PartyClass, Rate};

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

    /// The frame with what the far end said in it.
    pub(super) fn recorded(&self, leg: LegId, rate: Rate, at_ms: u64, far: &[i16], masked: bool) -> Output {
        let mut caller: Box<[i16]> = if masked { Box::default() } else { far.into() };
        crate::audio::level::mix(&self.caller, &mut caller);
        let said = |channel: &[i16]| -> Box<[i16]> {
            if channel.iter().any(|sample| *sample != 0) { channel.into() } else { Box::default() }
        };
        let (receptionist, staff) = (said(&self.receptionist), said(&self.staff));
        Output::Recorded { leg, rate, at_ms, caller, receptionist, staff, masked }
    }
}
