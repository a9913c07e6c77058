//! Who answers a turn: a model where there is one and it works, the local receptionist otherwise.

use super::model::{self, Note};
use super::session::now;
use super::session::{Before, Session, Spoken};
use auricle_domain::code::Lang;
use auricle_domain::dialog::{self, Expect};
use auricle_domain::{emergency, intent, numbers, when};
use auricle_media::turn::{self, ReplyId, TurnId};
use std::sync::Arc;

/// Below this the recogniser is unsure, so that a spotted emergency phrase is asked about.
const SURE: f32 = 0.5;

impl Session {
    /// The caller has finished a turn: whoever has the conversation answers it.
    pub(super) fn ask(&mut self, turn: TurnId, text: String, continues: bool) {
        let mut text = text;
        if let Some(before) = self.before.take()
            && continues
            && !self.wrote
        {
            self.epoch += 1;
            self.dialog = before.dialog;
            self.pending_tools.clear();
            text = format!("{} {text}", before.text);
        }
        self.wrote = false;
        self.answering = Some(turn);
        let unsure = self.confidence.take().is_some_and(|confidence| confidence < SURE);
        if std::mem::take(&mut self.spotted) && (unsure || !makes_sense(&text, self.language)) {
            return self.tell(dialog::Input::EmergencySuspected);
        }
        self.before = Some(Before { dialog: self.dialog.clone(), text: text.clone() });
        if self.uses_model(&text) {
            self.ask_model(text);
        } else {
            self.tell(dialog::Input::Heard(text));
        }
    }

    /// A model answers what is open; what is under way, and what must not depend on a model, stays local.
    pub(super) fn uses_model(&self, text: &str) -> bool {
        use intent::Intent::{MedicalAdvice, NoRecording};
        let local = matches!(intent::of(text, self.language), Some(MedicalAdvice | NoRecording));
        self.desk.llm.is_some()
            && !self.model_failed
            && self.dialog.is_open()
            && !local
            && emergency::detect(text, self.language).is_none()
    }

    pub(super) fn ask_model(&mut self, text: String) {
        let Some(llm) = self.desk.llm.clone() else { return };
        let reply = self.begin_reply(false);
        self.thinking = Some((reply, text));
        let now = (self.desk.clock)().to_zoned(self.zone.clone());
        let task = model::Task {
            llm: Arc::clone(&llm),
            desk: self.desk.clone(),
            scope: self.scope(),
            language: self.language,
            reply,
            system: model::system(&self.brief, self.dialog.services(), self.language, &now),
            messages: self.history.iter().cloned().collect(),
            services: self.dialog.services().to_vec(),
            ledger: self.dialog.ledger().clone(),
            number: self.brief.from.clone(),
            emergency: emergency::number(&self.brief.tenant.country),
            now,
            jobs: self.jobs.clone(),
        };
        let abort = Some(tokio::spawn(task.run()).abort_handle());
        self.replies.insert(reply, Spoken { engine: llm.name().to_owned(), abort, ..Spoken::default() });
        self.expect(Expect::Open);
    }

    pub(super) fn model(&mut self, reply: ReplyId, note: Note) {
        match note {
            Note::Tool { record, citations } => {
                let spoken = self.replies.entry(reply).or_default();
                spoken.tools.push(record);
                spoken.citations.extend(citations);
            }
            Note::Wrote(change) => {
                self.wrote = true;
                change.apply(self.dialog.ledger_mut());
            }
            Note::Outcome(outcome) => self.dialog.note_outcome(outcome),
            Note::EndCall => self.ending = true,
            Note::Failed => {
                self.model_failed = true;
                self.turns.handle(turn::Input::ReplyFailed { reply }, now());
            }
            Note::Done => {
                self.thinking = None;
                self.turns.handle(turn::Input::ReplyDone { reply }, now());
            }
        }
    }

    /// An answer did not come, or broke off: the local receptionist carries on in the same conversation.
    pub(super) fn carry_on(&mut self) {
        self.answering = None;
        if let Some((_, text)) = self.thinking.take() {
            self.model_failed = true;
            self.tell(dialog::Input::Heard(text));
        } else if !self.dialog.is_waiting() && self.dialog.is_listening() && !self.ending {
            self.tell(dialog::Input::Unclear);
        }
    }
}

/// Whether the words are a request, an answer or a question that the dialog can do something with.
fn makes_sense(text: &str, language: Lang) -> bool {
    let today = jiff::civil::Date::constant(2026, 1, 1);
    intent::of(text, language).is_some()
        || intent::yes_no(text, language).is_some()
        || intent::asks(text, language)
        || !when::parse(text, language, today).is_empty()
        || !numbers::digits(text, language).is_empty()
}
