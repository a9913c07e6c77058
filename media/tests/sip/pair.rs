//! Two agents over a network that loses, repeats and delays: every call comes up or ends, on both sides alike.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use auricle_media::io::Hop;
use auricle_media::sip::agent::{
    AgentCommand, AgentConfig, AgentEnd, AgentEvent, AgentInput, AgentOutput, DialogId, Invite, InviteTo, UserAgent,
};
use auricle_media::sip::tokens::Tokens;
use proptest::prelude::*;

use crate::bench::{config, origin, our_sdp};

const ADDRESSES: [&str; 2] = ["192.0.2.1:5060", "192.0.2.2:5060"];

/// What one side has been told of its calls.
#[derive(Default)]
struct Told {
    up: BTreeSet<DialogId>,
    ended: BTreeMap<DialogId, AgentEnd>,
}

struct Pair {
    now: Instant,
    agents: [UserAgent; 2],
    told: [Told; 2],
    /// Datagrams on their way: when they arrive, in what order they left, to whom.
    flying: BTreeMap<(Instant, u64), (usize, Vec<u8>)>,
    left: u64,
    chance: Tokens,
    loss: u64,
}

impl Pair {
    fn new(seed: u8, loss: u64) -> Self {
        let agent = |side: usize| {
            let local = ADDRESSES[side].parse().unwrap();
            UserAgent::new(AgentConfig { local, seed: [u8::try_from(side).unwrap(); 32], ..config() })
        };
        Self {
            now: origin(),
            agents: [agent(0), agent(1)],
            told: Default::default(),
            flying: BTreeMap::new(),
            left: 0,
            chance: Tokens::new([seed; 32]),
            loss,
        }
    }

    fn drain(&mut self, side: usize) {
        while let Some(output) = self.agents[side].poll() {
            match output {
                AgentOutput::Transmit { remote, bytes } => self.fly(remote.address, bytes),
                AgentOutput::Event(event) => self.hear(side, event),
            }
        }
    }

    fn fly(&mut self, remote: SocketAddr, bytes: Vec<u8>) {
        let to = ADDRESSES.iter().position(|address| remote == address.parse().unwrap()).expect("one of the two");
        if self.chance.number() % 100 < self.loss {
            return;
        }
        // One in ten comes twice, each after its own delay, so later ones overtake.
        for _ in 0..1 + u64::from(self.chance.number().is_multiple_of(10)) {
            let delay = Duration::from_millis(5 + self.chance.number() % 150);
            self.left += 1;
            self.flying.insert((self.now + delay, self.left), (to, bytes.clone()));
        }
    }

    fn hear(&mut self, side: usize, event: AgentEvent) {
        let told = &mut self.told[side];
        match event {
            AgentEvent::Incoming { dialog, .. } => {
                self.command(side, AgentCommand::Ring { dialog });
                self.command(side, AgentCommand::Accept { dialog, sdp: our_sdp() });
            }
            AgentEvent::Accepted { dialog, .. } | AgentEvent::Confirmed { dialog, .. } => {
                assert!(told.up.insert(dialog), "told twice");
            }
            AgentEvent::Ended { dialog, cause } => {
                assert!(told.ended.insert(dialog, cause).is_none(), "ended twice")
            }
            _ => {}
        }
    }

    fn command(&mut self, side: usize, command: AgentCommand) {
        self.agents[side].handle(AgentInput::Command(command), self.now);
        self.drain(side);
    }

    fn dial(&mut self) -> DialogId {
        let remote = ADDRESSES[1];
        let invite = Invite {
            uri: format!("sip:clinic@{remote}"),
            to: InviteTo::Hop(Hop::udp(remote.parse().unwrap())),
            from_user: "ann".into(),
            sdp: our_sdp(),
            identity: None,
            replaces: None,
            is_emergency: false,
        };
        let dialog = self.agents[0].invite(invite, self.now).unwrap();
        self.drain(0);
        dialog
    }

    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            let wakes = self.agents.iter().enumerate().filter_map(|(side, agent)| Some((agent.next_wake()?, side)));
            let wake = wakes.min();
            let arrival = self.flying.first_key_value().map(|((at, _), _)| *at);
            let next = wake.map(|(at, _)| at).into_iter().chain(arrival).min();
            let Some(next) = next.filter(|next| *next <= until) else {
                break;
            };
            self.now = next;
            if arrival == Some(next) {
                let (_, (to, bytes)) = self.flying.pop_first().unwrap();
                let remote = Hop::udp(ADDRESSES[1 - to].parse().unwrap());
                self.agents[to].handle(AgentInput::Message { remote, bytes: &bytes }, next);
                self.drain(to);
            } else if let Some((_, side)) = wake {
                self.agents[side].handle(AgentInput::Wake, next);
                self.drain(side);
            }
        }
        self.now = until;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn calls_survive_a_bad_network(seed in any::<u8>(), loss in 0_u64..30, hangs_up in 0_usize..2, talk_ms in 0_u64..20_000) {
        let mut pair = Pair::new(seed, loss);
        let first = pair.dial();
        pair.dial();
        pair.pass(Duration::from_millis(talk_ms));
        // One call is hung up by either side wherever it stands; the other one talks on.
        let dialog = if hangs_up == 0 { Some(first) } else { pair.told[1].up.first().copied() };
        if let Some(dialog) = dialog {
            pair.command(hangs_up, AgentCommand::Hangup { dialog });
        }
        pair.pass(Duration::from_secs(200));
        for side in 0..2 {
            let told = &pair.told[side];
            let open: Vec<_> = told.up.iter().filter(|dialog| !told.ended.contains_key(dialog)).collect();
            let (calls, transactions) = pair.agents[side].load();
            prop_assert_eq!(calls, open.len(), "calls that nobody knows of");
            prop_assert_eq!(transactions, 0);
        }
        if loss == 0 {
            let ends = usize::from(dialog.is_some());
            prop_assert_eq!(pair.told[0].ended.len(), ends);
            prop_assert_eq!(pair.told[0].up.len() - pair.told[0].ended.keys().filter(|id| pair.told[0].up.contains(id)).count(), 2 - ends);
        }
    }
}
