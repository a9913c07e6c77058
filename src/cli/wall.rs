//! `auricle wall`.

use super::{Failure, texts};
use auricle::clock;
use auricle_domain::code::Lang;
use std::io::{Write, stdin, stdout};

#[derive(Debug, clap::Args)]
pub(super) struct WallArguments {
    /// Where Auricle is
    #[arg(long, env = "AURICLE_URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// Whose board; asked for where it is not given
    #[arg(long, env = "AURICLE_EMAIL")]
    email: Option<String>,
    /// Language of the board: en, es or cs [default: the account's own]
    #[arg(long)]
    language: Option<Lang>,
    /// Draw with plain ASCII, for terminals without line characters
    #[arg(long)]
    ascii: bool,
}

/// The password comes from `AURICLE_PASSWORD` or is asked for without echo: an argument would show in the list of processes.
pub(super) async fn run(arguments: WallArguments) -> Result<(), Failure> {
    let email = arguments.email.map_or_else(ask_email, Ok)?;
    let password = match std::env::var("AURICLE_PASSWORD") {
        Ok(password) => password,
        Err(_) => rpassword::prompt_password(texts::WALL_PASSWORD)?,
    };
    let (url, language, ascii) = (arguments.url, arguments.language, arguments.ascii);
    let options = auricle_tui::Options { url, email, password, language, ascii, clock: clock::system };
    auricle_tui::run(options).await.map_err(Failure::failed)
}

fn ask_email() -> Result<String, Failure> {
    // Not through the command's own writer: that one holds standard output, and the board takes it over.
    write!(stdout(), "{}", texts::WALL_EMAIL)?;
    stdout().flush()?;
    let mut email = String::new();
    stdin().read_line(&mut email)?;
    Ok(email.trim().to_owned())
}
