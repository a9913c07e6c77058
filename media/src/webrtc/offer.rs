//! A browser's offer, before str0m reads it.

use crate::io::WebRefusal;
use crate::sip::sdp::{BODY_BYTES_MAX, LINES_MAX};

/// The offer without the browser's own addresses: we ask none of them, and names of machines are nobody's business.
///
/// # Errors
/// Too long, or not exactly one section that is audio.
pub(crate) fn cleaned(offer: &str) -> Result<String, WebRefusal> {
    if offer.len() > BODY_BYTES_MAX || offer.lines().count() > LINES_MAX {
        return Err(WebRefusal::Description);
    }
    let mut sections = offer.lines().filter(|line| line.starts_with("m="));
    if !sections.next().is_some_and(|line| line.starts_with("m=audio ")) || sections.next().is_some() {
        return Err(WebRefusal::Description);
    }
    let addresses = ["a=candidate:", "a=end-of-candidates", "a=rtcp:"];
    let is_address = |line: &&str| addresses.iter().any(|attribute| line.starts_with(attribute));
    Ok(offer.lines().filter(|line| !is_address(line)).flat_map(|line| [line, "\r\n"]).collect())
}

/// What a description says first of an attribute.
pub(crate) fn value<'a>(description: &'a str, attribute: &str) -> Option<&'a str> {
    let value = |line: &'a str| line.strip_prefix("a=")?.strip_prefix(attribute)?.strip_prefix(':');
    description.lines().find_map(value).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_audio_section_without_addresses_is_left() {
        let offer = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=candidate:1 1 udp 1 a.local 9 typ host\r\na=rtcp:9 IN IP4 a.local\r\na=sendrecv\r\n";
        assert_eq!(cleaned(offer), Ok("v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=sendrecv\r\n".to_owned()));
        for refused in [
            "v=0\r\n".to_owned(),
            "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n".to_owned(),
            format!("{offer}m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"),
            format!("{offer}{}", "a=x\r\n".repeat(LINES_MAX)),
            format!("{offer}a={}", "x".repeat(BODY_BYTES_MAX)),
        ] {
            assert_eq!(cleaned(&refused), Err(WebRefusal::Description));
        }
    }
}
