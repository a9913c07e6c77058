//! The board as it is drawn, at the two sizes that matter.
#![allow(clippy::unwrap_used)]

use crate::message::{Figures, Message};
use crate::model::{Clinic, Model};
use crate::update::update;
use crate::view;
use auricle_domain::Timestamp;
use auricle_domain::code::{CallDirection, CallStatus, Lang, Speaker, Unheard};
use auricle_domain::id::CallId;
use auricle_domain::live::{Live, LiveCall};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_183_500 + second).unwrap()
}

fn call(n: u8, emergency: bool, speaker: Speaker, words: &str) -> LiveCall {
    LiveCall {
        direction: CallDirection::Incoming,
        to_number: "clinic".to_owned(),
        entrance: None,
        agent: None,
        call: CallId::new(at(0), [n; 10]),
        from_number: format!("+4477009001{n:02}"),
        name: (n == 2).then(|| "Ema Dvořáková".to_owned()),
        status: CallStatus::WithReceptionist,
        language: Lang::En,
        created_at: at(i64::from(n)),
        answered_at: Some(at(i64::from(n))),
        emergency,
        last_speaker: Some(speaker),
        last_words: words.to_owned(),
        participants: Vec::new(),
        stations: Vec::new(),
        masked_until: None,
        asked: None,
        unheard: None,
    }
}

fn board(language: Lang, ascii: bool) -> Model {
    let clinic = Clinic { name: "Lumen Skin Clinic".to_owned(), zone: "Europe/London".to_owned() };
    let mut model = Model::new(clinic, language, ascii, at(0));
    update(&mut model, Message::Connected(at(0)));
    let calls = vec![
        call(
            1,
            false,
            Speaker::Caller,
            "Do you have parking near the clinic, because my father uses a wheelchair and he is slow",
        ),
        call(2, false, Speaker::Receptionist, "I have Thursday at 10:20."),
        call(3, true, Speaker::Caller, "and now she can't breathe properly"),
    ];
    update(&mut model, Message::Calls(calls, at(60)));
    let figures = Figures {
        calls: 41,
        answered: 40,
        answered_question: 22,
        booked: 9,
        message_taken: 5,
        emergency: 1,
        abandoned: 1,
    };
    update(&mut model, Message::Figures(figures, at(60)));
    update(&mut model, Message::Second(at(72)));
    model
}

fn drawn(model: &Model, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| view::draw(frame, model)).unwrap();
    terminal.backend().to_string()
}

#[test]
fn it_is_whole_at_both_sizes() {
    insta::assert_snapshot!("wide", drawn(&board(Lang::En, false), 120, 40));
    insta::assert_snapshot!("narrow", drawn(&board(Lang::Cs, false), 80, 24));
    insta::assert_snapshot!("ascii", drawn(&board(Lang::Es, true), 80, 24));
}

/// B-22
#[test]
fn who_is_not_heard_is_said_before_the_last_words() {
    let mut model = board(Lang::En, false);
    model.calls[1].unheard = Some(Unheard::Other);
    model.calls[2].unheard = Some(Unheard::Clinic);
    for (width, height) in [(120, 40), (80, 24)] {
        let screen = drawn(&model, width, height);
        assert!(screen.contains("other side not heard \""), "{screen}");
        assert!(screen.contains("clinic not heard \""), "{screen}");
    }
}

#[test]
fn emergencies_stand_first_and_words_follow_as_they_are_spoken() {
    let mut model = board(Lang::En, false);
    assert!(model.calls[0].emergency);
    let call = model.calls[1].call;
    let live = Live::Partial { call, speaker: Speaker::Caller, text: "and is it free".to_owned(), start_ms: 0 };
    let (_, changed) = update(&mut model, Message::Live(live, at(73)));
    assert!(changed);
    assert!(drawn(&model, 120, 40).contains("and is it free"));
}

/// RT-03 in the terminal: old figures are shown with their age.
#[test]
fn a_lost_server_is_said_with_the_age_of_the_data() {
    let mut model = board(Lang::En, false);
    update(&mut model, Message::Disconnected);
    update(&mut model, Message::Second(at(105)));
    let screen = drawn(&model, 80, 24);
    assert!(screen.contains("DISCONNECTED"), "{screen}");
    assert!(screen.contains("data 45 s old"), "{screen}");
}

#[test]
fn a_screen_of_any_size_is_drawn() {
    let model = board(Lang::En, false);
    for (width, height) in [(1, 1), (10, 3), (40, 8), (300, 90)] {
        drawn(&model, width, height);
    }
}
