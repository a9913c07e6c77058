//! Reading a session description: bounded, line by line, telling which line is wrong.

use std::net::{IpAddr, Ipv4Addr};

use super::{
    Address, BODY_BYTES_MAX, CRYPTO_MAX, Crypto, Direction, FORMATS_MAX, LINES_MAX, MEDIA_MAX, Media, Origin, RtpMap,
    Sdp, SdpError,
};

/// What has been read so far.
#[derive(Default)]
struct Reader {
    line: usize,
    version: bool,
    origin: Option<Origin>,
    session_name: bool,
    connection: Option<Address>,
    direction: Option<Direction>,
    media: Vec<Media>,
}

/// Reads a whole body. Lines may end in LF alone, as RFC 8866 section 9 asks readers to accept.
pub fn description(body: &[u8]) -> Result<Sdp, SdpError> {
    if body.len() > BODY_BYTES_MAX {
        return Err(SdpError::TooLong(body.len()));
    }
    let text = std::str::from_utf8(body).map_err(|_| SdpError::NotText)?;
    let mut reader = Reader::default();
    for line in text.split('\n') {
        reader.line += 1;
        if reader.line > LINES_MAX {
            return Err(reader.too_many("lines", LINES_MAX));
        }
        let line = line.strip_suffix('\r').unwrap_or(line);
        if !line.is_empty() {
            reader.read(line)?;
        }
    }
    if !reader.version {
        return Err(SdpError::Missing('v'));
    }
    if !reader.session_name {
        return Err(SdpError::Missing('s'));
    }
    Ok(Sdp {
        origin: reader.origin.ok_or(SdpError::Missing('o'))?,
        connection: reader.connection,
        direction: reader.direction,
        media: reader.media,
    })
}

impl Reader {
    fn bad(&self, what: &'static str) -> SdpError {
        SdpError::Line { line: self.line, what }
    }

    fn too_many(&self, what: &'static str, max: usize) -> SdpError {
        SdpError::TooMany { line: self.line, what, max }
    }

    fn read(&mut self, line: &str) -> Result<(), SdpError> {
        let (kind, value) = line.split_once('=').ok_or_else(|| self.bad("line without ="))?;
        if !self.version && kind != "v" {
            return Err(SdpError::Missing('v'));
        }
        match kind {
            "v" if value == "0" => self.version = true,
            "v" => return Err(self.bad("version, only 0 is known")),
            "o" => self.origin = Some(self.origin(value)?),
            "s" => self.session_name = true,
            "c" => self.connection(value)?,
            "m" => self.media(value)?,
            "a" => self.attribute(value)?,
            // Information, bandwidth, times, keys and whatever comes later do not change what we do.
            letter if letter.len() == 1 && letter.is_ascii() => {}
            _ => return Err(self.bad("line type")),
        }
        Ok(())
    }

    fn origin(&self, value: &str) -> Result<Origin, SdpError> {
        let bad = || self.bad("origin");
        let parts: Vec<&str> = value.split_ascii_whitespace().collect();
        let [user, id, version, network, family, host] = parts.as_slice() else {
            return Err(bad());
        };
        if *network != "IN" || !matches!(*family, "IP4" | "IP6") {
            return Err(bad());
        }
        Ok(Origin {
            user: (*user).into(),
            id: counter(id).ok_or_else(bad)?,
            version: counter(version).ok_or_else(bad)?,
            host: (*host).into(),
        })
    }

    fn connection(&mut self, value: &str) -> Result<(), SdpError> {
        let parts: Vec<&str> = value.split_ascii_whitespace().collect();
        let ["IN", "IP4" | "IP6", host] = parts.as_slice() else {
            return Err(self.bad("connection"));
        };
        // Nobody rings a clinic by multicast, and who names a group or the broadcast address wants others to get our audio.
        let to_many = |ip: IpAddr| ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST);
        let ip = host.parse().ok().filter(|ip: &IpAddr| !to_many(ip.to_canonical()));
        let address = Address { text: (*host).into(), ip };
        match self.media.last_mut() {
            Some(media) => media.connection = Some(address),
            None => self.connection = Some(address),
        }
        Ok(())
    }

    fn media(&mut self, value: &str) -> Result<(), SdpError> {
        if self.media.len() == MEDIA_MAX {
            return Err(self.too_many("media sections", MEDIA_MAX));
        }
        let bad = || self.bad("media");
        let mut parts = value.split_ascii_whitespace();
        let kind = parts.next().ok_or_else(bad)?;
        let port = parts.next().ok_or_else(bad)?;
        // `port/count` asks for several ports; the first is the stream that we would use.
        let port = port.split_once('/').map_or(port, |(first, _)| first);
        let port = port.parse().map_err(|_| self.bad("media port"))?;
        let protocol = parts.next().ok_or_else(bad)?;
        let formats: Vec<String> = parts.map(str::to_owned).collect();
        if formats.is_empty() {
            return Err(bad());
        }
        if formats.len() > FORMATS_MAX {
            return Err(self.too_many("formats", FORMATS_MAX));
        }
        self.media.push(Media {
            kind: kind.into(),
            port,
            protocol: protocol.into(),
            formats,
            connection: None,
            direction: None,
            maps: Vec::new(),
            parameters: Vec::new(),
            ptime_ms: None,
            ptime_ms_max: None,
            rtcp_port: None,
            rtcp_mux: false,
            crypto: Vec::new(),
        });
        Ok(())
    }

    fn attribute(&mut self, attribute: &str) -> Result<(), SdpError> {
        let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
        let direction = match name {
            "sendrecv" => Some(Direction::SendRecv),
            "sendonly" => Some(Direction::SendOnly),
            "recvonly" => Some(Direction::RecvOnly),
            "inactive" => Some(Direction::Inactive),
            _ => None,
        };
        let bad_parameters = self.bad("fmtp");
        let Some(media) = self.media.last_mut() else {
            self.direction = direction.or(self.direction);
            return Ok(());
        };
        match name {
            // A map that cannot be read names a codec that we do not speak (RFC 4475 itself writes `rtpmap:31 LPC`).
            "rtpmap" => media.maps.extend(map(value)),
            "fmtp" => {
                // Formats of other transports than RTP are words, not numbers; their parameters are not ours to read.
                if let Some((format, parameters)) = value.split_once(' ') {
                    if let Ok(payload) = format.parse() {
                        media.parameters.push((payload, parameters.trim().into()));
                    }
                } else {
                    return Err(bad_parameters);
                }
            }
            // Packet times are wishes: one that cannot be read (some gateways write `20.0`) is as good as none.
            "ptime" => media.ptime_ms = value.trim().parse().ok(),
            "maxptime" => media.ptime_ms_max = value.trim().parse().ok(),
            "rtcp" => media.rtcp_port = value.split_ascii_whitespace().next().and_then(|port| port.parse().ok()),
            "rtcp-mux" => media.rtcp_mux = true,
            "crypto" if media.crypto.len() < CRYPTO_MAX => media.crypto.extend(Crypto::parse(value)),
            _ => media.direction = direction.or(media.direction),
        }
        Ok(())
    }
}

/// `o=` numbers are of any length (RFC 8866 section 5.2); one over 64 bits saturates, for nothing but equality hangs on it.
fn counter(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(u64::MAX))
}

fn map(value: &str) -> Option<RtpMap> {
    let (payload, encoding) = value.split_once(' ')?;
    let mut parts = encoding.trim().split('/');
    let name = parts.next().filter(|name| !name.is_empty())?;
    Some(RtpMap {
        payload: payload.parse().ok().filter(|payload| *payload < 128)?,
        encoding: name.into(),
        clock_hz: parts.next()?.parse().ok()?,
        channels: match parts.next() {
            Some(channels) => channels.parse().ok().filter(|channels| *channels > 0)?,
            None => 1,
        },
    })
}
