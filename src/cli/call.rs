//! `auricle call`: ring somebody, say something, print what came back.

use super::{Failure, texts};
use auricle::config::{Config, SttKind};
use auricle::providers::flite::Flite;
use auricle::providers::pocketsphinx::PocketSphinx;
use auricle::providers::{Stt, Vocabulary, wav};
use auricle::voice::caller::{self, Act, ActReport, CallReport, CallScript};
use auricle_domain::code::Lang;
use auricle_media::io::{Codec, LegEnd};
use clap::{ArgMatches, Args, Command, FromArgMatches};
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The longest file that is played, in bytes: ten minutes of 48 kHz stereo.
const FILE_BYTES_MAX: u64 = 128 << 20;

#[derive(Debug, Args)]
pub(super) struct CallArguments {
    /// Whom to call, such as sip:clinic@127.0.0.1:5060
    uri: String,
    #[command(flatten)]
    acts: Acts,
    /// Offer only this codec: opus, g722, pcma or pcmu [default: all but opus, g722 first]
    #[arg(long, value_parser = parse_codec)]
    codec: Option<Codec>,
    /// Flite voice that says the sentences: slt, rms, awb or kal16
    #[arg(long, default_value = "slt")]
    voice: String,
    /// The number we call from
    #[arg(long, value_name = "NUMBER", default_value = "auricle-call")]
    from: String,
    /// Seconds to wait for the answer, and for each reply to begin
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=600))]
    wait: u64,
    /// Milliseconds of silence after which the far end counts as finished
    #[arg(long, value_name = "MS", default_value_t = 700, value_parser = clap::value_parser!(u64).range(200..=10_000))]
    quiet: u64,
    /// Save both sides as a WAV file: far end left, we right
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Do not write down what the far end says
    #[arg(long)]
    deaf: bool,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// `--say`, `--play` and `--dtmf` in the order in which they were typed.
#[derive(Clone, Debug, Default)]
struct Acts(Vec<(&'static str, String)>);

/// Their names, placeholders and help.
const ACTS: [(&str, &str, &str); 3] = [
    ("say", "TEXT", "Say a sentence; may be given often, each is said when the far end has finished"),
    ("play", "FILE", "Play a WAV file (16-bit PCM) in place of a sentence"),
    ("dtmf", "KEYS", "Press keys: 0-9 * # A-D"),
];

impl Args for Acts {
    fn augment_args(command: Command) -> Command {
        ACTS.iter().fold(command, |command, (name, value, help)| {
            let argument = clap::Arg::new(*name).long(*name).value_name(*value).help(*help);
            command.arg(argument.action(clap::ArgAction::Append))
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Acts {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut typed: Vec<(usize, &'static str, String)> = Vec::new();
        for (name, _, _) in ACTS {
            let places = matches.indices_of(name).into_iter().flatten();
            let values = matches.get_many::<String>(name).into_iter().flatten();
            typed.extend(places.zip(values).map(|(place, value)| (place, name, value.clone())));
        }
        typed.sort_by_key(|(place, _, _)| *place);
        Ok(Self(typed.into_iter().map(|(_, name, value)| (name, value)).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Places the call and prints the report. Fails when the call did not do what it should.
pub(super) async fn run(config: Config, arguments: CallArguments, out: &mut dyn Write) -> Result<(), Failure> {
    let acts = read_acts(&arguments.acts)?;
    let script = CallScript {
        from: arguments.from,
        codecs: arguments.codec.map_or_else(|| vec![Codec::G722, Codec::Pcma, Codec::Pcmu], |codec| vec![codec]),
        acts: acts.clone(),
        tts: Some(Arc::new(Flite::new(config.speech.flite.clone(), arguments.voice))),
        language: Lang::En,
        stt: if arguments.deaf { None } else { recogniser(&config) },
        wait: Duration::from_secs(arguments.wait),
        quiet: Duration::from_millis(arguments.quiet),
        ..CallScript::to(arguments.uri)
    };
    let report = caller::place(script).await.map_err(Failure::failed)?;
    let saved = arguments.save.filter(|_| !report.audio.is_empty());
    if let Some(path) = &saved {
        std::fs::write(path, report.wav())
            .map_err(|error| Failure::failed(format_args!("{}: {error}", path.display())))?;
    }
    if arguments.json {
        writeln!(out, "{}", json(&report, &acts, saved.as_deref()))?;
    } else {
        print(&report, &acts, saved.as_deref(), out)?;
    }
    if report.worked(acts.len()) { Ok(()) } else { Err(Failure::Failed(texts::CALL_FAILED.to_owned())) }
}

fn read_acts(acts: &Acts) -> Result<Vec<Act>, Failure> {
    let read = |(name, value): &(&'static str, String)| match *name {
        "say" => Ok(Act::Say(value.clone())),
        "play" => read_file(Path::new(value)),
        _ if value.chars().all(|key| matches!(key, '0'..='9' | '*' | '#' | 'A'..='D')) => Ok(Act::Press(value.clone())),
        _ => Err(Failure::Usage(format!("--dtmf {value}: keys are 0-9, *, # and A-D"))),
    };
    acts.0.iter().map(read).collect()
}

fn read_file(path: &Path) -> Result<Act, Failure> {
    let wrong = |error: &dyn fmt::Display| Failure::Usage(format!("--play {}: {error}", path.display()));
    let bytes = std::fs::metadata(path).map_err(|error| wrong(&error))?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(wrong(&format_args!("{bytes} bytes, at most {FILE_BYTES_MAX} are played")));
    }
    let file = std::fs::read(path).map_err(|error| wrong(&error))?;
    let samples = wav::read_wideband(&file).map_err(|error| wrong(&error))?;
    Ok(Act::Play(samples.into()))
}

/// The recogniser of the configuration, with general English only: a test caller knows nothing of the clinic. Where it
/// is not installed, the call goes on without a transcript.
fn recogniser(config: &Config) -> Option<(Arc<dyn Stt>, Arc<Vocabulary>)> {
    if config.speech.stt != SttKind::Pocketsphinx {
        return None;
    }
    let words = Arc::new(Vocabulary::default());
    let (library, model) = (&config.speech.pocketsphinx_library, config.speech.pocketsphinx_model.clone());
    let sphinx = PocketSphinx::load(library, model, 1, &words).ok()?;
    Some((Arc::new(sphinx), words))
}

fn parse_codec(text: &str) -> Result<Codec, String> {
    match text.to_ascii_lowercase().as_str() {
        "opus" => Ok(Codec::Opus),
        "g722" => Ok(Codec::G722),
        "pcma" => Ok(Codec::Pcma),
        "pcmu" => Ok(Codec::Pcmu),
        _ => Err("expected opus, g722, pcma or pcmu".to_owned()),
    }
}

fn codec_name(codec: Codec) -> &'static str {
    match codec {
        Codec::Opus => "opus",
        Codec::G722 => "g722",
        Codec::Pcma => "pcma",
        Codec::Pcmu => "pcmu",
    }
}

fn act_words(act: &Act) -> String {
    match act {
        Act::Say(text) => format!("\"{text}\""),
        Act::Play(samples) => format!("{:.1} s of audio", samples.len() as f64 / 16_000.0),
        Act::Press(keys) => format!("keys {keys}"),
    }
}

fn cause_words(cause: Option<LegEnd>) -> String {
    match cause {
        Some(LegEnd::LocalHangup) => "we hung up".to_owned(),
        Some(LegEnd::RemoteHangup) => "they hung up".to_owned(),
        Some(LegEnd::Refused(status)) => format!("refused with {status}"),
        Some(LegEnd::NoMedia) => "no sound came for 30 s".to_owned(),
        Some(LegEnd::Timeout) => "nobody replied".to_owned(),
        other => other.map_or_else(|| "unknown".to_owned(), |cause| format!("{cause:?}").to_lowercase()),
    }
}

fn print(report: &CallReport, acts: &[Act], saved: Option<&Path>, out: &mut dyn Write) -> Result<(), Failure> {
    match (report.answered_ms, report.codec) {
        (Some(answered_ms), Some(codec)) => {
            write!(out, "Answered after {answered_ms} ms in {}", codec_name(codec))?;
            match report.greeting_ms {
                Some(ms) => writeln!(out, ", first word after {ms} ms more.")?,
                None => writeln!(out, ", and then nothing was heard.")?,
            }
        }
        _ => writeln!(out, "Not answered.")?,
    }
    for (index, act) in acts.iter().enumerate() {
        write!(out, "{}. {}: ", index + 1, act_words(act))?;
        match report.acts.get(index) {
            Some(ActReport { at_ms, length_ms, reply_ms: Some(reply_ms) }) => {
                let (at, length) = (*at_ms as f64 / 1000.0, *length_ms as f64 / 1000.0);
                writeln!(out, "at {at:.1} s for {length:.1} s, first word back after {reply_ms} ms")?;
            }
            Some(_) => writeln!(out, "no reply")?,
            None => writeln!(out, "not reached")?,
        }
    }
    for heard in &report.transcript {
        writeln!(out, "heard: {heard}")?;
    }
    let quality = &report.quality;
    writeln!(
        out,
        "Ended after {:.1} s ({}); {} packets received, {} lost ({:.1} %), jitter {:.1} ms.",
        report.duration_ms as f64 / 1000.0,
        cause_words(report.cause),
        quality.received,
        quality.lost,
        report.loss() * 100.0,
        quality.jitter_ms
    )?;
    if let Some(path) = saved {
        writeln!(out, "Saved to {} (far end left, we right).", path.display())?;
    }
    Ok(())
}

fn json(report: &CallReport, acts: &[Act], saved: Option<&Path>) -> serde_json::Value {
    let acts: Vec<serde_json::Value> = acts
        .iter()
        .enumerate()
        .map(|(index, act)| {
            let done = report.acts.get(index);
            serde_json::json!({
                "act": act_words(act),
                "at_ms": done.map(|done| done.at_ms),
                "length_ms": done.map(|done| done.length_ms),
                "reply_ms": done.and_then(|done| done.reply_ms),
            })
        })
        .collect();
    serde_json::json!({
        "worked": report.worked(acts.len()),
        "answered_ms": report.answered_ms,
        "greeting_ms": report.greeting_ms,
        "duration_ms": report.duration_ms,
        "codec": report.codec.map(codec_name),
        "acts": acts,
        "heard": report.transcript,
        "received": report.quality.received,
        "lost": report.quality.lost,
        "jitter_ms": report.quality.jitter_ms,
        "cause": cause_words(report.cause),
        "saved": saved,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn acts_keep_the_order_in_which_they_were_typed() {
        let command = Acts::augment_args(Command::new("call"));
        let typed = ["call", "--say", "hello", "--dtmf", "0", "--say", "a person, please", "--play", "x.wav"];
        let acts = Acts::from_arg_matches(&command.try_get_matches_from(typed).unwrap()).unwrap();
        let names: Vec<&str> = acts.0.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["say", "dtmf", "say", "play"]);
        assert_eq!(acts.0[2].1, "a person, please");
    }

    #[test]
    fn keys_that_no_telephone_has_are_refused() {
        let refused = read_acts(&Acts(vec![("dtmf", "12x".to_owned())]));
        assert!(matches!(refused, Err(Failure::Usage(words)) if words.contains("12x")));
        assert!(matches!(read_acts(&Acts(vec![("dtmf", "12*#D".to_owned())])), Ok(acts) if acts.len() == 1));
    }
}
