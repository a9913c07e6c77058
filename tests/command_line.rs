//! Keys, audit, search and backup as an administrator types them.

use auricle_storage::Passphrase;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn auricle(folder: &Path, arguments: &[&str], typed: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_auricle"))
        .args(arguments)
        .env("AURICLE_STORAGE_DIRECTORY", folder.join("clinic"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that reads nothing may be gone by now.
    let _closed = child.stdin.take().unwrap().write_all(typed.as_bytes());
    child.wait_with_output().unwrap()
}

/// What it printed; it must have worked.
fn done(folder: &Path, arguments: &[&str], typed: &str) -> String {
    let output = auricle(folder, arguments, typed);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What it said when it did not work.
fn refused(folder: &Path, arguments: &[&str], typed: &str) -> String {
    let output = auricle(folder, arguments, typed);
    assert!(!output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).unwrap()
}

fn passphrase_in(printed: &str) -> String {
    let line = printed.lines().find_map(|line| line.strip_prefix("Recovery passphrase")).unwrap();
    let text = line.trim().to_owned();
    Passphrase::parse(&text).unwrap();
    text
}

/// B-26, OBS-16: the night on which everything goes wrong, from the manual.
#[test]
fn an_administrator_gets_everything_back_at_night() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    let passphrase = passphrase_in(&done(home, &["secrets", "generate"], ""));
    assert!(refused(home, &["secrets", "generate"], "").contains("there is a recovery passphrase already"));
    done(home, &["user", "add", "ada@clinic.example", "--role", "admin"], "");
    let head = done(home, &["audit", "head"], "");
    std::fs::write(home.join("heads.txt"), &head).unwrap();
    assert!(done(home, &["audit", "list"], "").contains("account.changed"));
    let heads = home.join("heads.txt");
    assert!(done(home, &["audit", "verify", "--head", heads.to_str().unwrap()], "").contains("The chain holds"));
    assert!(done(home, &["search", "rebuild"], "").contains("was built again"));

    // The key file is lost.
    std::fs::remove_file(home.join("clinic.key")).unwrap();
    let words = refused(home, &["user", "list"], "");
    assert!(words.contains("clinic.key") && words.contains("auricle secrets recover"), "{words}");
    let other = Passphrase::generate().unwrap();
    assert!(refused(home, &["secrets", "recover"], &other.to_text()).contains("not the recovery passphrase"));
    done(home, &["secrets", "recover"], &format!("{}\n", passphrase.to_uppercase()));
    assert!(done(home, &["audit", "list"], "").contains("secrets.recovered"));
    assert!(done(home, &["user", "list"], "").contains("ada@clinic.example"));

    // A backup, and the machine is lost.
    let backups = home.join("backups");
    let made = done(home, &["backup", "create", "--to", backups.to_str().unwrap()], "");
    assert!(made.contains("The backup is good"), "{made}");
    let listed = done(home, &["backup", "list", "--in", backups.to_str().unwrap()], "");
    assert!(listed.contains("made and verified last"), "{listed}");
    assert!(listed.contains("audit head "), "{listed}");
    let file = listed.split_whitespace().next().unwrap();
    let beside = format!("{file}.heads.json");
    assert!(done(home, &["backup", "verify", file], &passphrase).contains("The backup is good"));
    let into = home.join("clinic");
    let taken = refused(home, &["restore", file, "--into", into.to_str().unwrap()], &passphrase);
    assert!(taken.contains("not empty"), "{taken}");
    std::fs::remove_dir_all(&into).unwrap();
    std::fs::remove_file(home.join("clinic.key")).unwrap();
    let wrong = refused(home, &["restore", file, "--into", into.to_str().unwrap()], &other.to_text());
    assert!(wrong.contains("not the recovery passphrase") && !into.exists(), "{wrong}");
    done(home, &["restore", file, "--into", into.to_str().unwrap()], &passphrase);
    assert!(done(home, &["user", "list"], "").contains("ada@clinic.example"));
    assert!(done(home, &["audit", "verify", "--head", heads.to_str().unwrap()], "").contains("The chain holds"));
    assert!(done(home, &["audit", "verify", "--head", &beside], "").contains("1 exported heads"));
    assert!(done(home, &["audit", "list"], "").contains("store.restored"));

    // Somebody may have seen both.
    let before = std::fs::read(home.join("clinic.key")).unwrap();
    let new = passphrase_in(&done(home, &["secrets", "rotate", "--passphrase"], ""));
    assert!(new != passphrase && before != std::fs::read(home.join("clinic.key")).unwrap());
    assert!(done(home, &["user", "list"], "").contains("ada@clinic.example"));
    assert!(done(home, &["audit", "list"], "").contains("secrets.rotated"));
    assert!(refused(home, &["backup", "create"], "").contains("backup.directory"));
}
