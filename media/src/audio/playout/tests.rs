//! Playings step by step.

#![allow(clippy::unwrap_used)]
use super::*;
use crate::audio::sample::tone;
use proptest::prelude::*;

const A: PlayId = PlayId(1);
const B: PlayId = PlayId(2);

fn pcm(rate: Rate, samples: &[i16]) -> Pcm {
    Pcm { rate, samples: samples.into() }
}

fn narrow(samples: &[i16]) -> Pcm {
    pcm(Rate::Hz8000, samples)
}

/// Pulls frames and gives what left and what was told.
fn pull(playout: &mut Playout, frames: usize) -> (Vec<i16>, Vec<Progress>) {
    let mut all = Vec::new();
    let mut told = Vec::new();
    for index in 0..frames {
        let mut frame = vec![99; playout.rate.frame()];
        told.extend_from_slice(playout.pull(&mut frame, index as u64 * 20));
        all.extend(frame);
    }
    (all, told)
}

fn steepest(samples: &[i16]) -> i32 {
    samples.windows(2).map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs()).max().unwrap_or(0)
}

#[test]
fn chunks_leave_in_order_without_a_gap_and_every_sample_is_counted() {
    let mut playout = Playout::new(Rate::Hz8000);
    let ramp: Vec<i16> = (0..500).collect();
    for chunk in ramp.chunks(70) {
        playout.append(A, &narrow(chunk), chunk.ends_with(&[499])).unwrap();
    }
    let (all, told) = pull(&mut playout, 5);
    assert_eq!(all[..500], ramp);
    assert!(all[600..].iter().all(|sample| *sample == 0));
    let samples: Vec<_> = told.iter().map(|progress| (progress.samples, progress.done)).collect();
    assert_eq!(samples, [(160, false), (320, false), (480, false), (500, true)]);
    assert!(told.iter().all(|progress| progress.id == A && progress.started_ms == Some(0)));
    assert!(playout.is_idle());
}

#[test]
fn the_next_playing_begins_in_the_same_frame() {
    let mut playout = Playout::new(Rate::Hz8000);
    playout.append(A, &narrow(&[1; 100]), true).unwrap();
    playout.append(B, &narrow(&[2; 100]), true).unwrap();
    let (all, told) = pull(&mut playout, 2);
    assert_eq!((all[99], all[100], all[199]), (1, 2, 2));
    assert_eq!(told.len(), 3);
    assert_eq!((told[0].id, told[0].done, told[1].id, told[1].samples, told[2].done), (A, true, B, 60, true));
}

#[test]
fn samples_are_counted_at_the_rate_of_the_playing() {
    for (from, to) in [(Rate::Hz16000, Rate::Hz8000), (Rate::Hz8000, Rate::Hz16000)] {
        let mut playout = Playout::new(to);
        let second = from.hz() as usize;
        let samples = tone(500.0, 8_000.0, from.hz() as f32, 0, second);
        for chunk in samples.chunks(333) {
            playout.append(A, &pcm(from, chunk), false).unwrap();
        }
        playout.append(A, &pcm(from, &[]), true).unwrap();
        let (all, told) = pull(&mut playout, 50);
        assert_eq!(told.last().map(|progress| (progress.samples, progress.done)), Some((second as u64, true)));
        assert_eq!(told.len(), 50);
        // Both filters are late: by 30 samples at 16 kHz going down, by 31 going up.
        let late = if to == Rate::Hz8000 { 15.0 } else { 31.0 };
        let expected =
            |index: usize| ((index as f32 - late) * 500.0 / to.hz() as f32 * std::f32::consts::TAU).sin() * 8_000.0;
        for index in (200..all.len()).step_by(37) {
            assert!((f32::from(all[index]) - expected(index)).abs() < 250.0, "{from:?}: sample {index}");
        }
    }
}

#[test]
fn pause_keeps_the_rest_and_resume_repeats_only_the_fade() {
    let mut playout = Playout::new(Rate::Hz8000);
    let samples = tone(300.0, 8_000.0, 8_000.0, 0, 1_600);
    playout.append(A, &narrow(&samples), true).unwrap();
    let (mut all, told) = pull(&mut playout, 3);
    assert_eq!(told.last().unwrap().samples, 480);
    playout.pause(A);
    let (paused, told) = pull(&mut playout, 3);
    assert!(told.is_empty());
    assert!(paused[..20].iter().any(|sample| *sample != 0) && paused[40..].iter().all(|sample| *sample == 0));
    playout.resume(A);
    let (rest, told) = pull(&mut playout, 7);
    assert_eq!(rest[100..1_100], samples[580..1_580], "goes on where it stopped");
    assert_eq!(told.last().map(|progress| (progress.samples, progress.done)), Some((1_600, true)));
    all.extend(paused);
    all.extend(&rest[..1_000]);
    let own = steepest(&samples);
    assert!(steepest(&all) <= own * 5 / 4, "a step of {} in a tone of {own}", steepest(&all));
}

#[test]
fn flush_says_how_far_it_came_and_fades() {
    let mut playout = Playout::new(Rate::Hz8000);
    let samples = tone(300.0, 8_000.0, 8_000.0, 0, 1_600);
    playout.append(A, &narrow(&samples), false).unwrap();
    playout.append(B, &narrow(&[5; 160]), true).unwrap();
    let (mut all, _) = pull(&mut playout, 2);
    let progress = playout.flush(A).unwrap();
    assert_eq!(progress, Progress { id: A, samples: 320, started_ms: Some(0), done: true });
    let (after, told) = pull(&mut playout, 2);
    assert_eq!(
        told.last().map(|progress| (progress.id, progress.done)),
        Some((B, true)),
        "the next one is not held up"
    );
    all.extend(after);
    assert!(steepest(&all) <= steepest(&samples) * 5 / 4);
    assert_eq!(playout.flush(A), None);
    assert_eq!(playout.append(A, &narrow(&[1]), false), Err(Refused::Ended), "late chunks are another turn's");
}

#[test]
fn a_playing_that_never_began_is_flushed_silently() {
    let mut playout = Playout::new(Rate::Hz16000);
    playout.append(A, &narrow(&[9_000; 160]), false).unwrap();
    assert_eq!(playout.flush(A), Some(Progress { id: A, samples: 0, started_ms: None, done: true }));
    assert!(pull(&mut playout, 2).0.iter().all(|sample| *sample == 0));
}

#[test]
fn running_dry_falls_to_silence_without_a_step_and_goes_on_with_the_next_chunk() {
    let mut playout = Playout::new(Rate::Hz8000);
    playout.append(A, &narrow(&[8_000; 200]), false).unwrap();
    let (mut all, told) = pull(&mut playout, 3);
    assert!(told.iter().all(|progress| !progress.done));
    assert!(all[240..].iter().all(|sample| *sample == 0));
    playout.append(A, &narrow(&[8_000; 200]), true).unwrap();
    let (more, told) = pull(&mut playout, 2);
    all.extend(&more[..200]);
    assert!(steepest(&all) <= 400, "{}", steepest(&all));
    assert_eq!(told.last().map(|progress| (progress.samples, progress.done)), Some((400, true)));
}

#[test]
fn a_paused_playing_holds_up_those_behind_it() {
    let mut playout = Playout::new(Rate::Hz8000);
    playout.append(A, &narrow(&[1; 160]), true).unwrap();
    playout.pause(A);
    playout.append(B, &narrow(&[2; 160]), true).unwrap();
    assert!(pull(&mut playout, 2).1.is_empty());
    playout.flush(A);
    assert_eq!(pull(&mut playout, 1).1[0].id, B);
}

#[test]
fn a_minute_may_wait_and_more_is_refused_and_counted() {
    let mut playout = Playout::new(Rate::Hz8000);
    let second = narrow(&[0; 8_000]);
    for _ in 0..60 {
        playout.append(A, &second, false).unwrap();
    }
    assert_eq!(playout.append(A, &narrow(&[0; 8]), false), Err(Refused::Full { queued_ms: 60_001 }));
    pull(&mut playout, 1);
    assert_eq!(playout.append(A, &narrow(&[0; 8]), false), Ok(()));
    assert_eq!(playout.refused(), 1);
    let wrong = playout.append(A, &pcm(Rate::Hz16000, &[0]), false);
    assert_eq!(wrong, Err(Refused::Rate { expected: Rate::Hz8000, given: Rate::Hz16000 }));
    assert_eq!(playout.append(A, &narrow(&[]), true), Ok(()));
    assert_eq!(playout.append(A, &narrow(&[]), true), Err(Refused::Ended));
}

#[test]
fn empty_playings_are_bounded_too() {
    let mut playout = Playout::new(Rate::Hz8000);
    for id in 0..PLAYINGS_MAX as u64 {
        playout.append(PlayId(id), &narrow(&[]), false).unwrap();
    }
    assert_eq!(playout.append(PlayId(1_000), &narrow(&[]), false), Err(Refused::TooMany));
    playout.flush(PlayId(0));
    playout.append(PlayId(1_000), &narrow(&[]), true).unwrap();
}

#[derive(Clone, Debug)]
enum Step {
    Append { id: u64, length: usize, wide: bool, last: bool },
    Pause(u64),
    Resume(u64),
    Flush(u64),
    Pull,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..6u64, 0..900usize, any::<bool>(), any::<bool>()).prop_map(|(id, length, wide, last)| Step::Append {
            id,
            length,
            wide,
            last
        }),
        (0..6u64).prop_map(Step::Pause),
        (0..6u64).prop_map(Step::Resume),
        (0..6u64).prop_map(Step::Flush),
        Just(Step::Pull),
        Just(Step::Pull),
    ]
}

proptest! {
    /// Whatever is done in whatever order: a playing never counts more than it was given, never counts backwards, and ends
    /// exactly once; one that was closed and played out counts all of it.
    #[test]
    fn every_playing_is_accounted_for(steps in proptest::collection::vec(step(), 0..120), wide_leg: bool) {
        let mut playout = Playout::new(if wide_leg { Rate::Hz16000 } else { Rate::Hz8000 });
        let (mut given, mut left, mut ended) = ([0u64; 6], [0u64; 6], [false; 6]);
        let mut told = Vec::new();
        for (index, step) in steps.into_iter().enumerate() {
            told.clear();
            let mut flushed = None;
            match step {
                Step::Append { id, length, wide, last } => {
                    let rate = if wide { Rate::Hz16000 } else { Rate::Hz8000 };
                    if playout.append(PlayId(id), &pcm(rate, &vec![7_000; length]), last).is_ok() {
                        given[id as usize] += length as u64;
                    }
                }
                Step::Pause(id) => playout.pause(PlayId(id)),
                Step::Resume(id) => playout.resume(PlayId(id)),
                Step::Flush(id) => {
                    flushed = playout.flush(PlayId(id));
                    told.extend(flushed);
                }
                Step::Pull => {
                    let mut frame = vec![0; playout.rate.frame()];
                    told.extend_from_slice(playout.pull(&mut frame, index as u64));
                }
            }
            for progress in &told {
                let id = progress.id.0 as usize;
                prop_assert!(!ended[id] && progress.samples >= left[id] && progress.samples <= given[id]);
                prop_assert!(!progress.done || flushed.is_some() || progress.samples == given[id]);
                left[id] = progress.samples;
                ended[id] = progress.done;
            }
        }
    }
}
