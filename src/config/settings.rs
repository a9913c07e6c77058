//! The layers of configuration: defaults, file, environment; which keys exist, and where each value came from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// The compiled-in defaults, with the explanation of every key.
pub const DEFAULT_TOML: &str = include_str!("../../config/default.toml");

/// The file that is read when it exists and no other is named.
pub const SYSTEM_FILE: &str = "/etc/auricle/auricle.toml";

/// A configuration file larger than this is not one.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// Variables that belong to single commands and are no configuration keys.
const COMMAND_VARIABLES: &[&str] = &["AURICLE_CONFIG", "AURICLE_URL", "AURICLE_EMAIL", "AURICLE_PASSWORD"];

/// Left in a file by a template: somebody forgot to fill it in.
const PLACEHOLDER: &str = "CHANGE_ME";

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Default,
    File(PathBuf),
    Variable(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Variable(name) => write!(f, "environment variable {name}"),
        }
    }
}

/// One thing that is wrong with the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// File, or variable.
    pub place: String,
    /// What is wrong: key, value, what is allowed.
    pub text: String,
}

/// Everything that is wrong with the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// At least one.
    pub problems: Vec<Problem>,
}

impl ConfigError {
    fn one(place: impl fmt::Display, text: String) -> Self {
        Self { problems: vec![Problem { place: place.to_string(), text }] }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let line_end = if index + 1 < self.problems.len() { "\n" } else { "" };
            write!(f, "{}: {}{line_end}", problem.place, problem.text)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// Every key with its value and where that came from. Keys are `section.key`.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub(super) values: BTreeMap<String, (Value, Origin)>,
    /// The file that was laid over the defaults, if any.
    pub(super) file: Option<PathBuf>,
}

impl Settings {
    /// The compiled-in defaults alone.
    pub fn defaults() -> Self {
        let table: Table = DEFAULT_TOML.parse().expect("config/default.toml is TOML; tests/config.rs reads it");
        let values = flatten(&table).into_iter().map(|(key, value)| (key, (value, Origin::Default)));
        Self { values: values.collect(), file: None }
    }

    /// Lays `file` (or [`SYSTEM_FILE`] where that exists) and the environment over the defaults.
    ///
    /// # Errors
    /// An unreadable file, unknown keys (with the nearest known one), values of the wrong type, forgotten placeholders.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut settings = Self::defaults();
        let mut problems = Vec::new();
        let system = Path::new(SYSTEM_FILE);
        if let Some(path) = file.or_else(|| system.exists().then_some(system)) {
            let text = read(path)?;
            settings.lay_file(path, &text, &mut problems)?;
            settings.file = Some(path.to_owned());
        }
        settings.lay_environment(environment, &mut problems);
        if problems.is_empty() { Ok(settings) } else { Err(ConfigError { problems }) }
    }

    /// Lays the text of a file over what there is; for tests and for `load`.
    fn lay_file(&mut self, path: &Path, text: &str, problems: &mut Vec<Problem>) -> Result<(), ConfigError> {
        let table: Table = text.parse().map_err(|error: toml::de::Error| {
            let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            ConfigError::one(path.display(), format!("line {line}: {}", error.message()))
        })?;
        for (key, value) in flatten(&table) {
            self.set(key, value, Origin::File(path.to_owned()), problems);
        }
        Ok(())
    }

    fn lay_environment(
        &mut self,
        environment: impl IntoIterator<Item = (String, String)>,
        problems: &mut Vec<Problem>,
    ) {
        let by_variable: BTreeMap<String, String> =
            self.values.keys().map(|key| (variable(key), key.clone())).collect();
        for (name, text) in environment {
            if !name.starts_with("AURICLE_") || COMMAND_VARIABLES.contains(&name.as_str()) {
                continue;
            }
            let origin = Origin::Variable(name.clone());
            let Some(key) = by_variable.get(&name) else {
                let known = by_variable.keys().map(String::as_str);
                problems.push(Problem {
                    place: origin.to_string(),
                    text: format!("there is no such setting{}", nearest(&name, known)),
                });
                continue;
            };
            match typed(&self.values[key].0, &text) {
                Ok(value) => self.set(key.clone(), value, origin, problems),
                Err(wanted) => {
                    let text = format!("{key} is {text:?}, it must be {wanted}");
                    problems.push(Problem { place: origin.to_string(), text });
                }
            }
        }
    }

    fn set(&mut self, key: String, value: Value, origin: Origin, problems: &mut Vec<Problem>) {
        let mut wrong = |text: String| problems.push(Problem { place: origin.to_string(), text });
        let Some((known, _)) = self.values.get(&key) else {
            return wrong(format!("there is no key {key}{}", nearest(&key, self.values.keys().map(String::as_str))));
        };
        if known.type_str() != value.type_str() {
            return wrong(format!("{key} is {value} ({}), it must be of type {}", value.type_str(), known.type_str()));
        }
        if value.to_string().contains(PLACEHOLDER) {
            return wrong(format!("{key} still says {PLACEHOLDER}: fill it in or remove the line"));
        }
        self.values.insert(key, (value, origin));
    }

    /// What is in force, as TOML with the origin of each value; credentials within addresses are blotted out.
    pub fn render(&self) -> String {
        let mut text = String::new();
        let mut section = "";
        for (key, (value, origin)) in &self.values {
            let (head, name) = key.split_once('.').unwrap_or(("", key));
            if head != section {
                let gap = if section.is_empty() { "" } else { "\n" };
                text.push_str(&format!("{gap}[{head}]\n"));
                section = head;
            }
            text.push_str(&format!("{name} = {}  # {origin}\n", redacted(value)));
        }
        text
    }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    let fail = |reason: String| ConfigError::one(path.display(), format!("cannot be read: {reason}"));
    let length = std::fs::metadata(path).map_err(|error| fail(error.to_string()))?.len();
    if length > FILE_BYTES_MAX {
        return Err(fail(format!("it has {length} bytes, allowed are {FILE_BYTES_MAX}")));
    }
    std::fs::read_to_string(path).map_err(|error| fail(error.to_string()))
}

/// `section.key` for every value; a value outside of a section keeps its bare name, which no key has.
fn flatten(table: &Table) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for (section, value) in table {
        match value {
            Value::Table(keys) if keys.is_empty() => all.push((section.clone(), value.clone())),
            Value::Table(keys) => {
                all.extend(keys.iter().map(|(key, value)| (format!("{section}.{key}"), value.clone())))
            }
            other => all.push((section.clone(), other.clone())),
        }
    }
    all.retain(|(key, value)| !(value.is_table() && !key.contains('.') && is_section(key)));
    all
}

/// An empty section that exists is nothing wrong.
fn is_section(name: &str) -> bool {
    DEFAULT_TOML.lines().any(|line| line.trim() == format!("[{name}]"))
}

fn variable(key: &str) -> String {
    format!("AURICLE_{}", key.replace('.', "_").to_ascii_uppercase())
}

/// `text` as the same type as `like`, or what it must be.
fn typed(like: &Value, text: &str) -> Result<Value, &'static str> {
    match like {
        Value::Integer(_) => text.trim().parse().map(Value::Integer).map_err(|_| "a whole number"),
        Value::Boolean(_) => text.trim().parse().map(Value::Boolean).map_err(|_| "true or false"),
        Value::Array(_) => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Ok(Value::Array(items.map(|item| Value::String(item.to_owned())).collect()))
        }
        _ => Ok(Value::String(text.to_owned())),
    }
}

/// `; did you mean X?` for the most similar known name, or nothing when none is similar.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let bare = |key: &str| key.rsplit_once('.').map_or(key.to_owned(), |(_, last)| last.to_owned());
    // Keys of several sections end alike: among those, the whole name decides.
    let likeness = |key: &str| {
        let whole = strsim::jaro_winkler(name, key);
        (whole.max(strsim::jaro_winkler(&bare(name), &bare(key)) - 0.05), whole)
    };
    known
        .map(|key| (likeness(key), key))
        .max_by(|(a, _), (b, _)| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)))
        .filter(|((likeness, _), _)| *likeness > 0.7)
        .map_or(String::new(), |(_, key)| format!("; did you mean {key}?"))
}

/// A value without the user and password that an address may carry.
fn redacted(value: &Value) -> Value {
    let Value::String(text) = value else { return value.clone() };
    let Some((scheme, rest)) = text.split_once("://") else { return value.clone() };
    let authority = rest.split('/').next().unwrap_or_default();
    match authority.rsplit_once('@') {
        Some((credentials, _)) => Value::String(format!("{scheme}://***{}", &rest[credentials.len()..])),
        None => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn load(text: &str, environment: &[(&str, &str)]) -> Result<Settings, ConfigError> {
        let mut settings = Settings::defaults();
        let mut problems = Vec::new();
        settings.lay_file(Path::new("a.toml"), text, &mut problems)?;
        settings.lay_environment(environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())), &mut problems);
        if problems.is_empty() { Ok(settings) } else { Err(ConfigError { problems }) }
    }

    #[test]
    fn the_environment_wins_over_the_file_and_the_file_over_the_default() {
        let settings =
            load("[sip]\ncalls_max = 7\nlisten = \"127.0.0.1:5080\"", &[("AURICLE_SIP_CALLS_MAX", "9")]).unwrap();
        assert_eq!(settings.values["sip.calls_max"].0, Value::Integer(9));
        assert_eq!(settings.values["sip.listen"].0, Value::String("127.0.0.1:5080".into()));
        assert_eq!(settings.values["log.level"].1, Origin::Default);
    }

    #[test]
    fn an_unknown_key_names_the_nearest_known_one() {
        let error = load("[sip]\ncall_max = 7", &[]).unwrap_err().to_string();
        assert_eq!(error, "a.toml: there is no key sip.call_max; did you mean sip.calls_max?");
        let error = load("[sips]\nlisten = \"\"", &[]).unwrap_err().to_string();
        assert!(error.contains("did you mean sip.listen?"), "{error}");
        let error = load("", &[("AURICLE_SIP_LISTN", "x")]).unwrap_err().to_string();
        assert!(error.contains("did you mean AURICLE_SIP_LISTEN?"), "{error}");
        let error = load("zzzzqqqq = 1", &[]).unwrap_err().to_string();
        assert!(error.contains("there is no key zzzzqqqq"), "{error}");
    }

    #[test]
    fn every_problem_is_told_at_once() {
        let error = load("[sip]\ncall_max = 7\nlisten = 5060\n[llm]\nmodel = \"CHANGE_ME\"", &[]).unwrap_err();
        assert_eq!(error.problems.len(), 3, "{error}");
        assert!(error.to_string().contains("llm.model still says CHANGE_ME"), "{error}");
        assert!(error.to_string().contains("must be of type string"), "{error}");
    }

    #[test]
    fn broken_toml_names_the_line() {
        let error = load("[sip]\ncalls_max = = 7", &[]).unwrap_err().to_string();
        assert!(error.starts_with("a.toml: line 2: "), "{error}");
    }

    #[test]
    fn an_empty_section_is_fine_and_an_unknown_one_is_not() {
        assert!(load("[sip]\n[log]\n", &[]).is_ok());
        assert!(load("[spi]\n", &[]).is_err());
    }

    #[test]
    fn lists_come_from_the_environment_separated_by_commas() {
        let settings = load("", &[("AURICLE_SIP_ALLOW", "10.0.0.0/8, 192.0.2.1")]).unwrap();
        assert_eq!(settings.values["sip.allow"].0.as_array().unwrap().len(), 2);
    }

    #[test]
    fn what_is_shown_holds_no_credentials() {
        let shown = load("[llm]\nbase_url = \"https://clinic:p@ss@llm.example/v1\"", &[]).unwrap().render();
        assert!(shown.contains("https://***@llm.example/v1"), "{shown}");
        assert!(!shown.contains("p@ss") && !shown.contains("clinic:"), "{shown}");
    }
}
