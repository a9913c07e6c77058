//! Numbers, loss and jitter of a session.

#![allow(clippy::unwrap_used)]
use super::*;
use proptest::prelude::*;

fn packet(ssrc: u32, sequence: u16, timestamp: u32) -> Packet<'static> {
    Packet { marker: false, payload_type: 0, sequence, timestamp, ssrc, payload: &[0; 160] }
}

/// Receives packets `(sequence, arrival in ms)` with timestamps of 20 ms each.
fn receive(packets: &[(u16, u64)]) -> Reception {
    let start = crate::epoch();
    let mut reception = Reception::new(Clock::NARROW, start);
    for (sequence, ms) in packets {
        let timestamp = u32::from(*sequence) * 160;
        reception.receive(&packet(1, *sequence, timestamp), true, start + Duration::from_millis(*ms));
    }
    reception
}

#[test]
fn packets_are_numbered_from_the_seeds_and_the_first_is_marked() {
    let seeds = Seeds { ssrc: 7, sequence: 65_535, timestamp: u32::MAX - 100, rtcp: 1 };
    let mut sender = Sender::new(seeds, Clock::NARROW);
    let mut sent = Vec::new();
    for _ in 0..3 {
        let mut bytes = Vec::new();
        sender.audio(8, 0, &[0xd5; 160], &mut bytes);
        let packet = Packet::parse(&bytes).unwrap();
        sent.push((packet.marker, packet.sequence, packet.timestamp, packet.ssrc));
        sender.advance_by(1);
    }
    assert_eq!(sent, [(true, 65_535, u32::MAX - 100, 7), (false, 0, 59, 7), (false, 1, 219, 7)]);
    assert_eq!(sender.sent(), (3, 480));
}

#[test]
fn loss_is_counted_by_number_across_the_turn_of_the_counter() {
    let mut reception = receive(&[(65_533, 0), (65_534, 20), (0, 60), (1, 80), (3, 120)]);
    assert_eq!(reception.totals(), (5, 2));
    let report = reception.report().unwrap();
    assert_eq!((report.lost, report.fraction_lost, report.highest), (2, 73, 0x2_0003));
}

#[test]
fn each_report_has_the_loss_since_the_one_before() {
    let start = crate::epoch();
    let mut reception = Reception::new(Clock::NARROW, start);
    let mut fractions = Vec::new();
    for sequences in [[0u16, 1, 2, 3], [8, 9, 10, 11], [12, 13, 14, 15]] {
        for sequence in sequences {
            reception.receive(&packet(1, sequence, u32::from(sequence) * 160), true, start);
        }
        fractions.push(reception.report().unwrap().fraction_lost);
    }
    assert_eq!(fractions, [0, 128, 0]);
    assert_eq!(reception.report().unwrap().fraction_lost, 0, "nothing was expected since");
}

#[test]
fn reordered_and_repeated_packets_are_not_lost() {
    assert_eq!(receive(&[(5, 0), (7, 40), (6, 41), (8, 60), (4, 61)]).totals(), (5, 0));
    assert_eq!(receive(&[(5, 0), (5, 0), (6, 20)]).totals(), (3, 0));
}

#[test]
fn jitter_is_measured_as_the_rfc_does() {
    let even: Vec<_> = (0..200).map(|index| (index, u64::from(index) * 20)).collect();
    assert_eq!(receive(&even).jitter_ms(), 0.0);
    // Every second packet is 10 ms late, so transit always changes by 10 ms.
    let uneven: Vec<_> = (0..200).map(|index| (index, u64::from(index) * 20 + u64::from(index % 2) * 10)).collect();
    let jitter = receive(&uneven).jitter_ms();
    assert!((9.5..10.1).contains(&jitter), "{jitter}");
}

#[test]
fn another_source_takes_over_with_its_second_packet() {
    let start = crate::epoch();
    let mut reception = Reception::new(Clock::NARROW, start);
    let mut arrivals = Vec::new();
    for (ssrc, sequence) in [(1, 10), (1, 11), (2, 500), (1, 12), (2, 501), (2, 502), (2, 503)] {
        let arrival = reception.receive(&packet(ssrc, sequence, 0), true, start);
        arrivals.push(match arrival {
            Arrival::Accepted { reset: true, .. } => "reset",
            Arrival::Accepted { .. } => "accepted",
            Arrival::Probation => "probation",
        });
    }
    assert_eq!(arrivals, ["reset", "accepted", "probation", "accepted", "probation", "reset", "accepted"]);
    assert_eq!(reception.totals(), (5, 0), "what the first one sent still counts");
}

#[test]
fn a_source_that_restarts_its_numbers_is_a_new_one() {
    let start = crate::epoch();
    let mut reception = Reception::new(Clock::NARROW, start);
    reception.receive(&packet(1, 100, 0), true, start);
    assert_eq!(reception.receive(&packet(1, 40_000, 0), true, start), Arrival::Probation);
    assert!(matches!(reception.receive(&packet(1, 40_001, 0), true, start), Arrival::Accepted { reset: true, .. }));
    assert_eq!(reception.totals(), (2, 0));
}

proptest! {
    #[test]
    fn any_numbers_are_survived(packets in proptest::collection::vec((0u32..3, any::<u16>(), any::<u32>(), 0u64..10_000, any::<bool>()), 0..300)) {
        let start = crate::epoch();
        let mut reception = Reception::new(Clock::NARROW, start);
        for (ssrc, sequence, timestamp, ms, audio) in packets {
            reception.receive(&packet(ssrc, sequence, timestamp), audio, start + Duration::from_millis(ms));
            if sequence % 7 == 0 {
                reception.report();
            }
        }
        prop_assert!(reception.jitter_ms() < 4_001.0);
    }
}
