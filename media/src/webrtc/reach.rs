//! Where browsers reach us: what our answer tells them of it.

use std::net::{IpAddr, SocketAddr};

/// What begins a candidate in a description (RFC 8839 section 5.1).
const CANDIDATE: &str = "a=candidate:";
/// The address beside another comes after it by the least that there is between two candidates of one component (RFC 8445 section 5.1.2.1).
const STEP: u32 = 1 << 8;

/// Where browsers reach us.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reach {
    pub(crate) udp: SocketAddr,
    /// None: not over TCP.
    pub(crate) tcp: Option<SocketAddr>,
    /// The address by which browsers beside us reach us too, at the same ports: most routers do not turn back what comes from inside.
    pub(crate) inside: Option<IpAddr>,
}

impl Reach {
    /// Our answer, with the address inside beside the outer one. Whatever comes to either comes to the same sockets, so that the
    /// connection need not know the difference.
    pub(crate) fn told(&self, answer: &str) -> String {
        let Some(inside) = self.inside else { return answer.to_owned() };
        let mut told = String::with_capacity(answer.len() + 128);
        for line in answer.split_inclusive('\n') {
            told.push_str(line);
            if let Some(beside) = beside(line, inside) {
                told.push_str(&beside);
            }
        }
        told
    }
}

/// The same candidate at another address. None of a line that is none.
fn beside(line: &str, address: IpAddr) -> Option<String> {
    let mut parts: Vec<String> = line.strip_prefix(CANDIDATE)?.split(' ').map(str::to_owned).collect();
    // Foundation, component, transport, priority, address. A foundation stands for one address.
    let [foundation, _, _, priority, own, ..] = parts.as_mut_slice() else { return None };
    foundation.push('i');
    *priority = priority.parse::<u32>().ok()?.saturating_sub(STEP).to_string();
    *own = address.to_string();
    Some(format!("{CANDIDATE}{}", parts.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_names_the_address_inside_beside_each_other() {
        let answer = "v=0\r\na=candidate:7 1 udp 2130706175 203.0.113.7 7882 typ host ufrag x\r\n\
                      a=candidate:8 1 tcp 1671430143 203.0.113.7 7882 typ host tcptype passive\r\na=end-of-candidates\r\n";
        let outer = SocketAddr::from(([203, 0, 113, 7], 7882));
        let alone = Reach { udp: outer, tcp: Some(outer), inside: None };
        assert_eq!(alone.told(answer), answer);
        let both = Reach { inside: Some(IpAddr::from([192, 168, 1, 10])), ..alone };
        let told = both.told(answer);
        let expected = "v=0\r\na=candidate:7 1 udp 2130706175 203.0.113.7 7882 typ host ufrag x\r\n\
                        a=candidate:7i 1 udp 2130705919 192.168.1.10 7882 typ host ufrag x\r\n\
                        a=candidate:8 1 tcp 1671430143 203.0.113.7 7882 typ host tcptype passive\r\n\
                        a=candidate:8i 1 tcp 1671429887 192.168.1.10 7882 typ host tcptype passive\r\na=end-of-candidates\r\n";
        assert_eq!(told, expected);
    }
}
