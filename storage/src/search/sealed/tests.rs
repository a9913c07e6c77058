#![allow(clippy::unwrap_used)]
use super::*;
use crate::keys::Keys;
use proptest::prelude::*;
use tantivy::Directory;
use tantivy::directory::INDEX_WRITER_LOCK;

fn open(folder: &Path, keys: &Keys) -> SealedDirectory {
    SealedDirectory::open(folder, &SearchKey::new(keys.seal_key("search")), Damage::default()).unwrap()
}

fn write(directory: &SealedDirectory, name: &str, bytes: &[u8]) {
    let mut writer = directory.open_write(Path::new(name)).unwrap();
    writer.write_all(bytes).unwrap();
    writer.terminate().unwrap();
}

fn read(directory: &SealedDirectory, name: &str, range: Range<usize>) -> io::Result<Vec<u8>> {
    let handle = directory.get_file_handle(Path::new(name)).map_err(io::Error::other)?;
    handle.read_bytes(range).map(|bytes| bytes.as_slice().to_vec())
}

fn content(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 31 % 251) as u8).collect()
}

const LENGTHS: [usize; 7] = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES, 5 * CHUNK_BYTES + 7];

#[test]
fn files_come_back_as_they_were_written() {
    let (folder, keys) = (tempfile::tempdir().unwrap(), Keys::fresh().unwrap());
    for (n, len) in LENGTHS.into_iter().enumerate() {
        let directory = open(folder.path(), &keys);
        let name = format!("file{n}");
        assert!(!directory.exists(Path::new(&name)).unwrap());
        write(&directory, &name, &content(len));
        assert_eq!(directory.get_file_handle(Path::new(&name)).unwrap().len(), len);
        assert_eq!(read(&directory, &name, 0..len).unwrap(), content(len));
        assert_eq!(read(&open(folder.path(), &keys), &name, 0..len).unwrap(), content(len));
        assert!(matches!(directory.open_write(Path::new(&name)), Err(OpenWriteError::FileAlreadyExists(_))));
        assert!(read(&directory, &name, 0..len + 1).is_err());
        directory.delete(Path::new(&name)).unwrap();
        assert!(matches!(directory.get_file_handle(Path::new(&name)), Err(OpenReadError::FileDoesNotExist(_))));
    }
}

#[test]
fn small_files_are_replaced_at_once() {
    let (folder, keys) = (tempfile::tempdir().unwrap(), Keys::fresh().unwrap());
    let (directory, name) = (open(folder.path(), &keys), Path::new("meta.json"));
    assert!(matches!(directory.atomic_read(name), Err(OpenReadError::FileDoesNotExist(_))));
    for text in [b"first".as_slice(), b"second", b""] {
        directory.atomic_write(name, text).unwrap();
        assert_eq!(directory.atomic_read(name).unwrap(), text);
    }
    std::fs::copy(folder.path().join("meta.json"), folder.path().join("other.json")).unwrap();
    assert!(directory.atomic_read(Path::new("other.json")).is_err(), "a file under another name");
    assert!(open(folder.path(), &Keys::fresh().unwrap()).atomic_read(name).is_err(), "another key");
}

#[test]
fn a_directory_is_locked_once() {
    let (folder, keys) = (tempfile::tempdir().unwrap(), Keys::fresh().unwrap());
    let held = open(folder.path(), &keys).acquire_lock(&INDEX_WRITER_LOCK).unwrap();
    assert!(open(folder.path(), &keys).acquire_lock(&INDEX_WRITER_LOCK).is_err());
    drop(held);
    assert!(open(folder.path(), &keys).acquire_lock(&INDEX_WRITER_LOCK).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn any_stretch_is_that_of_the_plain_bytes(
        len in 1..4 * CHUNK_BYTES, stretches in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..20)
    ) {
        let (folder, keys) = (tempfile::tempdir().unwrap(), Keys::fresh().unwrap());
        let directory = open(folder.path(), &keys);
        write(&directory, "file", &content(len));
        for (a, b) in stretches {
            let (a, b) = (a.index(len + 1), b.index(len + 1));
            let range = a.min(b)..a.max(b);
            prop_assert_eq!(read(&directory, "file", range.clone()).unwrap(), content(len)[range].to_vec());
        }
    }
}

/// B-17: whatever is done to a file, it gives the bytes that were written or none.
#[test]
fn a_changed_file_gives_an_error_and_never_other_bytes() {
    let (folder, keys) = (tempfile::tempdir().unwrap(), Keys::fresh().unwrap());
    let plain = content(3 * CHUNK_BYTES + 50);
    write(&open(folder.path(), &keys), "file", &plain);
    write(&open(folder.path(), &keys), "twin", &plain);
    let path = folder.path().join("file");
    let (whole, twin) = (std::fs::read(&path).unwrap(), std::fs::read(folder.path().join("twin")).unwrap());
    let chunk =
        |number: usize| HEAD_BYTES + number * SEALED_CHUNK_BYTES..HEAD_BYTES + (number + 1) * SEALED_CHUNK_BYTES;
    let mut changes: Vec<Vec<u8>> = Vec::new();
    for at in (0..whole.len()).step_by(1_777).chain([0, 9, HEAD_BYTES, whole.len() - 1]) {
        let mut flipped = whole.clone();
        flipped[at] ^= 4;
        changes.push(flipped);
        changes.push(whole[..at].to_vec());
    }
    changes.push(whole[..HEAD_BYTES + SEALED_CHUNK_BYTES].to_vec());
    changes.push([whole.as_slice(), &[0]].concat());
    let mut swapped = whole.clone();
    swapped[chunk(0)].copy_from_slice(&whole[chunk(1)]);
    changes.push(swapped);
    let mut mixed = whole.clone();
    mixed[chunk(1)].copy_from_slice(&twin[chunk(1)]);
    changes.push(mixed);
    changes.push(twin);
    let mut zeroed = whole.clone();
    zeroed[HEAD_BYTES + 100..HEAD_BYTES + 4_196].fill(0);
    changes.push(zeroed);
    for changed in changes {
        std::fs::write(&path, &changed).unwrap();
        assert!(read(&open(folder.path(), &keys), "file", 0..plain.len()).is_err());
    }
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(read(&open(folder.path(), &keys), "file", 0..plain.len()).unwrap(), plain);
}

/// B-17: a file that was exchanged or cut off while its chunks are still open is refused like one that is read for the first time.
#[test]
fn chunks_that_are_open_do_not_vouch_for_a_file_that_was_changed_since() {
    let (folder, keys) = (tempfile::tempdir().unwrap(), Keys::fresh().unwrap());
    let (directory, len) = (open(folder.path(), &keys), 3 * CHUNK_BYTES);
    for name in ["file", "twin"] {
        write(&directory, name, &content(len));
    }
    assert_eq!(read(&directory, "file", 0..1).unwrap(), content(1));
    assert_eq!(read(&directory, "file", len - 1..len).unwrap().len(), 1);
    let path = folder.path().join("file");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(folder.path().join("twin"), &whole).unwrap();
    assert!(read(&directory, "twin", 0..1).is_err(), "another file's bytes");
    std::fs::write(&path, &whole[..HEAD_BYTES + SEALED_CHUNK_BYTES]).unwrap();
    assert!(read(&directory, "file", 0..1).is_err(), "cut off at the end of a chunk");
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(read(&directory, "file", 0..1).unwrap(), content(1));
}

#[test]
fn the_cache_keeps_within_its_bound() {
    let mut cache = Cache::new();
    for n in 0..200 {
        cache.put(([0; ID_BYTES], n, n + 1), OwnedBytes::new(vec![0u8; 1 << 20]));
        assert!(cache.bytes <= CACHE_BYTES_MAX);
    }
    assert!(cache.get(&([0; ID_BYTES], 199, 200)).is_some() && cache.get(&([0; ID_BYTES], 0, 1)).is_none());
    cache.put(([0; ID_BYTES], 199, 200), OwnedBytes::new(vec![0u8; 1]));
    assert_eq!(cache.bytes, cache.stretches.iter().map(|(_, bytes)| bytes.len()).sum::<usize>());
    cache.put(([1; ID_BYTES], 0, 1), OwnedBytes::new(vec![0u8; CACHE_BYTES_MAX]));
    assert!(cache.get(&([1; ID_BYTES], 0, 1)).is_none(), "too large to be kept");
}

/// B-17: a file that is cut off while it is open is damaged like any other, and ends nobody.
#[test]
fn a_file_that_is_cut_off_while_it_is_open_gives_an_error() {
    let (folder, keys) = (tempfile::tempdir().unwrap(), Keys::fresh().unwrap());
    let directory = open(folder.path(), &keys);
    write(&directory, "file", &content(5 * CHUNK_BYTES));
    let handle = directory.get_file_handle(Path::new("file")).unwrap();
    std::fs::OpenOptions::new().write(true).open(folder.path().join("file")).unwrap().set_len(100).unwrap();
    let error = handle.read_bytes(2 * CHUNK_BYTES..2 * CHUNK_BYTES + 10).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
}
