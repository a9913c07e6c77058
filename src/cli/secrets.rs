//! `auricle secrets`: the key file and the recovery passphrase.

use super::{Failure, block_on, texts, user};
use auricle::clock;
use auricle::config::Config;
use auricle::events::Events;
use auricle::secrets::{self, Change};
use auricle_storage::{Passphrase, StoreError, has_passphrase, recover_key_file, rotate_key_file, set_passphrase};
use clap::Subcommand;
use std::io::{BufRead, IsTerminal, Write};

#[derive(Debug, Subcommand)]
pub(super) enum SecretsCommand {
    /// Make the keys of a new store where there are none, and its recovery passphrase
    Generate,
    /// Replace the key file by a new one
    Rotate {
        /// Replace the recovery passphrase, too
        #[arg(long)]
        passphrase: bool,
    },
    /// Make a new key file with the recovery passphrase: asked for without echo, or read from standard input
    Recover,
}

/// Runs one of them.
pub(super) fn run(config: &Config, command: SecretsCommand, out: &mut dyn Write) -> Result<(), Failure> {
    let (directory, key_file) = (config.storage.directory.as_path(), config.storage.key_file());
    match command {
        SecretsCommand::Generate => {
            if has_passphrase(directory).map_err(Failure::failed)? == Some(true) {
                return Err(Failure::failed(texts::PASSPHRASE_THERE));
            }
            show(set_passphrase(directory, &key_file), out)?;
            writeln!(out, "Key file             {}", key_file.display())?;
        }
        SecretsCommand::Rotate { passphrase } => {
            rotate_key_file(directory, &key_file).map_err(Failure::failed)?;
            writeln!(out, "Key file             {}", key_file.display())?;
            writeln!(out, "{}", texts::KEY_FILE_NEW)?;
            let made = passphrase.then(|| set_passphrase(directory, &key_file));
            let changed = if matches!(made, Some(Ok(_))) { Change::KeyFileAndPassphrase } else { Change::KeyFile };
            // It is shown before anything else can fail: there is no second time.
            made.map_or(Ok(()), |made| show(made, out)).and(write_down(config, changed))?;
        }
        SecretsCommand::Recover => {
            recover_key_file(directory, &key_file, &ask_passphrase()?).map_err(Failure::failed)?;
            writeln!(out, "Key file             {}", key_file.display())?;
            writeln!(out, "{}", texts::KEY_FILE_BACK)?;
            write_down(config, Change::Recovered)?;
        }
    }
    Ok(())
}

/// Puts into the audit chain that the keys were changed; a service that has the store does so a few seconds later.
fn write_down(config: &Config, change: Change) -> Result<(), Failure> {
    let directory = config.storage.directory.as_path();
    secrets::note(directory, change, clock::system()).map_err(Failure::failed)?;
    match user::try_open(config) {
        Ok(store) => {
            let events = Events::new(store, clock::system);
            block_on(async { secrets::write_down(&events, directory).await.map_err(Failure::failed) }).map(|_| ())
        }
        Err(StoreError::InUse { .. }) => Ok(()),
        Err(error) => Err(user::cannot_open(config, error)),
    }
}

fn show(made: Result<Passphrase, StoreError>, out: &mut dyn Write) -> Result<(), Failure> {
    writeln!(out, "Recovery passphrase  {}", *made.map_err(Failure::failed)?.to_text())?;
    writeln!(out, "{}", texts::PASSPHRASE_ONCE)?;
    Ok(())
}

/// The passphrase as it is typed without echo, or the first line of standard input where there is no terminal.
pub(super) fn ask_passphrase() -> Result<Passphrase, Failure> {
    let typed = if std::io::stdin().is_terminal() {
        rpassword::prompt_password(texts::PASSPHRASE)?
    } else {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line)?;
        line
    };
    Passphrase::parse(&typed).map_err(Failure::failed)
}
