//! Inputs that once broke a target, each by the name of what was wrong.

/// A refusal repeated every From, To, Call-ID and CSeq of its request, in their long forms: three times its octets.
#[test]
fn a_refusal_repeats_a_line_that_may_stand_once_only_once() {
    let request = format!("OPTIONS sip:a SIP/2.0\r\nv:SIP/2.0/UDP h\r\n{}\r\n", "i:\r\n".repeat(126));
    super::targets::message::run(request.as_bytes());
}

/// Bytes that are not UTF-8 came back as three octets each, in a Via of a refusal.
#[test]
fn bytes_that_are_no_text_are_not_made_longer() {
    let via = [b"\r\nVia: SIP/2.0/UD".as_slice(), &[0xb8; 400], b"\r\n\r\n"].concat();
    super::targets::message::run(&[b"REGISTER sip:example.com SIP/2.0".as_slice(), &via].concat());
}
