#![allow(clippy::unwrap_used)]
//! Step tables on virtual time, and random conversations that must keep the rules.
//!
//! One long file, because every table drives the same `Call` and reads as one list of what Turn promises.

use super::*;
use crate::io::{Pcm, Rate};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const MS: fn(u64) -> Duration = Duration::from_millis;

fn pcm(ms: u64) -> Pcm {
    Pcm { rate: Rate::Hz16000, samples: vec![0; usize::try_from(ms * 16).unwrap()].into() }
}

/// A call on virtual time; everything that comes out is kept.
struct Call {
    turns: Turns,
    start: Instant,
    at_ms: u64,
    seen: Vec<Output>,
}

impl Call {
    fn new() -> Self {
        let start = crate::epoch();
        let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect();
        let config = Config { backchannels: words(&["mhm", "okay", "i see"]), stops: words(&["stop", "wait"]) };
        Self { turns: Turns::new(config, start), start, at_ms: 0, seen: Vec::new() }
    }

    fn put(&mut self, input: Input) -> &mut Self {
        self.turns.handle(input, self.start + MS(self.at_ms));
        while let Some(output) = self.turns.poll() {
            self.seen.push(output);
        }
        self
    }

    /// Lets time pass, waking the machine exactly when it asks.
    fn pass(&mut self, ms: u64) -> &mut Self {
        let until = self.at_ms + ms;
        while let Some(wake) = self.turns.next_wake() {
            let wake_ms = u64::try_from(wake.saturating_duration_since(self.start).as_millis()).unwrap();
            if wake_ms > until {
                break;
            }
            self.at_ms = self.at_ms.max(wake_ms);
            self.put(Input::Wake);
        }
        self.at_ms = until;
        self
    }

    fn started(&mut self) -> &mut Self {
        let at_ms = self.at_ms;
        self.put(Input::SpeechStarted { at_ms })
    }

    fn stopped(&mut self) -> &mut Self {
        let at_ms = self.at_ms;
        self.put(Input::SpeechEnded { at_ms })
    }

    fn partial(&mut self, text: &str) -> &mut Self {
        self.put(Input::Heard { text: text.to_owned(), complete: false, words: Vec::new() })
    }

    fn complete(&mut self, text: &str) -> &mut Self {
        self.put(Input::Heard { text: text.to_owned(), complete: true, words: Vec::new() })
    }

    /// The caller speaks for `ms` and is understood.
    fn says(&mut self, text: &str, ms: u64) -> &mut Self {
        self.started().pass(ms).stopped().complete(text)
    }

    /// The shell says something of `ms` length.
    fn reply(&mut self, id: u64, answers: Option<u64>, protected: bool, text: &str, ms: u64) -> &mut Self {
        let reply = ReplyId(id);
        self.put(Input::ReplyStarted { reply, answers: answers.map(TurnId), protected });
        self.put(Input::ReplyText { reply, text: text.to_owned() });
        self.put(Input::ReplyAudio { reply, pcm: pcm(ms) });
        self.put(Input::ReplyDone { reply })
    }

    /// The engine reports.
    fn played(&mut self, id: u64, ms: u64, started_ms: u64, done: bool) -> &mut Self {
        self.put(Input::Played { reply: ReplyId(id), samples: ms * 16, started_ms, done })
    }

    fn take(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.seen)
    }

    fn asked(&mut self) -> Vec<(u64, String, bool)> {
        let asked = self.take().into_iter().filter_map(|output| match output {
            Output::Ask { turn, text, continues } => Some((turn.0, text, continues)),
            _ => None,
        });
        asked.collect()
    }

    fn committed(&self) -> Vec<(Who, String, bool)> {
        let records = self.seen.iter().filter_map(|output| match output {
            Output::Commit(record) => Some((record.who, record.text.clone(), record.full)),
            _ => None,
        });
        records.collect()
    }
}

#[test]
fn a_turn_is_taken_when_the_words_are_final_and_the_pause_is_long_enough() {
    let mut call = Call::new();
    call.says("what are your opening hours", 1_500).pass(499);
    assert_eq!(call.asked(), []);
    call.pass(1);
    assert_eq!(call.asked(), [(1, "what are your opening hours".to_owned(), false)]);
}

#[test]
fn a_pause_in_the_middle_of_a_sentence_is_not_its_end_and_is_learned() {
    let mut call = Call::new();
    call.says("i would like", 600).pass(450).says("to come on tuesday", 900).pass(449);
    assert_eq!(call.asked(), []);
    call.pass(150);
    assert_eq!(call.asked(), [(1, "i would like to come on tuesday".to_owned(), false)]);
    // 450 ms of pause were learned: this caller gets 562 ms from now on.
    call.reply(1, Some(1), false, "Fine.", 400).played(1, 400, 3_000, true).says("and", 500).pass(550);
    assert_eq!(call.asked(), []);
    call.pass(13);
    assert_eq!(call.asked().len(), 1);
}

#[test]
fn patience_depends_on_what_was_asked() {
    for (patience, least_ms) in
        [(Patience::YesNo, 250), (Patience::Open, 500), (Patience::Digits, 1_200), (Patience::Message, 2_000)]
    {
        let mut call = Call::new();
        call.put(Input::Expect(patience)).says("yes", 300).pass(least_ms - 1);
        assert_eq!(call.asked(), [], "{patience:?}");
        call.pass(1);
        assert_eq!(call.asked().len(), 1, "{patience:?}");
    }
}

#[test]
fn a_recogniser_that_never_finishes_does_not_hold_the_turn_forever() {
    let mut call = Call::new();
    call.started().partial("is there a lift").pass(800).stopped().pass(2_499);
    assert_eq!(call.asked(), []);
    call.pass(1);
    assert_eq!(call.asked(), [(1, "is there a lift".to_owned(), false)]);
    // Its late end is not a second turn.
    call.complete("is there a lift").pass(3_000);
    assert_eq!(call.committed().len(), 0);
}

#[test]
fn a_caller_who_is_said_to_speak_forever_is_answered() {
    let mut call = Call::new();
    call.started().partial("hello").pass(5_000);
    assert_eq!(call.asked(), [(1, "hello".to_owned(), false)]);
}

#[test]
fn sound_without_words_is_asked_about_when_it_was_long_enough() {
    let mut call = Call::new();
    call.says("", 700).pass(600);
    assert!(call.take().contains(&Output::Prompt(Prompt::NotCaught)));
    call.says("", 200).pass(600);
    assert!(!call.take().contains(&Output::Prompt(Prompt::NotCaught)));
}

#[test]
fn an_interruption_pauses_at_once_and_words_take_the_floor() {
    let mut call = Call::new();
    call.reply(1, None, false, "We are open from nine to six every day.", 3_000)
        .played(1, 1_000, 0, false)
        .pass(1_000)
        .take();
    call.started();
    assert_eq!(call.take(), [Output::Pause(ReplyId(1))]);
    call.pass(200).partial("no i meant");
    let seen = call.take();
    assert!(seen.contains(&Output::Flush(ReplyId(1))) && seen.contains(&Output::Drop(ReplyId(1))), "{seen:?}");
    call.played(1, 1_050, 0, true);
    assert_eq!(call.committed(), [(Who::Receptionist(ReplyId(1)), "We are open".to_owned(), false)]);
    call.pass(800).stopped().complete("no i meant saturday").pass(500);
    assert_eq!(call.asked(), [(1, "no i meant saturday".to_owned(), false)]);
}

#[test]
fn an_interruption_that_was_nothing_is_taken_back() {
    let mut call = Call::new();
    call.reply(1, None, false, "We are open from nine to six.", 3_000).played(1, 500, 0, false).take();
    call.started().pass(200).stopped().pass(299);
    assert_eq!(call.take(), [Output::Pause(ReplyId(1))]);
    call.pass(1);
    assert_eq!(call.take(), [Output::Resume(ReplyId(1))]);
}

#[test]
fn long_speech_takes_the_floor_without_words() {
    let mut call = Call::new();
    call.reply(1, None, false, "We are open from nine to six.", 3_000).take();
    call.started().pass(500);
    assert!(call.take().contains(&Output::Flush(ReplyId(1))));
}

#[test]
fn signs_of_listening_do_not_interrupt_and_are_not_answered() {
    let mut call = Call::new();
    call.reply(1, None, false, "We are open from nine to six.", 3_000).take();
    call.started().pass(150).partial("mhm okay").pass(350);
    assert_eq!(
        call.take().into_iter().filter(|output| !matches!(output, Output::Hearing { .. })).collect::<Vec<_>>(),
        [Output::Pause(ReplyId(1)), Output::Resume(ReplyId(1))]
    );
    call.stopped().complete("mhm okay").pass(600);
    assert_eq!(call.committed(), [(Who::Caller(TurnId(1)), "mhm okay".to_owned(), true)]);
    assert_eq!(call.asked(), []);
    // The same words are an answer after a yes-or-no question.
    call.put(Input::Expect(Patience::YesNo)).started().pass(150).partial("okay");
    assert!(call.take().contains(&Output::Flush(ReplyId(1))));
}

#[test]
fn protected_speech_is_not_interrupted_and_the_callers_words_are_kept() {
    let mut call = Call::new();
    call.reply(1, None, true, "This call is recorded.", 2_000).take();
    call.played(1, 100, 0, false)
        .started()
        .pass(200)
        .partial("stop i want to book")
        .pass(600)
        .stopped()
        .complete("stop i want to book");
    call.played(1, 1_000, 0, false).pass(900);
    assert!(call.take().iter().all(|output| matches!(output, Output::Hearing { .. })));
    call.played(1, 2_000, 0, true);
    let seen = call.take();
    assert!(
        matches!(&seen[0], Output::Commit(record) if record.full && record.text == "This call is recorded."),
        "{seen:?}"
    );
    assert!(seen.iter().any(|output| matches!(output, Output::Ask { text, .. } if text == "stop i want to book")));
}

#[test]
fn an_emergency_interrupts_even_protected_speech_and_its_words_are_not_asked_about() {
    let mut call = Call::new();
    call.reply(1, None, true, "This call is recorded.", 2_000)
        .played(1, 500, 0, false)
        .started()
        .partial("i have chest pain")
        .take();
    call.put(Input::Interrupt);
    assert!(call.take().contains(&Output::Flush(ReplyId(1))));
    call.reply(2, None, true, "Please dial 999.", 1_000);
    assert!(
        !call.seen.iter().any(|output| matches!(output, Output::Speak { .. })),
        "the first playing is not gone yet"
    );
    call.played(1, 520, 0, true);
    assert!(call.take().iter().any(|output| matches!(output, Output::Speak { reply: ReplyId(2), .. })));
    call.pass(300).stopped().complete("i have chest pain").pass(600);
    assert_eq!(call.committed().len(), 1);
    assert_eq!(call.asked(), []);
}

#[test]
fn what_was_never_played_is_never_on_record() {
    let mut call = Call::new();
    call.says("hello", 400).pass(500).reply(1, Some(1), false, "Hello to you.", 1_000).take();
    call.started()
        .partial("i want to book")
        .played(1, 0, 0, true)
        .pass(500)
        .stopped()
        .complete("i want to book")
        .pass(500);
    assert_eq!(call.committed().iter().map(|(who, ..)| *who).collect::<Vec<_>>(), [Who::Caller(TurnId(2))]);
}

#[test]
fn a_caller_who_goes_on_before_the_answer_is_heard_is_asked_about_as_continuing() {
    let mut call = Call::new();
    call.says("i would like an appointment", 900).pass(500).says("for next tuesday", 700).pass(625);
    let asked = call.asked();
    assert_eq!(
        asked.iter().map(|(turn, _, continues)| (*turn, *continues)).collect::<Vec<_>>(),
        [(1, false), (2, true)]
    );
    // The answer to the first half is stale.
    call.reply(1, Some(1), false, "Which day?", 500);
    assert_eq!(call.take(), [Output::Drop(ReplyId(1))]);
    call.reply(2, Some(2), false, "Tuesday then.", 500);
    assert!(call.take().iter().any(|output| matches!(output, Output::Speak { reply: ReplyId(2), .. })));
}

#[test]
fn thinking_is_covered_and_given_up_in_the_end() {
    let mut call = Call::new();
    call.says("what does it cost", 900).pass(500).take();
    call.pass(800);
    assert_eq!(call.take(), [Output::Filler(TurnId(1), 0)]);
    call.pass(3_200);
    assert_eq!(call.take(), [Output::Filler(TurnId(1), 1)]);
    call.pass(5_000);
    assert_eq!(call.take(), [Output::Escalate(Escalation::NoReply(TurnId(1)))]);
}

#[test]
fn a_failed_reply_is_told_and_what_was_heard_of_a_broken_one_stays() {
    let mut call = Call::new();
    call.says("hello", 400).pass(500).take();
    call.put(Input::ReplyStarted { reply: ReplyId(1), answers: Some(TurnId(1)), protected: false });
    call.put(Input::ReplyFailed { reply: ReplyId(1) });
    assert_eq!(call.take(), [Output::Escalate(Escalation::NoReply(TurnId(1)))]);
    call.put(Input::ReplyStarted { reply: ReplyId(2), answers: None, protected: false });
    call.put(Input::ReplyText { reply: ReplyId(2), text: "One moment.".to_owned() });
    call.put(Input::ReplyAudio { reply: ReplyId(2), pcm: pcm(500) });
    call.put(Input::ReplyFailed { reply: ReplyId(2) }).played(2, 500, 5_000, true);
    assert!(call.seen.contains(&Output::Escalate(Escalation::BrokenReply(ReplyId(2)))));
    assert_eq!(call.committed(), [(Who::Receptionist(ReplyId(2)), "One moment.".to_owned(), true)]);
}

#[test]
fn silence_is_asked_about_twice_and_then_handed_over() {
    let mut call = Call::new();
    call.pass(24_000);
    assert_eq!(
        call.take(),
        [
            Output::Prompt(Prompt::AreYouThere(1)),
            Output::Prompt(Prompt::AreYouThere(2)),
            Output::Escalate(Escalation::Silence)
        ]
    );
}

#[test]
fn a_key_stops_what_is_said_and_what_is_thought() {
    let mut call = Call::new();
    call.says("hello", 400).pass(500).reply(1, Some(1), false, "Hello to you.", 1_000).take();
    call.put(Input::Dtmf);
    assert_eq!(call.take(), [Output::Flush(ReplyId(1)), Output::Drop(ReplyId(1))]);
}

#[test]
fn the_time_to_the_first_word_of_an_answer_is_measured() {
    let mut call = Call::new();
    call.says("hello", 1_000).pass(500).reply(1, Some(1), false, "Hello.", 400).played(1, 400, 1_650, true);
    let reply_ms = call.seen.iter().find_map(|output| match output {
        Output::Commit(record) if record.who == Who::Receptionist(ReplyId(1)) => record.reply_ms,
        _ => None,
    });
    assert_eq!(reply_ms, Some(650));
}

#[test]
fn the_end_of_the_call_commits_what_is_open() {
    let mut call = Call::new();
    call.reply(1, None, false, "Goodbye then.", 1_000).played(1, 1_000, 0, false).started().partial("thank you");
    call.put(Input::Ended);
    assert_eq!(call.committed().len(), 2);
    assert_eq!(call.turns.next_wake(), None);
}

/// One step of a random conversation.
#[derive(Clone, Debug)]
enum Step {
    Pass(u64),
    Started,
    Stopped,
    Partial(u8),
    Complete(u8),
    Reply { ahead: u64, answers: bool, stale: bool, protected: bool, ms: u64, complete: bool },
    Failed(u64),
    Dtmf,
    Interrupt,
    Expect(u8),
}

const WORDS: [&str; 6] = ["", "hello", "mhm", "stop", "what are your opening hours", "okay i see"];

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..3_000_u64).prop_map(Step::Pass),
        2 => Just(Step::Started),
        2 => Just(Step::Stopped),
        2 => (0..6_u8).prop_map(Step::Partial),
        2 => (0..6_u8).prop_map(Step::Complete),
        4 => (0..3_u64, any::<bool>(), prop::bool::weighted(0.2), prop::bool::weighted(0.2), 1..3_000_u64, prop::bool::weighted(0.8))
            .prop_map(|(ahead, answers, stale, protected, ms, complete)| Step::Reply { ahead, answers, stale, protected, ms, complete }),
        1 => (0..12_u64).prop_map(Step::Failed),
        1 => Just(Step::Dtmf),
        1 => Just(Step::Interrupt),
        1 => (0..4_u8).prop_map(Step::Expect),
    ]
}

/// An engine that plays as told, in order, on virtual time.
#[derive(Default)]
struct Playing {
    line: Vec<(ReplyId, u64, bool)>,
    played: BTreeMap<ReplyId, u64>,
    paused: BTreeSet<ReplyId>,
}

impl Playing {
    /// Obeys one output; what is reported at once comes back.
    fn obey(&mut self, output: &Output) -> Option<Input> {
        match output {
            Output::Speak { reply, pcm, last } => {
                let samples = pcm.as_ref().map_or(0, |pcm| pcm.samples.len() as u64);
                match self.line.iter_mut().find(|(id, ..)| id == reply) {
                    Some((_, all, ended)) => {
                        *all += samples;
                        *ended = *last;
                    }
                    None => self.line.push((*reply, samples, *last)),
                }
                None
            }
            Output::Pause(reply) => {
                self.paused.insert(*reply);
                None
            }
            Output::Resume(reply) => {
                self.paused.remove(reply);
                None
            }
            Output::Flush(reply) => {
                self.line.retain(|(id, ..)| id != reply);
                self.paused.remove(reply);
                let samples = self.played.get(reply).copied().unwrap_or(0);
                Some(Input::Played { reply: *reply, samples, started_ms: 0, done: true })
            }
            _ => None,
        }
    }

    /// 100 ms of sound.
    fn tick(&mut self) -> Option<Input> {
        let (reply, all, last) = *self.line.first()?;
        if self.paused.contains(&reply) {
            return None;
        }
        let played = self.played.entry(reply).or_default();
        *played = (*played + 1_600).min(all);
        let done = last && *played == all;
        if done {
            self.line.remove(0);
        }
        Some(Input::Played { reply, samples: self.played[&reply], started_ms: 0, done })
    }
}

/// What must hold of everything that ever comes out.
#[derive(Default)]
struct Rules {
    committed: BTreeSet<(bool, u64)>,
    asked: BTreeSet<u64>,
    protected: BTreeSet<ReplyId>,
    /// Never completed: a watchdog may end them.
    incomplete: BTreeSet<ReplyId>,
    texts: BTreeMap<ReplyId, String>,
    forced: bool,
}

impl Rules {
    fn check(&mut self, output: &Output, playing: &Playing) {
        match output {
            Output::Commit(record) => {
                let key = match record.who {
                    Who::Caller(turn) => (true, turn.0),
                    Who::Receptionist(reply) => {
                        assert!(
                            playing.played.get(&reply).is_some_and(|played| *played > 0),
                            "{reply:?} was not played"
                        );
                        assert!(self.texts[&reply].starts_with(&record.text), "{record:?}");
                        (false, reply.0)
                    }
                };
                assert!(self.committed.insert(key), "{key:?} twice");
            }
            Output::Ask { turn, .. } => {
                assert!(self.committed.contains(&(true, turn.0)), "asked before it was on record");
                assert!(self.asked.insert(turn.0), "{turn:?} asked twice");
            }
            Output::Pause(reply) => assert!(!self.protected.contains(reply), "protected speech was paused"),
            Output::Flush(reply) if !self.forced && !self.incomplete.contains(reply) => {
                assert!(!self.protected.contains(reply), "protected speech was flushed");
            }
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn any_conversation_keeps_the_rules(steps in prop::collection::vec(step(), 1..60)) {
        let mut call = Call::new();
        let (mut playing, mut rules) = (Playing::default(), Rules::default());
        let mut newest = 0;
        let mut last_turn = None;
        let mut quiet_ms = 0;
        let run = |call: &mut Call, playing: &mut Playing, rules: &mut Rules, first: Input| {
            let mut inputs = VecDeque::from([first]);
            let (mut any, mut asked) = (false, None);
            while let Some(input) = inputs.pop_front() {
                call.put(input);
                for output in call.take() {
                    rules.check(&output, playing);
                    if let Output::Ask { turn, .. } = &output {
                        asked = Some(turn.0);
                    }
                    any = true;
                    inputs.extend(playing.obey(&output));
                }
            }
            (any, asked)
        };
        for step in steps {
            rules.forced = matches!(step, Step::Interrupt);
            let at_ms = call.at_ms;
            // The caller's own signs of life are no silence.
            if !matches!(step, Step::Pass(_) | Step::Reply { .. } | Step::Failed(_) | Step::Expect(_)) {
                quiet_ms = 0;
            }
            let input = match step {
                Step::Pass(ms) => {
                    for _ in 0..ms.div_ceil(100) {
                        call.at_ms += 100;
                        let (woken, turn) = run(&mut call, &mut playing, &mut rules, Input::Wake);
                        last_turn = turn.or(last_turn);
                        let sound = playing.tick();
                        quiet_ms = if woken || sound.is_some() { 0 } else { quiet_ms + 100 };
                        prop_assert!(quiet_ms <= 13_000, "both sides were left alone");
                        if let Some(sound) = sound {
                            run(&mut call, &mut playing, &mut rules, sound);
                        }
                    }
                    continue;
                }
                Step::Started => Input::SpeechStarted { at_ms },
                Step::Stopped => Input::SpeechEnded { at_ms },
                Step::Partial(at) => Input::Heard { text: WORDS[usize::from(at)].to_owned(), complete: false, words: Vec::new() },
                Step::Complete(at) => Input::Heard { text: WORDS[usize::from(at)].to_owned(), complete: true, words: Vec::new() },
                Step::Reply { ahead, answers, stale, protected, ms, complete } => {
                    let id = if stale { newest } else { newest + 1 + ahead };
                    let reply = ReplyId(id);
                    if !stale {
                        newest = id;
                        if protected {
                            rules.protected.insert(reply);
                        }
                        if !complete {
                            rules.incomplete.insert(reply);
                        }
                        rules.texts.insert(reply, "We are open from nine to six every day.".to_owned());
                    }
                    let answers = last_turn.filter(|_| answers).map(TurnId);
                    run(&mut call, &mut playing, &mut rules, Input::ReplyStarted { reply, answers, protected });
                    if stale {
                        continue;
                    }
                    let text = rules.texts[&reply].clone();
                    run(&mut call, &mut playing, &mut rules, Input::ReplyText { reply, text });
                    run(&mut call, &mut playing, &mut rules, Input::ReplyAudio { reply, pcm: pcm(ms) });
                    if !complete {
                        continue;
                    }
                    Input::ReplyDone { reply }
                }
                Step::Failed(id) => Input::ReplyFailed { reply: ReplyId(id) },
                Step::Dtmf => Input::Dtmf,
                Step::Interrupt => Input::Interrupt,
                Step::Expect(at) => Input::Expect([Patience::Open, Patience::YesNo, Patience::Digits, Patience::Message][usize::from(at)]),
            };
            let (any, turn) = run(&mut call, &mut playing, &mut rules, input);
            last_turn = turn.or(last_turn);
            if any {
                quiet_ms = 0;
            }
            prop_assert!(call.turns.next_wake().is_some(), "a state without a wake");
        }
        call.put(Input::Ended);
        for output in call.take() {
            rules.check(&output, &playing);
        }
    }
}

#[test]
fn arcs_are_shared_not_copied() {
    let audio = pcm(20);
    let mut call = Call::new();
    let reply = ReplyId(1);
    call.put(Input::ReplyStarted { reply, answers: None, protected: false });
    call.put(Input::ReplyAudio { reply, pcm: audio.clone() });
    assert!(matches!(&call.seen[0], Output::Speak { pcm: Some(pcm), .. } if Arc::ptr_eq(&pcm.samples, &audio.samples)));
}
