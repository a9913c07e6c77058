//! Every word of the command line, in one place. English, like every command line.

pub(crate) const ABOUT: &str = "\
Auricle answers a clinic's telephone: an AI receptionist that knows the clinic's own answers, books, takes messages and \
recognises emergencies. One program, one folder, no internet needed.";

pub(crate) const AFTER: &str = "\
Start here:
  auricle demo                        see three callers being helped, in a temporary folder
  auricle user add you@clinic.example --role admin
  auricle serve                       answer the telephone; then open http://127.0.0.1:8080
  auricle wall                        the same in a terminal
  auricle call sip:clinic@127.0.0.1 --say \"When are you open?\"

Each command explains itself: auricle help <command>.";

pub(crate) const SERVE: &str = "Answer the telephone and serve the web pages, until interrupted";
pub(crate) const SERVE_AFTER: &str = "\
Stops on Ctrl-C or SIGTERM: takes no new calls, lets those that are on end (at most two minutes), writes everything, ends.
A second signal ends at once; recordings and transcripts are kept up to that second.

Examples:
  auricle serve
  auricle serve --config /etc/auricle/auricle.toml
  AURICLE_SERVER_LISTEN=127.0.0.1:9000 AURICLE_STORAGE_DIRECTORY=./data auricle serve";

pub(crate) const DEMO: &str =
    "Run a sample clinic in a temporary folder and let three callers ring it over real SIP and RTP";
pub(crate) const DEMO_AFTER: &str = "\
Everything stays on this machine, on free ports of the loopback. Three synthetic callers ask for the opening hours, book an
appointment, and report chest pain; what was heard and said is printed. Then the clinic stays up: sign in with the printed
passwords, look at the calls, ring it yourself. Ctrl-C removes everything again.

Examples:
  auricle demo
  auricle demo --once      # for scripts: ends by itself, status 0 only if all three calls went right";

pub(crate) const CALL: &str = "Ring a telephone, say something, and print what came back and how fast";
pub(crate) const CALL_AFTER: &str = "\
Talks like a person: waits until the far end has finished, then says the next sentence. --say, --play and --dtmf are done
in the order given; without any, it listens to the greeting and hangs up. The exit status is 0 only if the call was
answered, everything was said, and something came back each time.

Examples:
  auricle call sip:clinic@127.0.0.1 --say \"When are you open on Saturday?\"
  auricle call sip:clinic@127.0.0.1 --codec pcma --voice rms --say \"I need an appointment\" --say \"Tuesday at ten\"
  auricle call sip:clinic@192.0.2.1:5060 --play question.wav --save call.wav --json
  auricle call sip:clinic@127.0.0.1 --dtmf 0";
pub(crate) const CALL_FAILED: &str = "the call did not go as it should: see the report";

pub(crate) const CONFIG: &str = "Check, show or explain the configuration";
pub(crate) const CONFIG_AFTER: &str = "\
Examples:
  auricle config default > auricle.toml        # every key with its explanation
  auricle config check --config auricle.toml
  AURICLE_SIP_CALLS_MAX=50 auricle config show # what is in force, and where each value came from";

pub(crate) const CONFIG_GOOD: &str = "The configuration is good.";
pub(crate) const CONFIG_WRONG: &str = "the configuration is not usable:";

pub(crate) const USER: &str = "Make, list and change accounts, directly in the store while the service is stopped";
pub(crate) const USER_AFTER: &str = "\
While the service runs, an administrator does the same in the browser under Accounts.

Examples:
  auricle user add ada@clinic.example --role admin --name \"Ada Byron\"
  auricle user list
  auricle user passwd ada@clinic.example
  auricle user disable ada@clinic.example";

pub(crate) const SECRETS: &str = "Make, change and bring back the keys that open the store";
pub(crate) const SECRETS_AFTER: &str = "\
Everything in the store is sealed under one data key. The key file (storage.key_file) opens it for the service; the recovery
passphrase opens it for you, when the key file or the whole machine is lost. Write the passphrase down: it is shown once.

Examples:
  auricle secrets generate            # once, after installing
  auricle secrets rotate              # a new key file, when somebody may have seen the old one
  auricle secrets rotate --passphrase # and a new passphrase
  auricle secrets recover             # the key file is lost: asks for the passphrase, makes a new key file";
pub(crate) const PASSPHRASE: &str = "Recovery passphrase: ";
pub(crate) const PASSPHRASE_ONCE: &str = "\
It is shown this once. Write it on paper and keep that away from this machine: without it no backup can be restored, and a
lost key file cannot be replaced. Nobody else has it.";
pub(crate) const PASSPHRASE_THERE: &str = "\
there is a recovery passphrase already. If it is lost, make a new one with `auricle secrets rotate --passphrase`; backups that
were made before still need the old one.";
pub(crate) const KEY_FILE_NEW: &str = "\
It is a new one: the old one opens nothing any more. A running service needs no restart.";
pub(crate) const KEY_FILE_BACK: &str = "The key file is back. Start the service: systemctl start auricle";

pub(crate) const BACKUP: &str = "Make, list and verify backups; each is one file";
pub(crate) const BACKUP_AFTER: &str = "\
A backup holds all records, recordings, documents and the configuration. It opens with the recovery passphrase alone, and counts
as good only when it has been restored beside itself and compared. It can be made while the service runs.

Examples:
  auricle backup create --to /media/usb
  auricle backup list --in /media/usb
  auricle backup verify /media/usb/auricle-20261125T030000Z.backup
  auricle restore /media/usb/auricle-20261125T030000Z.backup --into /var/lib/auricle";
pub(crate) const BACKUP_NOWHERE: &str = "where to? Name a folder with --to (or --in), or set backup.directory";
pub(crate) const BACKUP_GOOD: &str = "The backup is good: it was restored beside itself, and all of it was there.";
pub(crate) const BACKUP_LACKS: &str = "\
The store had lost something before the backup was made; an older backup may still have it. What is lost (the first 20 are shown):";
pub(crate) const BACKUP_ASKED: &str = "Auricle is running; it makes the backup itself.";
pub(crate) const BACKUP_UNANSWERED: &str = "\
the store is in use, and whoever uses it does not answer. Is that an Auricle that hangs, or an older one? Its log may say more.";
pub(crate) const BACKUP_WRITING: &str = "writing   ";
pub(crate) const BACKUP_VERIFYING: &str = "verifying ";
pub(crate) const BACKUP_NONE: &str = "There are no backups here. Make one: auricle backup create --to DIR";
pub(crate) const BACKUP_LAST: &str = "made and verified last";

pub(crate) const RESTORE: &str =
    "Make a store from a backup, in an empty folder; needs the file and the recovery passphrase only";
pub(crate) const RESTORE_AFTER: &str = "\
The whole backup is read and checked before anything is made; a wrong passphrase or a damaged file changes nothing. The passphrase
is asked for without echo, or read from standard input where there is no terminal. The search index is built again by itself.

Example:
  auricle restore /media/usb/auricle-20261125T030000Z.backup --into /var/lib/auricle";
pub(crate) const RESTORED: &str = "Restored. Everything that was in the backup is there.";
pub(crate) const RESTORED_LACKS: &str =
    "What the records say there is and the backup does not hold (the first 20 are shown):";
pub(crate) const RESTORED_NEXT: &str = "\
Look at the configuration, put it where it belongs, see that folder and key file belong to the user of the service, and start it.";

pub(crate) const SEARCH: &str = "Build the search index again";
pub(crate) const SEARCH_AFTER: &str = "\
The index is built from the records and can be thrown away at any time; a service that finds it damaged or missing builds it again
by itself. This does it by hand. While the service runs, it builds the new index beside the old one, which answers until then.

Example:
  auricle search rebuild";
pub(crate) const SEARCH_REBUILT: &str = "The search index was built again.";
pub(crate) const SEARCH_ASKED: &str = "Auricle is running; it builds the index itself, and goes on finding meanwhile.";
pub(crate) const SEARCH_UNANSWERED: &str = "\
the store is in use, and whoever uses it does not answer. Is that an Auricle that hangs, or an older one? Its log may say more.";

pub(crate) const AUDIT: &str = "Read and check the record of who did or read what";
pub(crate) const AUDIT_AFTER: &str = "\
Every write and every reading of a record is an entry, linked to the one before. `verify` names the first entry that was
changed or removed. An end that was cut off shows only against a head that you have kept elsewhere, so keep one:

  auricle audit head >> /media/usb/auricle-heads.txt
  auricle audit verify --head /media/usb/auricle-heads.txt
  auricle audit list --limit 50

These work while the service is stopped; while it runs, an administrator has the same under /api/audit.";
pub(crate) const AUDIT_EMPTY: &str = "Nothing has happened yet.";
pub(crate) const AUDIT_HOLDS: &str = "The chain holds";

pub(crate) const OPENAPI: &str = "Print the description of the HTTP API (OpenAPI 3.1, JSON)";
pub(crate) const OPENAPI_AFTER: &str = "\
Example:
  auricle openapi > openapi.json";

pub(crate) const STORE_IN_USE: &str = "\
the store is in use: Auricle is running. Use Accounts in the browser, or stop the service first (systemctl stop auricle).";

pub(crate) const NO_ADMINISTRATOR: &str = "\
Nobody can sign in yet. Stop this (Ctrl-C), make the first administrator, and start again:

  auricle user add you@clinic.example --role admin
";

pub(crate) const DRAINING: &str = "\
Stopping: no new calls; waiting for those that are on. Once more to end at once.";
pub(crate) const STOPPED: &str = "Stopped.";
pub(crate) const PASSWORD: &str = "New password: ";
pub(crate) const PASSWORD_AGAIN: &str = "Once more: ";
pub(crate) const PASSWORDS_DIFFER: &str = "the two passwords differ; nothing was changed";
pub(crate) const PASSWORD_SET: &str = "The password was changed; all sessions of the account have ended.";
pub(crate) const NO_ACCOUNTS: &str =
    "There are no accounts. Make the first: auricle user add you@clinic.example --role admin";
pub(crate) const DEMO_WELCOME: &str =
    "Lumen Skin Clinic is open. Everything about it is made up, and gone when this ends.";
pub(crate) const DEMO_STAYS: &str =
    "The clinic stays open: sign in, read the calls, ring it yourself. Ctrl-C closes it.";
pub(crate) const DEMO_INTERRUPTED: &str = "interrupted";
pub(crate) const DEMO_FAILED: &str = "not every call of the demo went right; see above";

pub(crate) const WALL: &str =
    "Show the wall board in this terminal: calls that are on, the last words said, the day's figures";
pub(crate) const WALL_AFTER: &str = "\
Signs in like a browser does; any account will do. q or Ctrl-C leaves.

Examples:
  auricle wall --email ada@clinic.example
  AURICLE_PASSWORD=... auricle wall --url https://desk.clinic.example --email wall@clinic.example --language cs";
pub(crate) const WALL_EMAIL: &str = "E-mail: ";
pub(crate) const WALL_PASSWORD: &str = "Password: ";
