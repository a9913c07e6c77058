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

/// A fold of nothing but white space left a space at the end of its value.
#[test]
fn an_empty_fold_adds_nothing() {
    super::targets::message::run(
        b"INFO sip:a SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:a>\r\nTo: <sip:b>\r\nCall-ID: 1\r\n \r\nCSeq: 1 INFO\r\n\t\r\nX: y\r\n \r\n\r\n",
    );
}

/// Quotes in the middle of a value of a challenge became parameters of our own credentials.
#[test]
fn a_challenge_writes_no_parameters_into_our_answer() {
    for text in [
        &b"Digest realm=a, nonce=x\", opaque=\"y"[..],
        b"Digest realm=\"a\", nonce=\"b\"c\"d\"",
        b"Digest realm=a, nonce=b\\",
    ] {
        super::targets::digest::run(text);
    }
}

/// A message with as many header lines as are read, hops listed in one line and no Content-Length was written with more.
#[test]
fn what_is_written_has_no_more_lines_than_are_read() {
    for count in [118, 119, 120, 121, 122, 123, 124] {
        let request = format!(
            "OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/UDP h, SIP/2.0/UDP i\r\nFrom: <sip:a>\r\nTo: <sip:b>\r\nCall-ID: 1\r\n\
             CSeq: 1 OPTIONS\r\n{}\r\n",
            "X: y\r\n".repeat(count)
        );
        super::targets::message::run(request.as_bytes());
    }
}
