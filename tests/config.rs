//! The configuration as a person meets it: the defaults file, and the command line's words.

use auricle::config::{Config, DEFAULT_TOML, Settings};
use std::process::{Command, Output};

fn auricle(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_auricle"));
    command.args(arguments).env_clear().envs(environment.iter().copied()).output().unwrap()
}

/// Every key stands under a comment that explains it, alone or together with the key above it.
#[test]
fn every_key_of_the_defaults_is_explained() {
    let mut explained = false;
    for line in DEFAULT_TOML.lines() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('[') {
            explained = false;
        } else if line.starts_with('#') {
            explained = true;
        } else {
            assert!(explained, "no comment stands above: {line}");
        }
    }
}

/// What is not set keeps the compiled-in value, and the file that `config default` prints is itself a good configuration.
#[test]
fn the_printed_defaults_are_a_good_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("auricle.toml");
    std::fs::write(&file, auricle(&["config", "default"], &[]).stdout).unwrap();
    let settings = Settings::load(Some(&file), []).unwrap();
    let config = Config::from_settings(&settings).unwrap();
    assert_eq!(config.file.as_ref(), Some(&file));
    assert_eq!(Config { file: None, ..config }, Config::defaults());
    assert!(auricle(&["config", "check", "--config", file.to_str().unwrap()], &[]).status.success());
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_known_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("auricle.toml");
    std::fs::write(&file, "[sip]\ncall_max = 7\n").unwrap();
    let output = auricle(&["serve", "--config", file.to_str().unwrap()], &[]);
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{words}");
    assert!(words.contains("auricle.toml: there is no key sip.call_max; did you mean sip.calls_max?"), "{words}");
}

#[test]
fn a_wrong_variable_is_told_with_what_is_allowed() {
    let output = auricle(&["config", "check"], &[("AURICLE_SIP_CALLS_MAX", "0"), ("AURICLE_LOG_LEVL", "info")]);
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(words.contains("AURICLE_LOG_LEVL: there is no such setting; did you mean AURICLE_LOG_LEVEL?"), "{words}");
    let output = auricle(&["config", "check"], &[("AURICLE_SIP_CALLS_MAX", "0")]);
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(words.contains("sip.calls_max is 0, allowed are 1 to 2000"), "{words}");
}

#[test]
fn what_is_in_force_is_shown_with_its_origin() {
    let output = auricle(&["config", "show"], &[("AURICLE_SIP_CALLS_MAX", "50")]);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains("calls_max = 50  # environment variable AURICLE_SIP_CALLS_MAX"), "{shown}");
    assert!(shown.contains("level = \"info\"  # default"), "{shown}");
}
