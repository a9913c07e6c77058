//! Calls from phones and to them.

use auricle_media::io::{PhoneId, Transport};
use auricle_media::sip::agent::{AgentCommand, AgentEnd, AgentEvent, DialogId, Invite, InviteTo};
use auricle_media::sip::message::{Message, Request};

use crate::bench::{Bench, OFFER, answer, our_sdp};
use crate::phone::{Desk, PHONE, bench, hop};

fn invite(desk: &mut Desk, to: &str) -> Request {
    let headers = "Contact: <sip:201@192.168.1.5:5060>\r\nContent-Type: application/sdp\r\n";
    desk.request("INVITE", to, headers, OFFER)
}

/// SEC-11: a phone shows its password for a call too, and is known by that. Requests to it go back by its own way.
#[test]
fn a_phone_calls() {
    for transport in [Transport::Udp, Transport::Tls] {
        let mut bench = bench();
        let mut desk = Desk::new("201", "secret", hop(transport, PHONE));
        let first = invite(&mut desk, "sip:receptionist@192.0.2.10");
        desk.guest(&mut bench, &first);
        let refusal = bench.response();
        assert_eq!((refusal.status, bench.events(), bench.agent.load()), (401, vec![], (0, 0)));
        let second = desk.again(&first, &refusal);
        desk.guest(&mut bench, &second);
        assert_eq!(bench.took(), "100/INVITE");
        let AgentEvent::Incoming { dialog, caller, phone, trunk, .. } = bench.event() else { panic!() };
        assert_eq!((phone, trunk, caller.to_user.as_str()), (Some(PhoneId(1)), None, "receptionist"));
        bench.command(AgentCommand::Accept { dialog, sdp: our_sdp() });
        let tag = bench.response().head.to.tag().unwrap().to_owned();
        let mut ack = desk.request("ACK", "sip:receptionist@192.0.2.10", "", "");
        ack.head.from = second.head.from.clone();
        ack.head.to = second.head.to.clone().tagged(&tag);
        ack.head.call_id = second.head.call_id.clone();
        ack.head.cseq.number = second.head.cseq.number;
        desk.guest(&mut bench, &ack);
        assert_eq!(bench.events(), [AgentEvent::Confirmed { dialog, answer: None }]);
        bench.command(AgentCommand::Hangup { dialog });
        assert_eq!(bench.hops, [desk.hop], "not to the address that it names");
        assert_eq!(bench.request("BYE").uri.to_string(), "sip:201@192.168.1.5:5060");
    }
}

/// Who names itself a phone, or comes by its way, has to be it; who is trusted for another reason does not.
#[test]
fn who_has_to_show_a_password() {
    let rows = [("201", false, 401), ("201", true, 401), ("anybody", false, 100), ("anybody", true, 401)];
    for (from, guest, status) in rows {
        let mut bench = bench();
        let mut desk = Desk::udp(from, "secret");
        let request = invite(&mut desk, "sip:receptionist@192.0.2.10");
        if guest {
            desk.guest(&mut bench, &request)
        } else {
            desk.send(&mut bench, &request)
        }
        assert_eq!(bench.response().status, status, "{from} {guest}");
    }
    let mut bench = bench();
    let mut desk = Desk::udp("201", "secret");
    desk.register(&mut bench, 300);
    let mut stranger = Desk::udp("anybody", "secret");
    let request = invite(&mut stranger, "sip:receptionist@192.0.2.10");
    stranger.send(&mut bench, &request);
    assert_eq!(bench.response().status, 401, "by the way of a phone");
    let mut other = invite(&mut desk, "sip:receptionist@192.0.2.10");
    other.head.from.uri = auricle_media::sip::uri::Uri::parse("sip:202@192.0.2.10").unwrap();
    desk.send(&mut bench, &other);
    let refusal = bench.response();
    let other = desk.again(&other, &refusal);
    desk.send(&mut bench, &other);
    assert_eq!(bench.response().status, 403, "in the name of another phone");
    let mut hidden = invite(&mut desk, "sip:receptionist@192.0.2.10");
    hidden.head.from.uri = auricle_media::sip::uri::Uri::parse("sip:anonymous@anonymous.invalid").unwrap();
    let hidden = desk.signed(&hidden);
    bench.events();
    desk.send(&mut bench, &hidden);
    let AgentEvent::Incoming { phone, caller, .. } = bench.event() else { panic!() };
    assert_eq!((phone, caller.from_user.as_str()), (Some(PhoneId(1)), ""));
}

fn call(bench: &mut Bench, at: usize) -> DialogId {
    let (way, uri) = bench.agent.ways(PhoneId(1)).remove(at);
    let to = InviteTo::Flow(way);
    let invite = Invite {
        uri: uri.to_string(),
        to,
        from_user: "+420123".into(),
        sdp: our_sdp(),
        identity: None,
        replaces: None,
        is_emergency: false,
    };
    let dialog = bench.agent.invite(invite, bench.now).unwrap();
    bench.drain();
    dialog
}

/// A call to a phone takes the way that the phone keeps open, and stays on it.
#[test]
fn a_call_to_a_phone_stays_on_its_way() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut bench = bench();
        let mut desk = Desk::new("201", "secret", hop(transport, PHONE));
        desk.register_with(&mut bench, "Contact: <sip:201@192.168.1.5:5060>\r\n");
        bench.events();
        let dialog = call(&mut bench, 0);
        assert_eq!(bench.hops, [desk.hop]);
        let request = bench.request("INVITE");
        assert_eq!(request.uri.to_string(), "sip:201@192.168.1.5:5060");
        assert_eq!(request.head.from.uri.user(), "+420123");
        let ok = answer(&request, 200, "phone", "", OFFER).replace("bob@198.51.100.7:5070", "201@192.168.1.5:5060");
        bench.message(desk.hop, ok.as_bytes());
        assert_eq!((bench.hops.clone(), bench.took().as_str()), (vec![desk.hop], "ACK"));
        assert!(matches!(bench.event(), AgentEvent::Accepted { .. }));
        bench.command(AgentCommand::Hangup { dialog });
        assert_eq!((bench.hops.clone(), bench.took().as_str()), (vec![desk.hop], "BYE"));
    }
}

/// RFC 3326: a phone that stops ringing because another answered lists no missed call.
#[test]
fn a_phone_is_told_that_another_has_answered() {
    let mut bench = bench();
    let mut desk = Desk::udp("201", "secret");
    desk.register(&mut bench, 300);
    bench.events();
    for (elsewhere, reason) in [(true, Some("SIP;cause=200;text=\"Call completed elsewhere\"")), (false, None)] {
        let dialog = call(&mut bench, 0);
        let request = bench.request("INVITE");
        bench.bytes_from(PHONE, answer(&request, 180, "phone", "", "").as_bytes());
        bench.events();
        bench.command(if elsewhere { AgentCommand::Elsewhere { dialog } } else { AgentCommand::Hangup { dialog } });
        assert_eq!(bench.request("CANCEL").head.get("Reason"), reason);
        assert_eq!(bench.event(), AgentEvent::Ended { dialog, cause: AgentEnd::LocalBye });
        bench.bytes_from(PHONE, answer(&request, 487, "phone", "", "").as_bytes());
        bench.messages();
        // One that had answered before it heard is acknowledged and ended.
        bench.pass_ms(1_000);
    }
    let dialog = call(&mut bench, 0);
    let request = bench.request("INVITE");
    bench.command(AgentCommand::Elsewhere { dialog });
    assert_eq!(bench.took(), "", "it is not cancelled before it has been heard");
    bench.bytes_from(PHONE, answer(&request, 200, "phone", "", OFFER).as_bytes());
    let methods: Vec<String> = bench
        .messages()
        .into_iter()
        .filter_map(|message| match message {
            Message::Request(request) => Some(request.method.to_string()),
            Message::Response(_) => None,
        })
        .collect();
    assert_eq!(methods, ["ACK", "BYE"]);
}
