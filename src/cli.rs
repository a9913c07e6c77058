//! The command line: `auricle serve`, `demo`, `wall`, `call`, `config`, `user`, `secrets`,
//! `backup`, `restore`, `search`, `audit`, `openapi`.

mod audit;
mod backup;
mod call;
mod config;
mod openapi;
mod search;
mod secrets;
mod serve;
pub(crate) mod texts;
mod user;
mod wall;

pub(crate) use serve::Signals;

use auricle::config::{Config, ConfigError, Settings};
use auricle_domain::code::{Lang, Role};
use clap::{Parser, Subcommand};
use std::fmt;
use std::future::Future;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Exit status of a command that could not do its work.
const STATUS_FAILED: u8 = 1;
/// Exit status of a command that was called wrongly, or with a wrong configuration.
const STATUS_USAGE: u8 = 2;

#[derive(Debug, Parser)]
#[command(name = "auricle", version, about = texts::ABOUT, after_help = texts::AFTER, max_term_width = 110)]
#[command(arg_required_else_help = true)]
struct Arguments {
    /// Configuration file [default: /etc/auricle/auricle.toml where it exists]
    #[arg(long, global = true, env = "AURICLE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(about = texts::SERVE, after_help = texts::SERVE_AFTER)]
    Serve,
    #[command(about = texts::CALL, after_help = texts::CALL_AFTER)]
    Call(call::CallArguments),
    #[command(about = texts::WALL, after_help = texts::WALL_AFTER)]
    Wall(wall::WallArguments),
    #[command(about = texts::DEMO, after_help = texts::DEMO_AFTER)]
    Demo {
        /// End by itself after the three calls; exit status 0 only if all went right
        #[arg(long)]
        once: bool,
    },
    #[command(about = texts::CONFIG, after_help = texts::CONFIG_AFTER, subcommand)]
    Config(ConfigCommand),
    #[command(about = texts::USER, after_help = texts::USER_AFTER, subcommand)]
    User(UserCommand),
    #[command(about = texts::SECRETS, after_help = texts::SECRETS_AFTER, subcommand)]
    Secrets(secrets::SecretsCommand),
    #[command(about = texts::BACKUP, after_help = texts::BACKUP_AFTER, subcommand)]
    Backup(backup::BackupCommand),
    #[command(about = texts::RESTORE, after_help = texts::RESTORE_AFTER)]
    Restore(backup::RestoreArguments),
    #[command(about = texts::SEARCH, after_help = texts::SEARCH_AFTER, subcommand)]
    Search(search::SearchCommand),
    #[command(about = texts::AUDIT, after_help = texts::AUDIT_AFTER, subcommand)]
    Audit(audit::AuditCommand),
    #[command(about = texts::OPENAPI, after_help = texts::OPENAPI_AFTER)]
    Openapi,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Read everything and say what is wrong, with the allowed values
    Check,
    /// Show what is in force and where each value came from; secrets are blotted out
    Show,
    /// Print every setting with its default and explanation, to start a file from
    Default,
}

#[derive(Debug, Subcommand)]
enum UserCommand {
    /// Make an account; its one-time password is generated and shown once
    Add {
        /// Sign-in name
        email: String,
        /// Shown to colleagues [default: the part of the e-mail before the @]
        #[arg(long)]
        name: Option<String>,
        /// AGENT, SUPERVISOR or ADMIN
        #[arg(long, default_value_t = Role::Agent, value_parser = parse_role)]
        role: Role,
        /// Language of their screens: en, es or cs
        #[arg(long)]
        language: Option<Lang>,
    },
    /// List accounts
    List,
    /// Set a password: asked for twice without echo; generated and shown once where there is no terminal
    Passwd {
        /// Whose
        email: String,
        /// Generate a one-time password even at a terminal
        #[arg(long)]
        generate: bool,
    },
    /// Let an account sign in no more, and end its sessions
    Disable {
        /// Whose
        email: String,
    },
}

fn parse_role(text: &str) -> Result<Role, auricle_domain::code::UnknownCode> {
    text.to_ascii_uppercase().parse()
}

/// Why a command failed, in words for the person who typed it.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It was called wrongly, or the configuration is wrong.
    Usage(String),
    /// It could not do its work.
    Failed(String),
}

impl Failure {
    /// A failure with these words.
    pub(crate) fn failed(words: impl fmt::Display) -> Self {
        Self::Failed(words.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::failed(error)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Usage(format!("{}\n{error}", texts::CONFIG_WRONG))
    }
}

/// Runs the command that was typed.
pub(crate) fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut out = io::stdout();
    let outcome = run(arguments, &mut out).and_then(|()| Ok(out.flush()?));
    let (status, words) = match outcome {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Usage(words)) => (STATUS_USAGE, words),
        Err(Failure::Failed(words)) => (STATUS_FAILED, words),
    };
    // Nothing can be done about a standard error that is closed.
    let _told = writeln!(io::stderr(), "auricle: {words}");
    ExitCode::from(status)
}

fn run(arguments: Arguments, out: &mut dyn Write) -> Result<(), Failure> {
    let settings = || Settings::load(arguments.config.as_deref(), std::env::vars());
    let read = || -> Result<Config, Failure> { Ok(Config::from_settings(&settings()?)?) };
    match arguments.command {
        Command::Serve => serve::serve(read()?, out),
        Command::Call(arguments) => block_on(call::run(read()?, arguments, out)),
        Command::Wall(arguments) => block_on(wall::run(arguments)),
        Command::Demo { once } => block_on(crate::demo::run(once, out)),
        Command::Config(ConfigCommand::Check) => config::check(&settings()?, out),
        Command::Config(ConfigCommand::Show) => config::show(&settings()?, out),
        Command::Config(ConfigCommand::Default) => config::default(out),
        Command::User(command) => block_on(user::run(read()?, command, out)),
        Command::Secrets(command) => secrets::run(&read()?, command, out),
        Command::Backup(command) => block_on(backup::run(read()?, command, out)),
        Command::Restore(arguments) => backup::run_restore(arguments, out),
        Command::Search(command) => block_on(search::run(read()?, command, out)),
        Command::Audit(command) => audit::run(&read()?, command, out),
        Command::Openapi => openapi::print(out),
    }
}

/// Runs one piece of asynchronous work to its end.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}
