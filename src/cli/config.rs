//! `auricle config`.

use super::{Failure, texts};
use auricle::config::{Config, DEFAULT_TOML, Settings};
use std::io::Write;

/// Everything has been read by now; checks the values.
pub(super) fn check(settings: &Settings, out: &mut dyn Write) -> Result<(), Failure> {
    Config::from_settings(settings)?;
    writeln!(out, "{}", texts::CONFIG_GOOD)?;
    Ok(())
}

pub(super) fn show(settings: &Settings, out: &mut dyn Write) -> Result<(), Failure> {
    write!(out, "{}", settings.render())?;
    Ok(())
}

pub(super) fn default(out: &mut dyn Write) -> Result<(), Failure> {
    write!(out, "{DEFAULT_TOML}")?;
    Ok(())
}
