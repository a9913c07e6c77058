//! The board's words in three languages, from `messages/*.json`.

use auricle_domain::code::Lang;
use std::collections::BTreeMap;
use std::sync::LazyLock;

type Catalogue = BTreeMap<String, String>;

macro_rules! texts {
    ($($variant:ident = $key:literal),+ $(,)?) => {
        /// A text of the board.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub enum Text { $($variant),+ }

        impl Text {
            /// Every text.
            pub const ALL: &'static [Text] = &[$(Text::$variant),+];

            fn key(self) -> &'static str {
                match self { $(Self::$variant => $key),+ }
            }
        }
    };
}

texts! {
    Today = "today",
    Calls = "calls",
    Answered = "answered",
    Emergencies = "emergencies",
    OnNow = "on_now",
    Questions = "questions",
    Booked = "booked",
    Messages = "messages",
    LiveCalls = "live_calls",
    NoCalls = "no_calls",
    Withheld = "withheld",
    Receptionist = "receptionist",
    Caller = "caller",
    Staff = "staff",
    Ringing = "ringing",
    Voicemail = "voicemail",
    OnHold = "on_hold",
    OtherUnheard = "other_unheard",
    ClinicUnheard = "clinic_unheard",
    Emergency = "emergency",
    DataAge = "data_age",
    Disconnected = "disconnected",
    More = "more",
    Help = "help",
    HelpClose = "help_close",
    KeyQuit = "key_quit",
    KeyUp = "key_up",
    KeyDown = "key_down",
    KeyRefresh = "key_refresh",
    KeyHelp = "key_help",
    Weekdays = "weekdays",
}

/// A catalogue that does not parse is empty; the test below keeps that from being shipped, and keys show instead.
fn parse(json: &str) -> Catalogue {
    serde_json::from_str(json).unwrap_or_default()
}

static EN: LazyLock<Catalogue> = LazyLock::new(|| parse(include_str!("../messages/en.json")));
static ES: LazyLock<Catalogue> = LazyLock::new(|| parse(include_str!("../messages/es.json")));
static CS: LazyLock<Catalogue> = LazyLock::new(|| parse(include_str!("../messages/cs.json")));

fn catalogue(language: Lang) -> &'static Catalogue {
    match language {
        Lang::En => &EN,
        Lang::Es => &ES,
        Lang::Cs => &CS,
    }
}

/// The text in a language; its key where it is missing.
pub fn text(language: Lang, text: Text) -> &'static str {
    catalogue(language).get(text.key()).map_or(text.key(), String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// I18N-01, I18N-02, I18N-03, I18N-06: every language has every text and no other.
    #[test]
    fn every_language_is_complete() {
        for language in Lang::ALL {
            let keys: Vec<&str> = catalogue(*language).keys().map(String::as_str).collect();
            let mut expected: Vec<&str> = Text::ALL.iter().map(|text| text.key()).collect();
            expected.sort_unstable();
            assert_eq!(keys, expected, "{language}");
            assert_eq!(text(*language, Text::Weekdays).split(' ').count(), 7, "{language}");
        }
    }
}
