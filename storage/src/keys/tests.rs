#![allow(clippy::unwrap_used)]
use super::*;
use std::os::unix::fs::PermissionsExt;

struct Clinic {
    folder: tempfile::TempDir,
}

impl Clinic {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    fn key_file(&self) -> PathBuf {
        self.folder.path().join("store.key")
    }

    fn open(&self) -> Result<Keys, StoreError> {
        files::create_directory(&self.store())?;
        Keys::open(&self.store(), &KeySource::File(self.key_file()), true)
    }

    fn make(&self) -> Keys {
        files::create_directory(&self.store()).unwrap();
        Keys::open(&self.store(), &KeySource::File(self.key_file()), false).unwrap()
    }
}

fn same(a: &Keys, b: &Keys) -> bool {
    a.data.as_bytes() == b.data.as_bytes() && a.generation == b.generation
}

/// B-17
#[test]
fn keys_are_made_once_and_for_the_owner_alone() {
    let clinic = Clinic::new();
    let made = clinic.make();
    assert!(same(&made, &clinic.open().unwrap()));
    for path in [clinic.key_file(), clinic.store().join(RING_FILE)] {
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
    }
    let ring = std::fs::read_to_string(clinic.store().join(RING_FILE)).unwrap();
    assert!(!ring.contains(&hex::encode(made.data.as_bytes())));
    assert_eq!(has_passphrase(&clinic.store()), Ok(Some(false)));
}

#[test]
fn a_key_that_was_provided_is_taken() {
    let clinic = Clinic::new();
    std::fs::write(clinic.key_file(), "ab".repeat(32)).unwrap();
    let made = clinic.make();
    assert_eq!(std::fs::read_to_string(clinic.key_file()).unwrap(), "ab".repeat(32));
    assert!(same(&made, &clinic.open().unwrap()));
}

#[test]
fn what_is_missing_or_wrong_is_said_with_the_way_back() {
    let clinic = Clinic::new();
    assert!(clinic.open().err().unwrap().to_string().contains("auricle restore"), "a store without keys");
    clinic.make();
    for (content, words) in [
        (None, "cannot be read"),
        (Some("cd".repeat(32)), "does not open the store"),
        (Some("cd".repeat(31)), "64 hexadecimal digits"),
        (Some("cd".repeat(200)), "it has 400 bytes"),
    ] {
        match content {
            Some(content) => std::fs::write(clinic.key_file(), content).unwrap(),
            None => std::fs::remove_file(clinic.key_file()).unwrap(),
        }
        let error = clinic.open().err().unwrap().to_string();
        assert!(error.contains(words) && error.contains(clinic.key_file().to_str().unwrap()), "{error}");
    }
    for damaged in ["", "{}", "{\"format\":1", "[]"] {
        std::fs::write(clinic.store().join(RING_FILE), damaged).unwrap();
        assert!(clinic.open().err().unwrap().to_string().contains("damaged"), "{damaged}");
    }
    let newer = "{\"format\":2,\"generation\":1,\"by_key\":[],\"by_passphrase\":null}";
    std::fs::write(clinic.store().join(RING_FILE), newer).unwrap();
    assert!(matches!(clinic.open(), Err(StoreError::Newer { found: 2, known: 1, .. })));
}

#[test]
fn the_passphrase_brings_a_lost_key_file_back() {
    let clinic = Clinic::new();
    let made = clinic.make();
    let passphrase = set_passphrase(&clinic.store(), &clinic.key_file()).unwrap();
    assert_eq!(has_passphrase(&clinic.store()), Ok(Some(true)));
    std::fs::remove_file(clinic.key_file()).unwrap();
    assert!(clinic.open().is_err());
    let other = Passphrase::generate().unwrap();
    assert!(recover_key_file(&clinic.store(), &clinic.key_file(), &other).is_err());
    assert!(!clinic.key_file().exists(), "a wrong passphrase changes nothing");
    let typed = Passphrase::parse(&passphrase.to_text().to_uppercase().replace('-', " ")).unwrap();
    recover_key_file(&clinic.store(), &clinic.key_file(), &typed).unwrap();
    assert!(same(&made, &clinic.open().unwrap()));
}

#[test]
fn rotation_changes_the_key_file_and_not_the_data_key() {
    let clinic = Clinic::new();
    let made = clinic.make();
    let before = std::fs::read(clinic.key_file()).unwrap();
    rotate_key_file(&clinic.store(), &clinic.key_file()).unwrap();
    assert!(same(&made, &clinic.open().unwrap()));
    let after = std::fs::read(clinic.key_file()).unwrap();
    assert_ne!(before, after);
    std::fs::write(clinic.key_file(), before).unwrap();
    assert!(clinic.open().is_err(), "the key of before opens nothing");
    std::fs::write(clinic.key_file(), after).unwrap();
    let first = set_passphrase(&clinic.store(), &clinic.key_file()).unwrap();
    set_passphrase(&clinic.store(), &clinic.key_file()).unwrap();
    assert!(recover_key_file(&clinic.store(), &clinic.key_file(), &first).is_err(), "the passphrase of before neither");
}

#[test]
fn a_rotation_that_was_cut_off_leaves_a_store_that_opens() {
    let clinic = Clinic::new();
    let made = clinic.make();
    let before = std::fs::read(clinic.key_file()).unwrap();
    // Cut off after the ring had both keys: the file may hold either.
    for _ in 0..3 {
        let mut ring = Ring::read(&clinic.store()).unwrap().unwrap();
        let machine = read_key_file(&clinic.store(), &clinic.key_file()).unwrap();
        ring.keep_last_key();
        assert!(ring.open_with_key(&machine).is_some());
        ring.add_key(&made.data, &fresh_machine_key().unwrap()).unwrap();
        ring.add_key(&made.data, &machine).unwrap();
        ring.write(&clinic.store()).unwrap();
    }
    assert!(same(&made, &clinic.open().unwrap()));
    assert_eq!(before, std::fs::read(clinic.key_file()).unwrap());
    rotate_key_file(&clinic.store(), &clinic.key_file()).unwrap();
    assert!(same(&made, &clinic.open().unwrap()));
}

#[test]
fn a_passphrase_is_read_as_people_write_it() {
    let passphrase = Passphrase::generate().unwrap();
    let text = passphrase.to_text();
    assert_eq!((text.len(), text.matches('-').count()), (29, 4));
    for written in
        [text.to_string(), text.to_uppercase(), format!(" {} ", text.replace('-', " ")), text.replace('0', "O")]
    {
        assert!(Passphrase::parse(&written).unwrap() == passphrase);
    }
    for wrong in ["", "abc", &text[1..], &format!("{}u", &text[..28]), &"é".repeat(25)] {
        assert!(Passphrase::parse(wrong).is_err(), "{wrong}");
    }
    assert_eq!(format!("{passphrase:?}"), "Passphrase(..)");
}
