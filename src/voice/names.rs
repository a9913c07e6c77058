//! Where a SIP server is: name service look-ups as RFC 3263 wants them, in-process.

use auricle_domain::code::SipTransport;
use auricle_domain::trunk::{Host, Server};
use hickory_resolver::TokioResolver;
use hickory_resolver::net::NetError;
use hickory_resolver::proto::rr::RData;
use hickory_resolver::proto::rr::rdata::SRV;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Addresses of one server that are kept, best first.
pub const PLACES_MAX: usize = 8;
/// Longest wait for one question.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Why a name has no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The name service says that there is no such name, or that it has no address.
    #[error("the name is not known")]
    Unknown,
    /// The name service cannot be reached or does not answer.
    #[error("the name service does not answer")]
    NoService,
}

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// Its addresses, best first, at most [`PLACES_MAX`].
    pub addresses: Vec<SocketAddr>,
    /// When the first of the records that led there is no longer to be relied on (RFC 1035 section 3.2.1); none for an address.
    pub until: Option<Instant>,
}

impl Places {
    fn add(&mut self, more: Self) {
        self.addresses.extend(more.addresses);
        self.until = self.until.into_iter().chain(more.until).min();
    }
}

/// Asks the name servers of this machine (`/etc/resolv.conf`, `/etc/hosts`). Cheap to clone.
#[derive(Clone)]
pub struct Names(Option<TokioResolver>);

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Names")
    }
}

impl Names {
    /// As this machine is set up. Inside of a tokio runtime. Without a name service only addresses are found.
    pub fn of_the_machine() -> Self {
        let resolver = TokioResolver::builder_tokio().and_then(|mut builder| {
            builder.options_mut().timeout = ANSWER_WITHIN;
            builder.build()
        });
        if let Err(error) = &resolver {
            tracing::error!(%error, "this machine has no name service: servers are reached by address only");
        }
        Self(resolver.ok())
    }

    #[cfg(test)]
    #[allow(clippy::unwrap_used)]
    fn of(servers: hickory_resolver::config::ResolverConfig) -> Self {
        let provider = hickory_resolver::net::runtime::TokioRuntimeProvider::default();
        let mut builder = TokioResolver::builder_with_config(servers, provider);
        builder.options_mut().timeout = Duration::from_millis(500);
        builder.options_mut().attempts = 1;
        Self(Some(builder.build().unwrap()))
    }

    /// The addresses of a server, best first. An address stands for itself; a name with a port is
    /// looked up as it is; a name without one by its SRV records, and as it is where it has none (RFC 3263 section 4.2).
    /// The transport is given, so NAPTR is not asked (section 4.1). `seed` decides among servers of equal priority: the same
    /// seed keeps the same order as long as the records stay.
    ///
    /// # Errors
    /// See [`NameError`].
    pub async fn places(&self, server: &Server, transport: SipTransport, seed: u64) -> Result<Places, NameError> {
        let usual = if transport == SipTransport::Tls { 5_061 } else { 5_060 };
        let port = server.port.unwrap_or(usual);
        let resolver = self.0.as_ref().ok_or(NameError::NoService);
        let name = match &server.host {
            Host::Address(address) => {
                return Ok(Places { addresses: vec![SocketAddr::new(*address, port)], until: None });
            }
            Host::Name(name) => name,
        };
        if server.port.is_some() {
            return addresses(resolver?, name, port).await;
        }
        let resolver = resolver?;
        let service = match transport {
            SipTransport::Udp => "_sip._udp",
            SipTransport::Tcp => "_sip._tcp",
            SipTransport::Tls => "_sips._tcp",
        };
        let (records, until) = match resolver.srv_lookup(format!("{service}.{name}.")).await {
            Ok(found) => {
                let records = found.answers().iter().filter_map(|record| srv(&record.data)).collect();
                (records, Some(found.valid_until()))
            }
            Err(error) if nothing_there(&error) => (Vec::new(), None),
            Err(_) => return Err(NameError::NoService),
        };
        if records.is_empty() {
            return addresses(resolver, name, port).await;
        }
        let mut places = Places { addresses: Vec::new(), until };
        let mut failure = NameError::Unknown;
        for record in in_order(records, seed) {
            match addresses(resolver, &record.target.to_utf8(), record.port).await {
                Ok(found) => places.add(found),
                Err(error) => failure = error,
            }
            if places.addresses.len() >= PLACES_MAX {
                break;
            }
        }
        places.addresses.truncate(PLACES_MAX);
        if places.addresses.is_empty() { Err(failure) } else { Ok(places) }
    }
}

async fn addresses(resolver: &TokioResolver, name: &str, port: u16) -> Result<Places, NameError> {
    match resolver.lookup_ip(name).await {
        Ok(found) => {
            let mut addresses: Vec<_> = found.iter().map(|address| SocketAddr::new(address, port)).collect();
            // IPv4 first: it is what trunks of today are reached by. Among equals the order is fixed, so that a
            // round robin in the name service does not look like a move.
            addresses.sort();
            addresses.truncate(PLACES_MAX);
            if addresses.is_empty() {
                return Err(NameError::Unknown);
            }
            Ok(Places { addresses, until: Some(found.valid_until()) })
        }
        Err(error) if nothing_there(&error) => Err(NameError::Unknown),
        Err(_) => Err(NameError::NoService),
    }
}

fn nothing_there(error: &NetError) -> bool {
    error.is_no_records_found() || error.is_nx_domain()
}

/// A usable SRV record: a target of `.` says that the service is not offered (RFC 2782).
fn srv(data: &RData) -> Option<SRV> {
    match data {
        RData::SRV(srv) if !srv.target.is_root() && srv.port > 0 => Some(srv.clone()),
        _ => None,
    }
}

/// By priority, and within one drawn by weight (RFC 2782, "Usage rules").
fn in_order(mut records: Vec<SRV>, seed: u64) -> Vec<SRV> {
    let mut random = StdRng::seed_from_u64(seed);
    records.sort_by(|a, b| (a.priority, &a.target, a.port).cmp(&(b.priority, &b.target, b.port)));
    let mut ordered = Vec::with_capacity(records.len());
    while let Some(priority) = records.first().map(|record| record.priority) {
        let equals = records.iter().take_while(|record| record.priority == priority);
        // One more than the weight, so that a weight of zero has a small chance, as the rules want it.
        let weights: Vec<u32> = equals.map(|record| u32::from(record.weight) + 1).collect();
        let mut drawn = random.random_range(0..weights.iter().sum());
        let chosen = weights.iter().position(|weight| {
            let here = drawn < *weight;
            drawn = drawn.saturating_sub(*weight);
            here
        });
        ordered.push(records.remove(chosen.unwrap_or(0)));
    }
    ordered
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
    use hickory_resolver::proto::op::{Message, ResponseCode};
    use hickory_resolver::proto::rr::rdata::A;
    use hickory_resolver::proto::rr::{Name, Record, RecordType};
    use tokio::net::UdpSocket;

    fn record(priority: u16, weight: u16, port: u16, target: &str) -> SRV {
        SRV::new(priority, weight, port, Name::from_ascii(target).unwrap())
    }

    /// A name server on the loopback that knows one clinic's provider.
    async fn name_server() -> Names {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let port = socket.local_addr().unwrap().port();
        tokio::spawn(async move {
            let mut buffer = [0_u8; 1_500];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                let asked = Message::from_vec(&buffer[..length]).unwrap();
                let query = asked.queries[0].clone();
                let mut answer = Message::response(asked.metadata.id, asked.metadata.op_code);
                answer.add_query(query.clone());
                let name = query.name().to_ascii().to_lowercase();
                let found = match (name.as_str(), query.query_type()) {
                    ("_sip._udp.provider.example.", RecordType::SRV) => vec![
                        RData::SRV(record(20, 0, 5_080, "b.provider.example.")),
                        RData::SRV(record(10, 0, 5_070, "a.provider.example.")),
                    ],
                    ("_sip._udp.none.example.", RecordType::SRV) => vec![RData::SRV(record(0, 0, 0, "."))],
                    ("a.provider.example.", RecordType::A) => vec![RData::A(A::new(192, 0, 2, 1))],
                    ("b.provider.example.", RecordType::A) => vec![RData::A(A::new(192, 0, 2, 2))],
                    ("plain.example.", RecordType::A) => {
                        vec![RData::A(A::new(192, 0, 2, 9)), RData::A(A::new(192, 0, 2, 8))]
                    }
                    _ => Vec::new(),
                };
                if found.is_empty() {
                    answer.metadata.response_code = ResponseCode::NXDomain;
                }
                for data in found {
                    answer.add_answer(Record::from_rdata(query.name().clone(), 60, data));
                }
                socket.send_to(&answer.to_vec().unwrap(), from).await.unwrap();
            }
        });
        Names::of(servers(port))
    }

    fn servers(port: u16) -> ResolverConfig {
        let mut connection = ConnectionConfig::udp();
        connection.port = port;
        let server = NameServerConfig::new([127, 0, 0, 1].into(), true, vec![connection]);
        ResolverConfig::from_name_servers(vec![server])
    }

    #[tokio::test]
    async fn servers_are_found_as_rfc_3263_wants_it() {
        let names = name_server().await;
        type Found = Result<&'static [&'static str], NameError>;
        let rows: [(&str, SipTransport, Found); 8] = [
            ("192.0.2.77", SipTransport::Udp, Ok(&["192.0.2.77:5060"])),
            ("192.0.2.77", SipTransport::Tls, Ok(&["192.0.2.77:5061"])),
            ("[2001:db8::7]:5062", SipTransport::Tcp, Ok(&["[2001:db8::7]:5062"])),
            ("provider.example", SipTransport::Udp, Ok(&["192.0.2.1:5070", "192.0.2.2:5080"])),
            ("a.provider.example:5090", SipTransport::Udp, Ok(&["192.0.2.1:5090"])),
            ("plain.example", SipTransport::Tls, Ok(&["192.0.2.8:5061", "192.0.2.9:5061"])),
            ("provider.example", SipTransport::Tcp, Err(NameError::Unknown)),
            ("nobody.example", SipTransport::Udp, Err(NameError::Unknown)),
        ];
        for (server, transport, expected) in rows {
            let found = names.places(&server.parse().unwrap(), transport, 1).await.map(|places| places.addresses);
            let expected = expected.map(|places| places.iter().map(|place| place.parse().unwrap()).collect());
            assert_eq!(found, expected, "{server} by {transport}");
        }
    }

    /// Records of a minute are relied on for a minute, an address for ever.
    #[tokio::test]
    async fn what_is_found_holds_as_long_as_its_records() {
        let (names, began) = (name_server().await, Instant::now());
        for (server, holds) in [("provider.example", true), ("plain.example", true), ("192.0.2.77", false)] {
            let found = names.places(&server.parse().unwrap(), SipTransport::Udp, 1).await.unwrap();
            let holds_for = found.until.map(|until| until.duration_since(began).as_secs());
            assert_eq!(holds_for.is_some_and(|seconds| (59..=70).contains(&seconds)), holds, "{server}: {holds_for:?}");
        }
    }

    #[tokio::test]
    async fn a_name_service_that_is_silent_is_told_apart_from_a_name_that_is_unknown() {
        // Bound and never read: every question waits in vain.
        let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let names = Names::of(servers(silent.local_addr().unwrap().port()));
        let found = names.places(&"provider.example".parse().unwrap(), SipTransport::Udp, 1).await;
        assert_eq!(found, Err(NameError::NoService));
    }

    #[test]
    fn servers_of_one_priority_are_drawn_by_weight_and_stay_in_their_order() {
        let records = || {
            vec![
                record(10, 30, 1, "light.example."),
                record(10, 70, 2, "heavy.example."),
                record(5, 0, 3, "first.example."),
            ]
        };
        let ports = |seed| in_order(records(), seed).iter().map(|record| record.port).collect::<Vec<_>>();
        let heavy = (0..1_000).filter(|seed| ports(*seed)[1] == 2).count();
        assert!((600..800).contains(&heavy), "{heavy}");
        for seed in 0..50 {
            assert_eq!(ports(seed)[0], 3);
            assert_eq!(ports(seed), ports(seed));
        }
    }
}
