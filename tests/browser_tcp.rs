//! Softphones in networks that let no UDP out: pages come by TCP (RFC 6544), over real sockets.

use crate::support::clinic::{Clinic, PATIENCE, config};
use crate::support::page::{Network, Page};
use crate::support::person::{Person, read};
use auricle_domain::code::Role;
use auricle_domain::id::CallId;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Two people with extensions, 201 and 202.
async fn people(clinic: &Clinic) -> [Person; 2] {
    let admin = clinic.admin().await;
    let mut people = Vec::new();
    for (email, extension) in [("eve@clinic.example", "201"), ("sam@clinic.example", "202")] {
        let person = clinic.person(email, Role::Agent).await;
        let me = read(person.get("/api/auth/me").await, StatusCode::OK).await;
        let input = json!({ "label": extension, "extension": extension, "account": me["id"] });
        admin.made("/api/phones", input).await;
        people.push(person);
    }
    people.try_into().unwrap_or_else(|_| panic!("two people"))
}

async fn rings(clinic: &Clinic) -> CallId {
    let mut board = clinic.app().floor.watch();
    let is_ringing = |call: &auricle_domain::live::LiveCall| call.stations.iter().any(|it| it.is_ringing);
    let found = tokio::time::timeout(PATIENCE, board.wait_for(|board| board.iter().any(is_ringing))).await;
    let board = found.expect("it should ring").unwrap();
    board.iter().find(|call| is_ringing(call)).unwrap().call
}

async fn done(person: &Person, call: CallId, what: &str) {
    let answer = person.send(Method::POST, &format!("/api/calls/{call}/{what}"), json!(null)).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT, "{what}");
}

/// CALL-01, B-24: a page in a network without UDP calls one that has it, and both hear each other; a page whose connection breaks
/// is back in its call by another way, and by the first again.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_without_udp_talks_with_one_that_has_it() {
    let clinic = Clinic::quiet().await;
    let [eve, sam] = people(&clinic).await;
    let mut confined = Page::open_from(Network::TcpOnly, &eve, 500.0).await;
    let mut free = Page::open(&sam, 900.0).await;
    let placed = eve.send(Method::POST, "/api/calls", json!({ "phone_number": "202" })).await;
    read(placed, StatusCode::OK).await;
    let call = rings(&clinic).await;
    done(&sam, call, "answer").await;
    free.hears(500.0).await;
    confined.hears(900.0).await;

    // Both sides by TCP now; and the first one goes where there is UDP, and comes back.
    let mut also = Page::open_from(Network::TcpOnly, &sam, 700.0).await;
    assert!(also.resumed);
    drop(free);
    confined.hears(700.0).await;
    also.hears(500.0).await;
    drop(confined);
    let mut moved = Page::open(&eve, 1_100.0).await;
    assert!(moved.resumed);
    also.hears(1_100.0).await;
    moved.hears(700.0).await;
    drop(moved);
    let mut back = Page::open_from(Network::TcpOnly, &eve, 600.0).await;
    assert!(back.resumed);
    also.hears(600.0).await;
    back.hears(700.0).await;
    done(&eve, call, "hangup").await;
    back.hears_nothing().await;
    clinic.running.stop(Duration::ZERO).await;
}

/// SEC-12: whoever is no browser is let go without a word; those who are stay.
#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_at_the_port_hears_nothing() {
    let clinic = Clinic::quiet().await;
    let [eve, sam] = people(&clinic).await;
    let mut page = Page::open_from(Network::TcpOnly, &eve, 500.0).await;
    let mut other = Page::open(&sam, 900.0).await;
    let address = clinic.app().voice.browser_addr().unwrap();
    for said in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\0\0", b"\0\x04\x80\x6f\0\x01", b"\x07\xd1"] {
        let mut stranger = TcpStream::connect(address).await.unwrap();
        stranger.write_all(said).await.unwrap();
        let mut heard = Vec::new();
        // The end may come as a reset, as what was said has not been read to its end.
        let ended = tokio::time::timeout(PATIENCE, stranger.read_to_end(&mut heard)).await;
        drop(ended.expect("it should be closed"));
        assert_eq!(heard, b"", "{}", said.escape_ascii());
    }
    read(eve.send(Method::POST, "/api/calls", json!({ "phone_number": "202" })).await, StatusCode::OK).await;
    done(&sam, rings(&clinic).await, "answer").await;
    other.hears(500.0).await;
    page.hears(900.0).await;
    clinic.running.stop(Duration::ZERO).await;
}

/// Switched off, nobody listens for TCP, and browsers are told of no way by it.
#[tokio::test(flavor = "multi_thread")]
async fn tcp_may_be_switched_off() {
    for tcp in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(folder.path());
        config.webrtc.tcp = tcp;
        let clinic = Clinic::open_as(config).await;
        let agent = clinic.person("eve@clinic.example", Role::Agent).await;
        let offer = json!({ "sdp": crate::softphone::OFFER, "purpose": "station" });
        let answer = read(agent.send(Method::POST, "/api/softphone/session", offer).await, StatusCode::OK).await;
        let Value::String(sdp) = &answer["sdp"] else { panic!("{answer}") };
        let address = clinic.app().voice.browser_addr().unwrap();
        assert_eq!(sdp.contains(&format!(" 127.0.0.1 {} typ host tcptype passive", address.port())), tcp, "{sdp}");
        assert_eq!(TcpStream::connect(address).await.is_ok(), tcp);
        clinic.running.stop(Duration::ZERO).await;
    }
}
