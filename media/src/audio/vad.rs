//! When the far end speaks: earshot's network on 16 ms frames at 16 kHz, with hysteresis and hangover.

use earshot::Detector;

use super::level::mean;

/// Samples of one decision: 16 ms at 16 kHz.
const FRAME: usize = 256;
const FRAME_MS: u64 = 16;
/// A frame is voiced from this probability on.
const ENTER: f32 = 0.5;
/// A frame of running speech is voiced down to this probability.
const LEAVE: f32 = 0.35;
/// Peak under which nothing is speech: -66 dBFS. Codecs' idle noise stays below.
const AUDIBLE: u16 = 16;
/// A frame this much weaker than the speech before it (36 dB) is a pause, even while the network still echoes.
const FALL: u32 = 64;
/// Frames (half a second) over which a sound that hardly changes its loudness is a tone or a hum: the network takes some
/// dial tones for a vowel, and without this a far end that hung up behind a gateway would speak for ever.
const STEADY_FRAMES: usize = 32;
/// Inaudible frames after which the network rests, and starts afresh with the next sound.
const REST_AFTER: u32 = 64;

/// When speech counts as begun and as over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VadTimes {
    /// Voiced time that begins speech, in milliseconds.
    pub start_ms: u64,
    /// Unvoiced time that ends it.
    pub stop_ms: u64,
}

impl Default for VadTimes {
    /// Short answers ("yes") must count and clicks must not; a pause inside a word must not end it.
    fn default() -> Self {
        Self { start_ms: 80, stop_ms: 200 }
    }
}

/// A change that the VAD noticed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum VadEvent {
    /// Speech began.
    Started {
        /// First voiced sample, milliseconds of audio since the start of the stream.
        at_ms: u64,
    },
    /// Speech is over.
    Ended {
        /// Last voiced sample, milliseconds of audio since the start of the stream.
        at_ms: u64,
    },
}

/// Voice activity of one stream at 16 kHz.
pub struct Vad {
    detector: Box<Detector>,
    times: VadTimes,
    frame: [i16; FRAME],
    filled: usize,
    frames: u64,
    speaking: bool,
    /// First frame of the voiced run that may become speech.
    run_start: Option<u64>,
    voiced: u64,
    last_voiced: u64,
    inaudible: u32,
    skipped_ms: u64,
    /// Mean magnitude of recent speech, times [`FALL`]; half of it is forgotten in 2 s.
    loudness: u32,
    /// Mean magnitudes of the last frames, in turn.
    means: [u32; STEADY_FRAMES],
}

impl Vad {
    /// Nobody speaks yet.
    pub fn new(times: VadTimes) -> Self {
        Self {
            detector: Box::new(Detector::default()),
            times,
            frame: [0; FRAME],
            filled: 0,
            frames: 0,
            speaking: false,
            run_start: None,
            voiced: 0,
            last_voiced: 0,
            inaudible: 0,
            skipped_ms: 0,
            loudness: 0,
            means: [0; STEADY_FRAMES],
        }
    }

    /// Whether somebody speaks now.
    pub fn speaking(&self) -> bool {
        self.speaking
    }

    /// Time passed of which there is no audio. What is told later is told by the time with it.
    pub fn skip(&mut self, span_ms: u64) {
        self.skipped_ms += span_ms;
    }

    /// A span of audio in which nobody wants to know who speaks. Speech that was running is over where it was heard last; what
    /// comes after the span is heard anew.
    pub fn rest(&mut self, span_ms: u64) -> Option<VadEvent> {
        let ended = VadEvent::Ended { at_ms: self.skipped_ms + (self.last_voiced + 1) * FRAME_MS };
        self.skipped_ms += span_ms + self.filled as u64 * FRAME_MS / FRAME as u64;
        (self.filled, self.run_start) = (0, None);
        (self.inaudible, self.loudness, self.means) = (u32::MAX, 0, [0; STEADY_FRAMES]);
        std::mem::take(&mut self.speaking).then_some(ended)
    }

    /// Takes samples and tells every change to `tell`. A 20 ms frame brings at most two decisions.
    pub fn run(&mut self, samples: &[i16], mut tell: impl FnMut(VadEvent)) {
        let mut rest = samples;
        while !rest.is_empty() {
            let count = rest.len().min(FRAME - self.filled);
            self.frame[self.filled..self.filled + count].copy_from_slice(&rest[..count]);
            self.filled += count;
            rest = &rest[count..];
            if self.filled == FRAME {
                self.filled = 0;
                let probability = self.probability();
                if let Some(event) = self.decide(probability) {
                    tell(event);
                }
            }
        }
    }

    fn probability(&mut self) -> f32 {
        let mean = mean(&self.frame);
        self.means[self.frames as usize % STEADY_FRAMES] = mean;
        let peak = self.frame.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0);
        if peak < AUDIBLE {
            self.inaudible = self.inaudible.saturating_add(1);
            if self.inaudible <= REST_AFTER {
                // Its memory still holds the sound before.
                self.detector.predict_i16(&self.frame);
            }
            return 0.0;
        }
        if self.inaudible > REST_AFTER {
            self.detector.reset();
        }
        self.inaudible = 0;
        let probability = self.detector.predict_i16(&self.frame);
        self.loudness -= self.loudness / 180;
        if mean * FALL * FALL < self.loudness || self.is_steady() {
            return 0.0;
        }
        if probability >= ENTER {
            self.loudness = self.loudness.max(mean * FALL);
        }
        probability
    }

    /// Whether loudness stayed within 4 dB for half a second, which no voice does.
    fn is_steady(&self) -> bool {
        let (low, high) = self.means.iter().fold((u32::MAX, 0), |(low, high), mean| (low.min(*mean), high.max(*mean)));
        high * 5 < low * 8
    }

    /// One decision. Apart from the network so that the rules can be tested with plain numbers.
    fn decide(&mut self, probability: f32) -> Option<VadEvent> {
        let frame = self.frames;
        self.frames += 1;
        let voiced = probability >= if self.speaking { LEAVE } else { ENTER };
        if voiced {
            self.last_voiced = frame;
        }
        let unvoiced_ms = (frame - self.last_voiced.min(frame)) * FRAME_MS;
        if self.speaking {
            if unvoiced_ms < self.times.stop_ms {
                return None;
            }
            self.speaking = false;
            self.run_start = None;
            return Some(VadEvent::Ended { at_ms: self.skipped_ms + (self.last_voiced + 1) * FRAME_MS });
        }
        // One unvoiced frame inside the beginning of a word does not start the count again; two do.
        if !voiced && unvoiced_ms > FRAME_MS {
            self.run_start = None;
        }
        if voiced {
            let start = match self.run_start {
                Some(start) => start,
                None => {
                    self.voiced = 0;
                    *self.run_start.insert(frame)
                }
            };
            self.voiced += 1;
            if self.voiced * FRAME_MS >= self.times.start_ms {
                self.speaking = true;
                return Some(VadEvent::Started { at_ms: self.skipped_ms + start * FRAME_MS });
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::level::mix;
    use crate::audio::resample::{HighBand, Upsampler};
    use crate::audio::sample::{Random, speech_narrow, speech_wide, tone};
    use crate::codec::g711::{decode_mu, encode_mu};

    /// Decides on one probability per character: `#` speech, `+` between the thresholds, `.` nothing.
    fn events(frames: &str) -> Vec<VadEvent> {
        let mut vad = Vad::new(VadTimes::default());
        frames
            .chars()
            .filter_map(|frame| {
                vad.decide(match frame {
                    '#' => 0.9,
                    '+' => 0.4,
                    _ => 0.1,
                })
            })
            .collect()
    }

    #[test]
    fn speech_begins_after_80_ms_and_ends_after_200_ms_and_both_are_told_with_the_true_time() {
        let started = VadEvent::Started { at_ms: 32 };
        let ended = VadEvent::Ended { at_ms: 7 * 16 };
        assert_eq!(events("..####"), []);
        assert_eq!(events("..#####"), [started]);
        assert_eq!(events("..#####............"), [started]);
        assert_eq!(events("..#####............."), [started, ended]);
    }

    #[test]
    fn clicks_do_not_begin_speech_and_short_pauses_do_not_end_it() {
        assert_eq!(events("#..##..###..####..#..##.."), []);
        assert_eq!(events("#.####"), [VadEvent::Started { at_ms: 0 }], "one frame may be missing");
        assert_eq!(events("#####..........##..........#").len(), 1);
    }

    #[test]
    fn running_speech_holds_at_a_lower_probability() {
        assert_eq!(events("+++++++++"), []);
        assert_eq!(events("#####++++++++++++++++++++++++++").len(), 1);
    }

    /// A span that nobody listens to ends what was spoken before it, and what is spoken after it is told with the time in it.
    #[test]
    fn who_is_listened_to_again_is_heard_anew() {
        let narrow = raised(&speech_narrow());
        let mut vad = Vad::new(VadTimes::default());
        let mut events = Vec::new();
        for frame in narrow[..16 * 2_010].chunks(320) {
            vad.run(frame, |event| events.push(event));
        }
        let ended = vad.rest(20);
        assert!(matches!(ended, Some(VadEvent::Ended { at_ms: 1_700..=2_010 })), "{ended:?}");
        assert_eq!((vad.rest(990), vad.speaking()), (None, false));
        events.clear();
        for frame in narrow.chunks(320) {
            vad.run(frame, |event| events.push(event));
        }
        let shifted = |event: &VadEvent| match event {
            VadEvent::Started { at_ms } => VadEvent::Started { at_ms: at_ms - 3_020 },
            VadEvent::Ended { at_ms } => VadEvent::Ended { at_ms: at_ms - 3_020 },
        };
        let events: Vec<VadEvent> = events.iter().map(shifted).collect();
        assert!(is_two_speakers(&events), "{events:?}");
    }

    /// What a whole recording brings, in 20 ms frames.
    fn heard(samples: &[i16]) -> Vec<VadEvent> {
        let mut vad = Vad::new(VadTimes::default());
        let mut events = Vec::new();
        for frame in samples.chunks(320) {
            vad.run(frame, |event| events.push(event));
        }
        events
    }

    fn raised(narrow: &[i16]) -> Vec<i16> {
        let mut wide = vec![0; narrow.len() * 2];
        Upsampler::new(HighBand::Folded).run(narrow, &mut wide);
        wide
    }

    /// As the far end of a G.711 leg is heard.
    fn companded(samples: &[i16], shift: u32) -> Vec<i16> {
        samples.iter().map(|sample| decode_mu(encode_mu(sample >> shift))).collect()
    }

    /// Two people speak, from 0.70 to 5.20 s and from 5.49 to 9.42 s. A pause inside a sentence (there is one at 4.5 s) may
    /// be told too.
    fn is_two_speakers(events: &[VadEvent]) -> bool {
        let change = events.windows(2).any(|pair| {
            matches!(pair, [VadEvent::Ended { at_ms: 5_050..=5_260 }, VadEvent::Started { at_ms: 5_440..=5_560 }])
        });
        let bounds =
            matches!(events, [VadEvent::Started { at_ms: 670..=820 }, .., VadEvent::Ended { at_ms: 9_300..=9_480 }]);
        change && bounds && events.len() <= 6
    }

    #[test]
    fn two_speakers_are_found_on_wideband_and_narrowband_legs() {
        let wide = heard(&speech_wide());
        let narrow = heard(&raised(&companded(&speech_narrow(), 0)));
        assert!(is_two_speakers(&wide), "{wide:?}");
        assert!(is_two_speakers(&narrow), "{narrow:?}");
    }

    #[test]
    fn a_quiet_line_is_heard_too() {
        let quiet = heard(&raised(&companded(&speech_narrow(), 5)));
        assert!(is_two_speakers(&quiet), "30 dB down: {quiet:?}");
    }

    #[test]
    fn tones_and_line_noise_are_nobody() {
        for (low, high) in [(350.0, 440.0), (440.0, 480.0), (480.0, 620.0), (425.0, 425.0), (1_000.0, 1_000.0)] {
            let mut samples = tone(low, 3_000.0, 16_000.0, 0, 80_000);
            mix(&tone(high, 3_000.0, 16_000.0, 0, 80_000), &mut samples);
            let events = heard(&samples);
            // The network may be taken in at first, but not for long and not again.
            let settled = matches!(events[..], [] | [VadEvent::Started { .. }, VadEvent::Ended { at_ms: 0..=600 }]);
            assert!(settled, "{low} and {high} Hz: {events:?}");
        }
        assert_eq!(heard(&Random(7).noise(300, 80_000)), []);
        assert_eq!(heard(&vec![0; 80_000]), []);
    }

    #[test]
    fn speech_over_noise_begins_and_ends() {
        let mut samples = speech_wide();
        let mut random = Random(9);
        mix(&random.noise(400, samples.len()), &mut samples);
        let events = heard(&samples);
        assert!(
            matches!(
                events[..],
                [VadEvent::Started { at_ms: 670..=820 }, .., VadEvent::Ended { at_ms: 9_300..=9_600 }]
            ),
            "{events:?}"
        );
    }
}
