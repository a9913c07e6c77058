//! Deterministic mutations: the same seed makes the same inputs on every machine.

/// Longest input that is made, in bytes: a datagram's worth would only be slower.
const INPUT_MAX: usize = 8 * 1024;
/// Changes of one mutation at most.
const CHANGES_MAX: usize = 6;

/// Words that mean something to one of the readers.
const WORDS: &[&[u8]] = &[
    b"\r\n",
    b"\r\n\r\n",
    b"\r\n ",
    b"\n",
    b"\r",
    b"\0",
    b"\t",
    b" ",
    b";",
    b",",
    b":",
    b"<",
    b">",
    b"\"",
    b"\\",
    b"@",
    b"=",
    b"?",
    b"%00",
    b"%",
    b"[",
    b"]",
    b"[::1]",
    b"[2001:db8:::192.0.2.1]",
    b"sip:",
    b"sips:",
    b"tel:+420",
    b"*",
    b"z9hG4bK",
    b"SIP/2.0",
    b"SIP/2.0 200 OK",
    b"SIP/2.0 180 Ringing",
    b"SIP/2.0 487 x",
    b"Via: ",
    b"v:",
    b"SIP/2.0/UDP h",
    b"From: ",
    b"f:",
    b"To: ",
    b"t:",
    b"Call-ID: ",
    b"i:",
    b"CSeq: ",
    b"CSeq: 1 INVITE",
    b"CSeq: 2 BYE",
    b"Contact: *",
    b"Contact: <sip:a@10.0.0.1>",
    b"m:",
    b"l:",
    b"Content-Length: ",
    b"c:",
    b"Content-Type: application/sdp",
    b"Content-Type: application/dtmf-relay",
    b"Signal=5",
    b"Record-Route: <sip:10.0.0.7;lr>",
    b"Record-Route: <sip:10.0.0.7>",
    b"Require: 100rel",
    b"RAck: 1 1 INVITE",
    b"RSeq: 1",
    b"Max-Forwards: 0",
    b"Route: <sip:x;lr>",
    b"Replaces: a;to-tag=b;from-tag=c",
    b"Session-Expires: 90",
    b"P-Asserted-Identity: <tel:1>",
    b"Privacy: id",
    b";tag={tag}",
    b"{tag}",
    b"{branch}",
    b"{call}",
    b"{ours}",
    b";rport",
    b";received=",
    b";branch=",
    b";lr",
    b";maddr=10.0.0.1",
    b"INVITE",
    b"ACK",
    b"BYE",
    b"CANCEL",
    b"OPTIONS",
    b"INFO",
    b"PRACK",
    b"UPDATE",
    b"REGISTER",
    b"REFER",
    b"NOTIFY",
    b"Refer-To: <sip:a@b?Replaces=c%3Bto-tag%3D1%3Bfrom-tag%3D2>",
    b"Replaces: call1;to-tag=1;from-tag=2",
    b"Event: refer;id=2",
    b"Subscription-State: terminated",
    b"Digest ",
    b"realm=\"clinic\"",
    b"nonce=\"1\"",
    b"qop=\"auth\"",
    b"algorithm=SHA-256",
    b"stale=true",
    b"nc=00000001",
    b"WWW-Authenticate: Digest ",
    b"Authorization: Digest ",
    b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz",
    b"a=rtcp-mux",
    b"v=0",
    b"o=- 1 1 IN IP4 10.0.0.1",
    b"s=-",
    b"t=0 0",
    b"c=IN IP4 0.0.0.0",
    b"c=IN IP6 ::1",
    b"c=IN IP4 224.0.0.1",
    b"m=audio 4000 RTP/AVP 0",
    b"m=audio 0 RTP/AVP 0",
    b"m=video 1 x y",
    b"a=rtpmap:0 PCMU/8000",
    b"a=rtpmap:101 telephone-event/8000",
    b"a=fmtp:101 0-15",
    b"a=sendonly",
    b"a=inactive",
    b"a=ptime:",
    b"a=maxptime:0",
    b"a=rtcp:1",
    b"a=rtcp:65535",
    b"{\"event\":\"media\"}",
    b"{\"event\":\"dtmf\",\"dtmf\":{\"digit\":\"5\"}}",
    b"\"payload\":\"",
    b"\"chunk\":\"1\"",
    b"\\u0000",
    b"{}",
    b"null",
    b"0",
    b"-1",
    b"2147483648",
    b"4294967296",
    b"18446744073709551616",
    b"99999999999999999999",
    b"65535",
    b"65536",
    b"\xff",
    b"\xff\xff",
    b"\xff\xff\xff\xff",
    b"\x80",
    b"\x7f",
    b"\x80\x00",
    b"\x80\xc8\x00\x06",
    b"\x81\xc9\x00\x07",
    b"\xc3\x28",
    b"\xf0\x9f\x93\x9e",
    b"\xde\xad\xbe\xef",
];

/// A stream of numbers (xorshift64*).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Below `end`, which is not zero.
    pub fn below(&mut self, end: usize) -> usize {
        ((self.next() >> 32) as usize) % end.max(1)
    }

    /// A range within `length`, rather short than long.
    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.below(length + 1);
        let most = [4, 16, 64, 512, length][self.below(5)];
        start..(start + self.below(most + 1)).min(length)
    }
}

/// Changes an input in one to six places; `other` is what parts are taken from.
pub fn mutate(input: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=random.below(CHANGES_MAX) {
        change(&mut bytes, other, random);
    }
    bytes.truncate(INPUT_MAX);
    bytes
}

fn change(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let at = random.below(bytes.len() + 1);
    match random.below(12) {
        0 => {
            let bit = 1 << random.below(8);
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= bit;
            }
        }
        1 => {
            let new = random.next() as u8;
            if let Some(byte) = bytes.get_mut(at) {
                *byte = new;
            }
        }
        2..=4 => {
            let word = WORDS[random.below(WORDS.len())];
            bytes.splice(at..at, word.iter().copied());
        }
        5 => {
            let word = WORDS[random.below(WORDS.len())];
            let end = (at + word.len()).min(bytes.len());
            bytes.splice(at..end, word.iter().copied());
        }
        6 => {
            let range = random.range(bytes.len());
            bytes.drain(range);
        }
        7 => {
            let copied = bytes[random.range(bytes.len())].to_vec();
            bytes.splice(at..at, copied);
        }
        8 => {
            // The same part many times over: what is quadratic shows.
            let part = bytes[random.range(bytes.len())].to_vec();
            let times = random.below(64);
            bytes.splice(at..at, part.repeat(times).into_iter().take(INPUT_MAX));
        }
        9 => bytes.truncate(at),
        10 => {
            let taken = other[random.range(other.len())].to_vec();
            let end = (at + if random.below(2) == 0 { 0 } else { taken.len() }).min(bytes.len());
            bytes.splice(at..end, taken);
        }
        _ => number(bytes, at, random),
    }
}

/// Puts another number in place of the next digits.
fn number(bytes: &mut Vec<u8>, at: usize, random: &mut Random) {
    let Some(start) = bytes[at..].iter().position(u8::is_ascii_digit).map(|start| at + start) else { return };
    let digits = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = match random.below(3) {
        0 => random.below(256) as u64,
        1 => random.next(),
        _ => 1 << random.below(64),
    };
    bytes.splice(start..start + digits, number.to_string().into_bytes());
}
