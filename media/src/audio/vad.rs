//! When the far end speaks: earshot's network on 16 ms frames at 16 kHz, with hysteresis and hangover.

use earshot::Detector;

/// Samples of one decision: 16 ms at 16 kHz.
const FRAME: usize = 256;
const FRAME_MS: u64 = 16;
/// A frame is voiced from this probability on.
const ENTER: f32 = 0.5;
/// A frame of running speech is voiced down to this probability.
const LEAVE: f32 = 0.35;
/// Peak under which nothing is speech: -66 dBFS. Codecs' idle noise stays below.
const AUDIBLE: u16 = 16;
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
        }
    }

    /// Whether somebody speaks now.
    pub fn speaking(&self) -> bool {
        self.speaking
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
        let peak = self.frame.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0);
        if peak >= AUDIBLE {
            if self.inaudible > REST_AFTER {
                self.detector.reset();
            }
            self.inaudible = 0;
            return self.detector.predict_i16(&self.frame);
        }
        self.inaudible = self.inaudible.saturating_add(1);
        if self.inaudible <= REST_AFTER {
            // Its memory still holds the sound before.
            self.detector.predict_i16(&self.frame);
        }
        0.0
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
            return Some(VadEvent::Ended { at_ms: (self.last_voiced + 1) * FRAME_MS });
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
                return Some(VadEvent::Started { at_ms: start * FRAME_MS });
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
