//! Calls in the place of others (RFC 3891): attended transfers.

use auricle_media::sip::agent::{AgentCommand, AgentEvent, DialogId, ReferGoal};

use crate::bench::{Bench, OFFER, PEER, answer, cancel, invite_with, our_sdp};

/// An attended transfer names the other call as the far end of that one knows it, and the one who is asked finds it.
#[test]
fn an_attended_transfer_names_the_other_call() {
    let mut bench = Bench::new();
    let (first, tag) = bench.call_in();
    let second = bench.dial();
    let invite = bench.request("INVITE");
    bench.receive(&answer(&invite, 200, "bob", "", OFFER));
    bench.took();
    bench.events();
    bench.command(AgentCommand::Refer { dialog: first, to: ReferGoal::Call(second) });
    let refer = bench.request("REFER");
    let (call_id, ours) = (&invite.head.call_id, invite.head.from.tag().unwrap());
    let named = format!("<sip:bob@{PEER}?Replaces={call_id}%3Bto-tag%3Dbob%3Bfrom-tag%3D{ours}>");
    assert_eq!(refer.head.get("Refer-To"), Some(named.as_str()));
    // The other way round: the far end of the call that it asks us to join names our own tag first.
    bench.receive(&answer(&refer, 603, "", "", ""));
    bench.took();
    bench.events();
    let to = format!("Refer-To: <sip:clinic@192.0.2.10?Replaces={call_id}%3Bto-tag%3D{ours}%3Bfrom-tag%3Dbob>\r\n");
    bench.receive(&crate::bench::within("REFER", 2, &tag, "refer", &to, ""));
    assert_eq!(bench.took(), "202/REFER NOTIFY");
    let AgentEvent::Refer { dialog, call, .. } = bench.event() else { panic!() };
    assert_eq!((dialog, call), (first, Some(second)));
    // A call of ours whose place is taken without being asked about it goes out with what is needed.
    let replaces = Some("c@h;to-tag=1;from-tag=2".to_owned());
    let to = auricle_media::sip::agent::InviteTo::Hop(auricle_media::io::Hop::udp(PEER.parse().unwrap()));
    let invite = auricle_media::sip::agent::Invite {
        uri: "sip:x@y".into(),
        to,
        from_user: "a".into(),
        sdp: our_sdp(),
        identity: None,
        replaces,
        is_emergency: false,
    };
    bench.agent.invite(invite.clone(), bench.now).unwrap();
    bench.drain();
    let sent = bench.request("INVITE");
    assert_eq!(
        (sent.head.get("Replaces"), sent.head.get("Require")),
        (Some("c@h;to-tag=1;from-tag=2"), Some("replaces"))
    );
    for bad in ["", "c", "c;to-tag=1;from-tag=2\r\nX: y"] {
        let invite = auricle_media::sip::agent::Invite { replaces: Some(bad.into()), ..invite.clone() };
        assert_eq!(
            bench.agent.invite(invite, bench.now),
            Err(auricle_media::sip::agent::InviteError::BadReplaces),
            "{bad}"
        );
    }
}

/// RFC 3891 section 3: which calls can be replaced, and what is said of the others.
#[test]
fn an_invite_replaces_a_call_or_says_why_not() {
    type Case = (&'static str, &'static str, Result<bool, u16>);
    let table: [Case; 9] = [
        ("up", "{call};to-tag={ours};from-tag={theirs}", Ok(true)),
        ("up", "{call};from-tag={theirs};to-tag={ours};x=y", Ok(true)),
        ("up", "{call};to-tag={theirs};from-tag={ours}", Err(481)),
        ("up", "{call};to-tag={ours};from-tag={theirs};early-only", Err(486)),
        ("up", "{call};to-tag={ours}", Err(400)),
        ("calling", "{call};to-tag={ours};from-tag={theirs};early-only", Ok(true)),
        ("ringing", "{call};to-tag={ours};from-tag={theirs}", Err(481)),
        ("over", "{call};to-tag={ours};from-tag={theirs}", Err(603)),
        ("none", "x;to-tag=1;from-tag=2", Err(481)),
    ];
    for (state, replaces, expected) in table {
        let mut bench = Bench::new();
        let (call, ours, theirs) = match state {
            "up" | "over" => {
                let (dialog, ours) = bench.call_in();
                if state == "over" {
                    // It is kept for what is still to be heard of its transfer.
                    bench.command(AgentCommand::Refer { dialog, to: ReferGoal::Address("sip:a@b".into()) });
                    let refer = bench.request("REFER");
                    bench.receive(&answer(&refer, 202, "", "", ""));
                    bench.command(AgentCommand::Hangup { dialog });
                }
                ("call1".to_owned(), ours, "ann1")
            }
            "calling" => {
                bench.dial();
                let invite = bench.request("INVITE");
                bench.receive(&answer(&invite, 180, "bob", "", ""));
                (invite.head.call_id.clone(), invite.head.from.tag().unwrap().to_owned(), "bob")
            }
            _ => {
                let dialog = bench.ring_in();
                bench.took();
                bench.command(AgentCommand::Ring { dialog });
                ("call1".to_owned(), bench.last_response().head.to.tag().unwrap().to_owned(), "ann1")
            }
        };
        bench.took();
        bench.events();
        let value = replaces.replace("{call}", &call).replace("{ours}", &ours).replace("{theirs}", theirs);
        bench.receive(&invite_with("2", &format!("Require: replaces\r\nReplaces: {value}\r\n"), OFFER));
        match expected {
            Ok(_) => {
                assert_eq!(bench.took(), "100/INVITE", "{state} {replaces}");
                assert!(matches!(bench.event(), AgentEvent::Incoming { replaces: Some(DialogId(1)), .. }), "{state}");
                bench.receive(&cancel("2"));
                assert_eq!(bench.took(), "200/CANCEL 487/INVITE");
            }
            Err(status) => {
                assert_eq!((bench.response().status, bench.events().len()), (status, 0), "{state} {replaces}");
            }
        }
    }
    let mut bench = Bench::new();
    bench.receive(&invite_with("2", "Replaces: a;to-tag=1;from-tag=2\r\nReplaces: b;to-tag=1;from-tag=2\r\n", OFFER));
    assert_eq!(bench.response().status, 400);
}
