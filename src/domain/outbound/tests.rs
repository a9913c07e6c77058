//! What may be dialled, row by row.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::code::{AccessReasons, Lang};
use crate::id::{CallId, TenantId};
use crate::tenant::WeekHours;
use jiff::SignedDuration;
use uuid::Uuid;

const MAIN: TrunkId = TrunkId(Uuid::from_u128(1));
const SPARE: TrunkId = TrunkId(Uuid::from_u128(2));
const ANNA: AccountId = AccountId(Uuid::from_u128(3));
const BEN: AccountId = AccountId(Uuid::from_u128(4));

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn noon() -> Timestamp {
    at("2026-03-02T12:00:00Z")
}

fn clinic() -> Tenant {
    Tenant {
        id: TenantId(Uuid::from_u128(9)),
        name: "Lumen".into(),
        country: "CZ".into(),
        zone: "Europe/Prague".into(),
        languages: vec![Lang::Cs],
        hours: WeekHours::default(),
        record_calls: true,
        receptionist: "Sarah".into(),
        access_reasons: AccessReasons::Off,
        version: 1,
    }
}

fn price(prefix: &str, minute_price: u32) -> Price {
    Price { prefix: prefix.into(), minute_price }
}

fn rules() -> Outbound {
    let trunk = |trunk, numbers: &[&str], format| TrunkUse {
        trunk,
        numbers: numbers.iter().map(|number| (*number).to_owned()).collect(),
        format,
    };
    Outbound {
        is_on: true,
        countries: vec!["CZ".into(), "SK".into(), "GB".into()],
        denied: vec!["42122".into()],
        permitted: vec!["4484".into()],
        prices: vec![price("420", 10), price("4206", 25)],
        routes: vec![
            Route { prefix: String::new(), trunks: vec![SPARE] },
            Route { prefix: "420".into(), trunks: vec![MAIN, SPARE] },
        ],
        trunks: vec![
            trunk(MAIN, &["+420212345678", "+420212345679"], NumberFormat::Plus),
            trunk(SPARE, &["+420222222222"], NumberFormat::Digits),
        ],
        ..Outbound::usual("CZ")
    }
}

fn wish(dialled: &str) -> Wish<'_> {
    Wish { dialled, account: Some(ANNA), show: &Show::Usual }
}

fn up() -> [Usable; 2] {
    [
        Usable { trunk: MAIN, is_up: true, refers: false, withholds: false },
        Usable { trunk: SPARE, is_up: true, refers: false, withholds: false },
    ]
}

fn asked(rules: &Outbound, dialled: &str) -> Result<Permit, OutboundRule> {
    rules.permit(&wish(dialled), &clinic(), &up(), &Ledger::default(), noon())
}

/// SEC-13: outgoing calls are off until somebody switches them on; then only what the rules allow is dialled.
#[test]
fn what_the_rules_do_not_allow_is_refused_by_name() {
    assert_eq!(asked(&Outbound::usual("CZ"), "602 123 456").unwrap_err(), OutboundRule::Off);
    let rows = [
        ("12", OutboundRule::Number),
        ("+1 202 555 0123", OutboundRule::Country),
        ("+1 876 555 0123", OutboundRule::Country),
        ("+881612345678", OutboundRule::Country),
        ("+44 7624 000000", OutboundRule::Country),
        ("906 123 456", OutboundRule::Premium),
        ("+44 909 879 0123", OutboundRule::Premium),
        ("+421 22 123 4567", OutboundRule::Denied),
    ];
    for (dialled, rule) in rows {
        assert_eq!(asked(&rules(), dialled).unwrap_err(), rule, "{dialled}");
    }
    assert_eq!(
        asked(&rules(), "0044 845 123 4567").unwrap().number,
        "+448451234567",
        "an exception that somebody made"
    );
    let nowhere = Outbound { routes: Vec::new(), ..rules() };
    assert_eq!(asked(&nowhere, "602123456").unwrap_err(), OutboundRule::NoRoute);
}

/// CALL-01: whoever calls chooses among the numbers of the trunks that routes name; what is usual is told where it is the same for
/// everybody.
#[test]
fn a_caller_may_choose_among_the_numbers_of_the_trunks() {
    let (both, all) = ([MAIN, SPARE], ["+420222222222", "+420212345678", "+420212345679"]);
    let shown = rules().shown(&both);
    assert_eq!((shown.usual, shown.numbers), (None, all.map(str::to_owned).to_vec()), "abroad another number is usual");
    for number in all {
        let show = Show::Number(number.to_owned());
        let wish = Wish { show: &show, ..wish("602123456") };
        assert!(rules().permit(&wish, &clinic(), &up(), &Ledger::default(), noon()).is_ok(), "{number}");
    }
    let alone = rules().shown(&[SPARE]);
    assert_eq!((alone.usual.as_deref(), alone.numbers), (Some(all[0]), vec![all[0].to_owned()]), "the other is gone");
    let mute = Outbound { trunks: Vec::new(), ..rules() };
    assert_eq!(mute.shown(&both), Shown::default(), "the provider chooses");
    let unused = Outbound { routes: vec![Route { prefix: String::new(), trunks: vec![MAIN] }], ..rules() };
    assert_eq!(unused.shown(&both).numbers, all[1..], "what no route leads to cannot be shown");
    assert_eq!(Outbound { is_on: false, ..rules() }.shown(&both), Shown::default());
}

/// RFC 3323: the clinic's number is kept from who is called by trunks that know it all the same, and never in an emergency.
#[test]
fn the_number_is_withheld_by_trunks_that_keep_it_to_themselves() {
    let wish = Wish { show: &Show::Withheld, ..wish("602123456") };
    let permit = |dialled: &'static str, trunks: &[Usable]| {
        let permit = rules().permit(&Wish { dialled, ..wish }, &clinic(), trunks, &Ledger::default(), noon());
        let way = |way: Way| (way.trunk, way.caller_id, way.is_withheld);
        permit.map(|permit| permit.ways.into_iter().map(way).collect::<Vec<_>>())
    };
    assert_eq!(permit("602123456", &up()), Err(OutboundRule::Withheld));
    let spare = Usable { withholds: true, ..up()[1] };
    let number = "+420222222222".to_owned();
    assert_eq!(permit("602123456", &[up()[0], spare]), Ok(vec![(SPARE, number, true)]), "the other would tell");
    let emergency = permit("112", &[spare]).unwrap();
    assert!(emergency.iter().all(|(_, number, is_withheld)| !number.is_empty() && !is_withheld), "{emergency:?}");
}

/// CALL-01: the trunk follows from the number, the next one stands in; each is told the number as it wants it and shows one of
/// its own.
#[test]
fn a_number_goes_by_its_trunk_and_the_next_one_stands_in() {
    let permit = asked(&rules(), "602 123 456").unwrap();
    let main =
        Way { trunk: MAIN, number: "+420602123456".into(), caller_id: "+420212345678".into(), is_withheld: false };
    let spare =
        Way { trunk: SPARE, number: "420602123456".into(), caller_id: "+420222222222".into(), is_withheld: false };
    assert_eq!((permit.ways, permit.minute_price), (vec![main, spare.clone()], 25));
    let abroad = asked(&rules(), "+44 20 7946 0958").unwrap();
    assert_eq!((abroad.ways[0].trunk, abroad.minute_price), (SPARE, 100), "an unknown price is a high one");

    let permit = |trunks: &[Usable], caller_id: Option<&str>| {
        let show = caller_id.map_or(Show::Usual, |number| Show::Number(number.to_owned()));
        let wish = Wish { show: &show, ..wish("602123456") };
        rules().permit(&wish, &clinic(), trunks, &Ledger::default(), noon()).map(|permit| permit.ways)
    };
    let down = |trunk| Usable { trunk, is_up: false, refers: false, withholds: false };
    assert_eq!(permit(&[down(MAIN), up()[1]], None).unwrap(), [spare]);
    assert_eq!(permit(&[down(MAIN), down(SPARE)], None).unwrap_err(), OutboundRule::TrunksDown);
    let chosen = permit(&up(), Some("+420212345679")).unwrap();
    assert_eq!((chosen.len(), chosen[0].caller_id.as_str()), (1, "+420212345679"), "only a trunk that owns the number");
    assert_eq!(permit(&up(), Some("+420999999999")).unwrap_err(), OutboundRule::CallerId);

    let national = TrunkUse { trunk: MAIN, numbers: Vec::new(), format: NumberFormat::National };
    let british = Tenant { country: "GB".into(), ..clinic() };
    let rules = Outbound {
        trunks: vec![national],
        routes: vec![Route { prefix: String::new(), trunks: vec![MAIN] }],
        ..rules()
    };
    for (dialled, number) in [("020 7946 0958", "02079460958"), ("00420602123456", "+420602123456")] {
        let permit = rules.permit(&wish(dialled), &british, &up(), &Ledger::default(), noon()).unwrap();
        assert_eq!(permit.ways[0].number, number);
    }
}

/// SAFE-01: an emergency number is dialled whatever the rules say, by any trunk there is.
#[test]
fn an_emergency_number_is_always_dialled() {
    let night = Night { from_minute: 0, to_minute: 1_439 };
    let off = Outbound { calls_max: 0, day_money_max: 0, night: Some(night), ..Outbound::usual("CZ") };
    let trunks = [
        Usable { trunk: SPARE, is_up: false, refers: false, withholds: false },
        Usable { trunk: MAIN, is_up: true, refers: false, withholds: false },
    ];
    for digits in ["112", "155", "911"] {
        let permit = off.permit(&wish(digits), &clinic(), &trunks, &Ledger::default(), noon()).unwrap();
        assert!(permit.is_emergency && permit.minutes_max.is_none() && permit.minute_price == 0);
        let ways: Vec<_> = permit.ways.iter().map(|way| (way.trunk, way.number.as_str())).collect();
        assert_eq!(ways, [(MAIN, digits), (SPARE, digits)], "one that is down is tried last");
    }
}

/// CALL-01, VOICE-10: a carrier stands in for a trunk as another trunk does, is told numbers of the world, and shows a number of its own
/// or is not asked; of emergencies it hears after the trunks that are up.
#[test]
fn a_carrier_is_a_way_among_others() {
    let carrier = CarrierKind::Twilio.trunk();
    assert_eq!((CarrierKind::behind(carrier), CarrierKind::behind(MAIN)), (Some(CarrierKind::Twilio), None));
    let shows = |numbers: &[&str]| {
        let numbers = numbers.iter().map(|number| (*number).to_owned()).collect();
        let uses =
            [rules().trunks, vec![TrunkUse { trunk: carrier, numbers, format: NumberFormat::National }]].concat();
        let routes = vec![Route { prefix: String::new(), trunks: vec![carrier, MAIN] }];
        Outbound { trunks: uses, routes, ..rules() }
    };
    let usable = [
        up()[0],
        Usable { trunk: carrier, is_up: true, refers: false, withholds: false },
        Usable { trunk: SPARE, is_up: false, refers: false, withholds: false },
    ];
    let ways = |rules: &Outbound, dialled| {
        let permit = rules.permit(&wish(dialled), &clinic(), &usable, &Ledger::default(), noon()).unwrap();
        permit.ways.into_iter().map(|way| (way.trunk, way.number, way.caller_id)).collect::<Vec<_>>()
    };
    let by = |trunk, number: &str, shown: &str| (trunk, number.to_owned(), shown.to_owned());
    let main = by(MAIN, "+420602123456", "+420212345678");
    assert_eq!(
        ways(&shows(&["+420233333333"]), "602123456"),
        [by(carrier, "+420602123456", "+420233333333"), main.clone()]
    );
    assert_eq!(ways(&shows(&[]), "602123456"), [main]);
    let emergency = ways(&shows(&["+420233333333"]), "112");
    assert_eq!(emergency.iter().map(|way| way.0).collect::<Vec<_>>(), [MAIN, carrier, SPARE]);
    assert_eq!(ways(&shows(&[]), "112").len(), 2, "a carrier that shows nothing is not asked");
}

#[test]
fn at_night_nobody_calls() {
    let rules = Outbound { night: Some(Night { from_minute: 22 * 60, to_minute: 6 * 60 }), ..rules() };
    // Prague is an hour ahead of UTC in winter.
    for (time, refused) in [("20:59", false), ("21:00", true), ("23:30", true), ("04:59", true), ("05:00", false)] {
        let now = at(&format!("2026-01-15T{time}:00Z"));
        let asked = rules.permit(&wish("602123456"), &clinic(), &up(), &Ledger::default(), now);
        assert_eq!(asked.err(), refused.then_some(OutboundRule::Night), "{time}");
    }
}

fn id(number: u128) -> Line {
    (CallId(Uuid::from_u128(number)), 0)
}

fn later(minutes: i64) -> Timestamp {
    noon() + SignedDuration::from_mins(minutes)
}

/// SEC-13: calls at a time, calls within an hour, and money.
#[test]
fn caps_hold_and_free_themselves() {
    let rules =
        Outbound { calls_max: 2, account_hour_calls_max: 3, hour_calls_max: 4, day_money_max: 1_000, ..rules() };
    let mut ledger = Ledger::default();
    ledger.begin(id(1), Some(ANNA), 10, noon());
    ledger.begin(id(2), Some(ANNA), 10, noon());
    assert_eq!(ledger.check(&rules, Some(BEN), 10, noon()), Err(OutboundRule::CallsMax));
    ledger.end(id(1), 10);
    ledger.begin(id(3), Some(ANNA), 10, noon());
    ledger.end(id(3), 0);
    assert_eq!(ledger.spent(noon()), 20, "an unanswered call costs nothing");
    assert_eq!(ledger.check(&rules, Some(ANNA), 10, later(59)), Err(OutboundRule::AccountHour));
    assert_eq!(ledger.check(&rules, Some(BEN), 10, later(59)), Ok(()));
    ledger.begin(id(4), Some(BEN), 900, later(1));
    ledger.end(id(4), 900);
    assert_eq!(ledger.check(&rules, Some(BEN), 10, later(2)), Err(OutboundRule::Hour));
    assert_eq!(ledger.check(&rules, Some(BEN), 80, later(60)), Ok(()), "the hour is over");
    assert_eq!(ledger.check(&rules, Some(BEN), 81, later(60)), Err(OutboundRule::Money));
    assert_eq!(ledger.check(&rules, Some(BEN), 81, later(24 * 60)), Ok(()), "what ended is forgotten after a day");
}

#[test]
fn a_call_reserves_minute_by_minute_and_ends_at_the_ceiling() {
    let rules = Outbound { day_money_max: 100, ..rules() };
    let mut ledger = Ledger::default();
    ledger.begin(id(1), None, 40, noon());
    assert_eq!(ledger.next_minute(id(1), &rules, later(1)), Ok(()));
    assert_eq!(ledger.next_minute(id(1), &rules, later(2)), Err(OutboundRule::Money));
    ledger.end(id(1), 80);
    assert_eq!(ledger.spent(later(2)), 80);
}

#[test]
fn caps_alarm_at_once_and_other_rules_when_they_stand_again_and_again() {
    let mut ledger = Ledger::default();
    let mut alarms = |rule, at| ledger.refused(rule, at).is_alarming;
    assert!(alarms(OutboundRule::Money, noon()));
    assert!(!alarms(OutboundRule::Money, later(1)), "once an hour");
    assert!(alarms(OutboundRule::Money, later(60)));
    let second = |second| noon() + SignedDuration::from_secs(second);
    assert_eq!((0..200).filter(|at| alarms(OutboundRule::Premium, second(*at))).collect::<Vec<_>>(), [4]);
    assert!((0..9).all(|_| !alarms(OutboundRule::Number, noon())), "a slip of the finger is no attack");
    let written = (0..200).filter(|_| ledger.refused(OutboundRule::Off, later(300)).is_worth_writing).count();
    assert_eq!(written, 64, "what is written down within an hour is bounded");
}
