//! Making a backup.

use super::count::Missing;
use super::format::{BackupSummary, CONFIG_BYTES_MAX, FORMAT, Head, Kind, broken_off, write_entry, write_head};
use super::restore::{Verified, verify_with};
use super::stream::Sealing;
use crate::blobs::{BlobReader, Stored};
use crate::codec;
use crate::error::StoreError;
use crate::files;
use crate::key;
use crate::keys::Ring;
use crate::kv::{KeyRange, PAGE_ROWS_MAX, Snapshot};
use crate::migrate;
use crate::schema;
use crate::seal::{SealKey, random};
use crate::store::Store;
use auricle_domain::Timestamp;
use rustix::fs::statvfs;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// How hard zstd tries: records shrink to a third at a hundred megabytes a second.
const COMPRESSION: i32 = 3;
/// Bytes of a blob that are written at once.
const PIECE_BYTES: usize = 64 << 10;
/// How much more room than the store takes now there must be where a backup goes: the backup, and what verifying it takes.
const ROOM_FACTOR: u64 = 2;

/// How far a backup has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackupProgress {
    /// Rows written so far.
    pub rows: u64,
    /// Blobs written so far.
    pub blobs: u64,
    /// Their bytes.
    pub blob_bytes: u64,
    /// Everything is written, and is now being restored beside it to see whether it is good.
    pub verifying: bool,
}

/// A backup that was made and has been verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// The file.
    pub path: PathBuf,
    /// Its length, in bytes.
    pub bytes: u64,
    /// What it holds.
    pub summary: BackupSummary,
    /// What the records say there is and the store had lost before: everything else is in the backup.
    pub missing: Missing,
}

impl Store {
    /// Makes a backup in the folder `to`, which is made if need be, and verifies it by restoring it beside itself. `config` is the
    /// configuration file to keep with it. The file's name tells the time; it appears when the backup is good, and not before.
    ///
    /// A recording or a document that was lost or has rotted on the disk keeps nobody from a backup of the rest: it is told in
    /// [`Backup::missing`], and of a recording the part before the damage is kept. So are rows that others speak of and that are not
    /// found any more.
    ///
    /// # Errors
    /// [`StoreError::Keys`] without a recovery passphrase; [`StoreError::Damaged`] with the name of a record that could not be
    /// read: a backup that leaves one out is none, and the way back is the one before; otherwise when a disk fails or has no room.
    pub fn back_up(
        &self,
        to: &Path,
        config: Option<&Path>,
        now: Timestamp,
        mut progress: impl FnMut(BackupProgress),
    ) -> Result<Backup, StoreError> {
        files::create_directory(to)?;
        remove_leftovers(to)?;
        self.check_room(to)?;
        let ring = Ring::read(self.directory())?
            .ok_or_else(|| StoreError::Keys("a store in memory has no backup".to_owned()))?;
        let part = ring.passphrase_part()?.clone();
        let name = format!("auricle-{}.backup", now.strftime("%Y%m%dT%H%M%SZ"));
        let (path, draft) = (to.join(&name), to.join(format!("{name}.{}", files::DRAFT)));
        let mut out = BufWriter::new(files::create(&draft)?);
        let mut id = vec![0; 16];
        random(&mut id)?;
        let bound = write_head(
            &mut out,
            &Head { format: FORMAT, id: id.clone(), generation: self.keys().generation(), key: part },
        )?;
        let out = Sealing::new(out, self.backup_key(&id), bound);
        let failed = |error: std::io::Error| broken_off("writing", &error);
        let mut out = zstd::Encoder::new(out, COMPRESSION).map_err(failed)?;
        let mut done = BackupProgress::default();
        let summary = self.write_all(&mut out, config, now, &mut |step| {
            done = step;
            progress(step);
        })?;
        let out = out.finish().and_then(Sealing::finish).map_err(failed)?;
        let file = out.into_inner().map_err(|error| failed(error.into_error()))?;
        file.sync_all().map_err(failed)?;
        progress(BackupProgress { verifying: true, ..done });
        let Verified { summary: verified, missing } = verify_with(&draft, self.keys().data())?;
        if verified != summary {
            return Err(super::format::damaged("what was restored from it is not what went into it"));
        }
        std::fs::rename(&draft, &path).map_err(|error| StoreError::io("renaming a file", &path, &error))?;
        files::sync_directory(to)?;
        let bytes = std::fs::metadata(&path).map_err(|error| StoreError::io("measuring a file", &path, &error))?.len();
        Ok(Backup { path, bytes, summary, missing })
    }

    fn backup_key(&self, id: &[u8]) -> SealKey {
        super::restore::backup_key(self.keys().data(), id)
    }

    fn check_room(&self, to: &Path) -> Result<(), StoreError> {
        let needed = ROOM_FACTOR.saturating_mul(files::bytes_below(self.directory())?);
        let disk = statvfs(to).map_err(|error| StoreError::io("measuring the disk", to, &error.into()))?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if free < needed {
            return Err(StoreError::NoRoom { what: to.to_owned(), free_mib: free >> 20, needed_mib: needed >> 20 });
        }
        Ok(())
    }

    fn write_all(
        &self,
        out: &mut impl Write,
        config: Option<&Path>,
        now: Timestamp,
        progress: &mut dyn FnMut(BackupProgress),
    ) -> Result<BackupSummary, StoreError> {
        let mut done = BackupProgress::default();
        // A content is put before its record says that it is there, and removed after: what these rows name is there from
        // now on, also when it is removed before it is copied.
        let _hold = self.blobs().hold();
        let snapshot = self.long_snapshot()?;
        let mut summary = summary_of(&*snapshot, self.tenant().as_bytes())?;
        summary.made_at = Some(now);
        let mut range = KeyRange { start: Vec::new(), end: None };
        loop {
            let page = snapshot.range(&range, false, PAGE_ROWS_MAX)?;
            let Some((last, _)) = page.last() else { break };
            range.start = [last.as_slice(), &[0]].concat();
            for (key, value) in &page {
                write_entry(out, Kind::Row, key, value).map_err(|error| broken_off("writing", &error))?;
                *summary.rows.entry(schema::table_of(key)).or_default() += 1;
            }
            done.rows += page.len() as u64;
            progress(done);
        }
        drop(snapshot);
        self.write_blobs(out, &mut summary, &mut done, progress)?;
        if let Some(config) = config {
            let mut bytes = Vec::new();
            File::open(config)
                .and_then(|file| file.take(CONFIG_BYTES_MAX).read_to_end(&mut bytes))
                .map_err(|error| StoreError::io("reading the configuration", config, &error))?;
            write_entry(out, Kind::Config, &bytes, &[]).map_err(|error| broken_off("writing", &error))?;
        }
        let end = serde_json::to_vec(&summary)
            .map_err(|error| StoreError::Encoding { table: "backup", reason: error.to_string() })?;
        write_entry(out, Kind::End, &end, &[]).map_err(|error| broken_off("writing", &error))?;
        Ok(summary)
    }

    fn write_blobs(
        &self,
        out: &mut impl Write,
        summary: &mut BackupSummary,
        done: &mut BackupProgress,
        progress: &mut dyn FnMut(BackupProgress),
    ) -> Result<(), StoreError> {
        let failed = |error: std::io::Error| broken_off("writing", &error);
        for stored in self.blobs().stored()? {
            let mut reader = match self.blobs().open_stored(&stored).and_then(|reader| readable(&stored, reader)) {
                Ok(reader) => reader,
                // A recording that was refused and erased since it was listed.
                Err(error) if error.is_missing() => continue,
                // The record that names it will say so when what was written is verified.
                Err(error) => {
                    tracing::error!(%error, "a backup is made without it");
                    continue;
                }
            };
            write_entry(out, Kind::Blob, stored.folder.as_bytes(), stored.name.as_bytes()).map_err(failed)?;
            // One that grows is kept as far as it has come.
            let mut left = reader.len()?;
            let mut piece = vec![0; PIECE_BYTES];
            let mut is_whole = reader.is_finished();
            while left > 0 {
                let length = usize::try_from(left).unwrap_or(PIECE_BYTES).min(PIECE_BYTES);
                if let Err(error) = reader.read_exact(&mut piece[..length]) {
                    let error = broken_off("reading a recording", &error);
                    tracing::error!(%error, bytes_left = left, "a backup is made with what comes before");
                    summary.cut.add(format!("the end of the recording of call {} ({left} bytes)", stored.name));
                    is_whole = false;
                    break;
                }
                write_entry(out, Kind::Piece, &piece[..length], &[]).map_err(failed)?;
                left -= length as u64;
                summary.blob_bytes += length as u64;
                done.blob_bytes += length as u64;
            }
            write_entry(out, Kind::BlobEnd, &[u8::from(is_whole)], &[]).map_err(failed)?;
            summary.blobs += 1;
            done.blobs += 1;
            progress(*done);
        }
        Ok(())
    }
}

/// A blob that may be copied piece by piece: a recording as far as it goes, anything else only if all of it can be read, because a
/// part of a document would be taken for the whole.
fn readable(stored: &Stored, mut reader: BlobReader) -> Result<BlobReader, StoreError> {
    if !stored.is_recording() {
        std::io::copy(&mut reader, &mut std::io::sink())
            .and_then(|_| reader.rewind())
            .map_err(|error| broken_off("reading a document", &error))?;
        if !reader.is_finished() {
            return Err(reader.damaged("its end is missing"));
        }
    }
    Ok(reader)
}

/// Removes what backups that were cut off left in a folder that may hold other things, too.
fn remove_leftovers(to: &Path) -> Result<(), StoreError> {
    let failed = |error: &std::io::Error| StoreError::io("clearing a folder", to, error);
    for entry in std::fs::read_dir(to).map_err(|error| failed(&error))? {
        let entry = entry.map_err(|error| failed(&error))?;
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| name.starts_with("auricle-")) else { continue };
        if name.ends_with(".backup.draft") {
            files::remove(&entry.path())?;
        } else if name.ends_with(".backup.draft.verify") {
            std::fs::remove_dir_all(entry.path()).map_err(|error| failed(&error))?;
        }
    }
    Ok(())
}

/// What a snapshot says of itself; rows and blobs are counted as they go.
pub(super) fn summary_of(snapshot: &dyn Snapshot, tenant: &[u8; 16]) -> Result<BackupSummary, StoreError> {
    let head = snapshot.get(&key::encode(&(*tenant, schema::FEED_HEAD.id)))?;
    let audit = snapshot.get(&key::encode(&(*tenant, schema::AUDIT_HEAD.id)))?;
    Ok(BackupSummary {
        store_format: migrate::FORMAT,
        made_at: None,
        feed_head: head.map_or(Ok(0), |bytes| codec::decode(schema::FEED_HEAD, &bytes))?,
        audit_head: audit.map(|bytes| codec::decode(schema::AUDIT_HEAD, &bytes)).transpose()?,
        rows: BTreeMap::new(),
        blobs: 0,
        blob_bytes: 0,
        cut: Missing::default(),
    })
}
