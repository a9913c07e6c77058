//! A certificate of our own for SIP over TLS, where none is configured: nobody vouches for it but itself, so that phones are told
//! to trust it, or not to ask.

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_RSA_SHA256, date_time_ymd};
use sha2::{Digest as _, Sha256};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

/// From when it is good: before any clock of ours, because a phone's clock may be wrong before it has registered.
const GOOD_FROM: (i32, u8, u8) = (2_020, 1, 1);
/// Until when: the last whole year that fits the dates that every phone reads (RFC 5280 section 4.1.2.5.1).
const GOOD_UNTIL: (i32, u8, u8) = (2_049, 12, 31);

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The folder is at fault.
    #[error("{path} cannot be written or read: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What is in the file is none; or none could be made.
    #[error("{path} has no certificate, or none could be made: {reason}")]
    Certificate {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// Where ours is kept: beside the store's folder and named like it.
pub fn path_beside(directory: &Path) -> PathBuf {
    let mut name = directory.file_name().unwrap_or_default().to_owned();
    name.push(".sip.pem");
    directory.with_file_name(name)
}

/// The certificate and its key in this file, made now where there is none, for these names and addresses. The file is the
/// owner's alone, and there whole or not at all. Gives back the certificate's fingerprint.
///
/// # Errors
/// When the file can be neither read nor made.
pub fn own(path: &Path, names: &[String]) -> Result<String, CertificateError> {
    let failed = |source| CertificateError::File { path: path.to_owned(), source };
    if !path.try_exists().map_err(failed)? {
        write(path, &made(path, names)?).map_err(failed)?;
    }
    let fault = |error: &dyn std::fmt::Display| CertificateError::Certificate {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let certificate = CertificateDer::from_pem_file(path).map_err(|error| fault(&error))?;
    Ok(fingerprint(&certificate))
}

fn made(path: &Path, names: &[String]) -> Result<String, CertificateError> {
    let fault =
        |error: rcgen::Error| CertificateError::Certificate { path: path.to_owned(), reason: error.to_string() };
    // RSA: phones of ten years ago know nothing else.
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).map_err(fault)?;
    let mut params = CertificateParams::new(names).map_err(fault)?;
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, "Auricle");
    params.distinguished_name = subject;
    let (from, until) = (GOOD_FROM, GOOD_UNTIL);
    params.not_before = date_time_ymd(from.0, from.1, from.2);
    params.not_after = date_time_ymd(until.0, until.1, until.2);
    let certificate = params.self_signed(&key).map_err(fault)?;
    Ok(format!("{}{}", certificate.pem(), key.serialize_pem()))
}

/// Another start may have made one in the meantime: the first one stays.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Made for the owner alone, as temporary files are.
    let mut draft = tempfile::NamedTempFile::new_in(folder)?;
    draft.write_all(text.as_bytes())?;
    draft.as_file().sync_all()?;
    match draft.persist_noclobber(path) {
        Ok(_) => std::fs::File::open(folder)?.sync_all(),
        Err(failed) if failed.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(failed) => Err(failed.error),
    }
}

/// SHA-256 of the certificate, in pairs of hex digits as phones show it.
fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let pairs: Vec<String> = Sha256::digest(certificate).iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    /// SEC-11
    #[test]
    fn a_certificate_is_made_once_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = path_beside(&folder.path().join("store"));
        assert_eq!(path, folder.path().join("store.sip.pem"));
        let names = ["192.0.2.1".to_owned(), "clinic.example".to_owned()];
        let first = own(&path, &names).unwrap();
        assert_eq!((first.len(), first.split(':').count()), (95, 32));
        let (mode, text) = (std::fs::metadata(&path).unwrap().permissions().mode(), std::fs::read(&path).unwrap());
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(own(&path, &[]).unwrap(), first, "it is kept");
        assert_eq!(std::fs::read(&path).unwrap(), text);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn a_damaged_file_is_told_and_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.sip.pem");
        std::fs::write(&path, "nonsense").unwrap();
        assert!(own(&path, &[]).unwrap_err().to_string().contains("store.sip.pem"));
        assert_eq!(std::fs::read(&path).unwrap(), b"nonsense");
    }
}
