//! Speaking from a browser, as its page asks for it. The browser itself is in `webui/e2e/softphone.mjs` and `media/tests/browser.rs`.

use crate::support::clinic::{Clinic, config};
use crate::support::person::read;
use auricle_domain::code::Role;
use auricle_storage::Backend;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// What Chromium 142 offers for a microphone, without its addresses and most of its codecs.
pub const OFFER: &str = "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
    a=extmap-allow-mixed\r\na=msid-semantic: WMS\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126\r\n\
    c=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\na=ice-ufrag:Xm0v\r\na=ice-pwd:DrK5Fz9XzqkOLmQ7TC3Jp3tB\r\n\
    a=ice-options:trickle\r\na=fingerprint:sha-256 \
    7C:79:F9:8C:81:69:72:9A:A3:7B:35:D0:6E:DD:A7:A2:63:A8:BF:5F:50:95:EF:33:16:0D:1C:86:54:0C:C4:75\r\n\
    a=setup:actpass\r\na=mid:0\r\na=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n\
    a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\na=sendrecv\r\na=msid:- 5c5cd13a-5c5c-4c5c-8c5c-5c5c5c5c5c5c\r\n\
    a=rtcp-mux\r\na=rtcp-rsize\r\na=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 transport-cc\r\n\
    a=fmtp:111 minptime=10;useinbandfec=1\r\na=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\na=rtpmap:9 G722/8000\r\n\
    a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:13 CN/8000\r\na=rtpmap:110 telephone-event/48000\r\n\
    a=rtpmap:126 telephone-event/8000\r\na=ssrc:2231627014 cname:4TOk42mSjXCkVIa6\r\n";

/// What Firefox 153 offers: events at 8 kHz alone, its own addresses as names, and the way for RTCP by name as well.
const FIREFOX_OFFER: &str = "v=0\r\no=mozilla...THIS_IS_SDPARTA-99.0 223104816234170648 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n\
    a=sendrecv\r\na=fingerprint:sha-256 \
    2F:3C:56:84:3C:68:DE:62:2A:4D:0E:2C:A3:99:88:6B:CB:61:92:5A:3D:6E:4E:D8:AE:80:12:8F:29:BE:E3:1D\r\n\
    a=group:BUNDLE 0\r\na=ice-options:trickle\r\na=msid-semantic:WMS *\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 109 9 0 8 101\r\nc=IN IP4 0.0.0.0\r\n\
    a=candidate:0 1 UDP 2122187007 7d0de7f9-03fe-41b3-bd50-3b7dbc293690.local 37962 typ host\r\n\
    a=candidate:2 1 TCP 2105458943 7d0de7f9-03fe-41b3-bd50-3b7dbc293690.local 9 typ host tcptype active\r\n\
    a=sendrecv\r\na=end-of-candidates\r\na=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n\
    a=extmap:2/recvonly urn:ietf:params:rtp-hdrext:csrc-audio-level\r\na=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid\r\n\
    a=extmap:7 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\na=extmap-allow-mixed\r\n\
    a=fmtp:109 maxplaybackrate=48000;stereo=1;useinbandfec=1\r\na=fmtp:101 0-15\r\n\
    a=ice-pwd:31cb9ec6c7b6c388b54b89ad6f18bc06\r\na=ice-ufrag:829b6987\r\na=mid:0\r\n\
    a=msid:{c571cb97-f09d-4fb7-a0e5-a4ddd6dfdabd} {607f3a0d-e1b6-43fd-8c56-f1f96b688806}\r\n\
    a=rtcp:40049 IN IP4 7d0de7f9-03fe-41b3-bd50-3b7dbc293690.local\r\na=rtcp-fb:109 transport-cc\r\n\
    a=rtcp-fb:9 transport-cc\r\na=rtcp-mux\r\na=rtpmap:109 opus/48000/2\r\na=rtpmap:9 G722/8000/1\r\na=rtpmap:0 PCMU/8000\r\n\
    a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=setup:actpass\r\n\
    a=ssrc:3036100290 cname:{aabe404b-2656-490a-94c9-555a4dacd711}\r\n";

const SESSION: &str = "/api/softphone/session";

fn offer(sdp: &str) -> Value {
    json!({ "sdp": sdp, "purpose": "test_call" })
}

/// B-24, SEC-14: an account has one session, a second page takes it over, and offers beyond a page's needs are refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_opens_takes_over_and_ends_its_session() {
    let clinic = Clinic::open(Backend::Memory, None).await;
    let agent = clinic.person("eve@clinic.example", Role::Agent).await;
    let none = read(agent.get(&format!("{SESSION}?purpose=test_call")).await, StatusCode::NOT_FOUND).await;
    assert_eq!(none["code"], "not_found");
    let answer = read(agent.send(Method::POST, SESSION, offer(OFFER)).await, StatusCode::OK).await;
    let sdp = answer["sdp"].as_str().unwrap();
    let port = clinic.app().voice.browser_addr().unwrap().port();
    for line in [
        "a=ice-lite".to_owned(),
        "a=setup:passive".to_owned(),
        "m=audio 9 UDP/TLS/RTP/SAVPF 111 110 126".to_owned(),
        "a=rtpmap:111 opus/48000/2".to_owned(),
        "a=rtpmap:110 telephone-event/48000".to_owned(),
    ] {
        assert!(sdp.lines().any(|said| said == line), "{line} is missing: {sdp}");
    }
    assert!(sdp.contains(&format!(" 127.0.0.1 {port} typ host")), "{sdp}");
    assert_eq!(answer["resumed"], false);
    let state = read(agent.get(&format!("{SESSION}?purpose=test_call")).await, StatusCode::OK).await;
    assert_eq!(state["call"], Value::Null, "it has not reached us");
    let again = read(agent.send(Method::POST, SESSION, offer(OFFER)).await, StatusCode::OK).await;
    assert_eq!((&again["resumed"], clinic.app().voice.legs()), (&json!(true), 1));
    // Another account has its own.
    let other = clinic.person("sam@clinic.example", Role::Supervisor).await;
    let theirs = read(other.send(Method::POST, SESSION, offer(OFFER)).await, StatusCode::OK).await;
    assert_eq!(theirs["resumed"], false);

    for (wrong, field) in [(offer("v=0"), "sdp"), (offer(""), "sdp"), (offer(&"x".repeat(16_385)), "sdp")] {
        let refused = read(agent.send(Method::POST, SESSION, wrong).await, StatusCode::BAD_REQUEST).await;
        assert_eq!(refused["errors"][0]["field"], field);
    }
    let gone = agent.send(Method::DELETE, &format!("{SESSION}?purpose=test_call"), Value::Null).await;
    assert_eq!(gone.status(), StatusCode::NO_CONTENT);
    let fresh = read(agent.send(Method::POST, SESSION, offer(OFFER)).await, StatusCode::OK).await;
    assert_eq!(fresh["resumed"], false, "the one before has ended");

    let mut last = StatusCode::OK;
    for _ in 0..20 {
        last = agent.send(Method::POST, SESSION, offer(OFFER)).await.status();
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(other.send(Method::POST, SESSION, offer(OFFER)).await.status(), StatusCode::OK);
}

/// Firefox's keys have another clock than Chromium's; both are agreed on.
#[tokio::test(flavor = "multi_thread")]
async fn the_offer_of_firefox_is_taken_with_its_keys() {
    let clinic = Clinic::open(Backend::Memory, None).await;
    let agent = clinic.person("eve@clinic.example", Role::Agent).await;
    let answer = read(agent.send(Method::POST, SESSION, offer(FIREFOX_OFFER)).await, StatusCode::OK).await;
    let sdp = answer["sdp"].as_str().unwrap();
    for line in [
        "a=ice-lite",
        "a=setup:passive",
        "m=audio 9 UDP/TLS/RTP/SAVPF 109 101",
        "a=rtpmap:109 opus/48000/2",
        "a=rtpmap:101 telephone-event/8000",
        "a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid",
    ] {
        assert!(sdp.lines().any(|said| said == line), "{line} is missing: {sdp}");
    }
    assert!(!sdp.contains(".local"), "{sdp}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_address_for_browsers_a_page_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.webrtc.listen = None;
    let clinic = Clinic::open_as(config).await;
    let admin = clinic.admin().await;
    let refused = read(admin.send(Method::POST, SESSION, offer(OFFER)).await, StatusCode::SERVICE_UNAVAILABLE).await;
    assert!(refused["detail"].as_str().unwrap().contains("webrtc.listen"), "{refused}");
}
