//! `auricle openapi`.

use super::Failure;
use std::io::Write;

pub(super) fn print(out: &mut dyn Write) -> Result<(), Failure> {
    let document = auricle::http::openapi::document().to_pretty_json().map_err(Failure::failed)?;
    writeln!(out, "{document}")?;
    Ok(())
}
