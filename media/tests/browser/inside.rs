//! Pages beside the clinic's machine, whose router does not turn back what is sent to the outer address from inside.

use super::*;
use str0m::net::Protocol::{Tcp, Udp};

const INSIDE: &str = "192.168.1.10:7882";

impl World {
    fn tells(&mut self, inside: bool) {
        let (server, own) = (SERVER.parse().unwrap(), INSIDE.parse::<SocketAddr>().unwrap().ip());
        self.engine.serve_browsers(server, Some(server), inside.then_some(own));
    }

    /// A page that reaches us by the address inside alone.
    fn open_inside(&mut self, protocol: Protocol) -> LegId {
        let (mut page, offer) = Page::by(&[protocol], self.port(), self.now);
        page.server = INSIDE.parse().unwrap();
        self.welcome((page, offer), WebPurpose::Station)
    }
}

#[test]
fn a_page_inside_reaches_us_where_the_router_does_not_turn_back() {
    for protocol in [Udp, Tcp] {
        let mut world = World::new();
        world.tells(true);
        let leg = world.open_inside(protocol);
        world.run(1_500);
        assert!(world.told(answered(leg)).is_some(), "{protocol:?}: {:?}", world.events);
        world.command(Command::Tap { leg, on: true });
        world.play(leg, 1_100.0);
        world.run(2_500);
        let (there, here) = (hears(&world.tapped, 500.0), hears(&world.pages[0].heard, 1_100.0));
        assert!(there > 0.9 && here > 0.9, "{protocol:?}: the clinic hears {there}, the page {here}");
    }
}

#[test]
fn a_page_outside_is_told_of_both_and_takes_the_one_that_it_reaches() {
    let mut world = World::new();
    world.tells(true);
    let leg = world.open(WebPurpose::Station);
    world.run(1_500);
    assert!(world.told(answered(leg)).is_some(), "{:?}", world.events);
}

#[test]
fn a_page_inside_is_not_found_without_an_address_inside() {
    let mut world = World::new();
    world.tells(false);
    let leg = world.open_inside(Udp);
    world.run(5_000);
    assert!(world.told(answered(leg)).is_none(), "{:?}", world.events);
}
