//! A certificate of our own for SIP over TLS, where none is configured: nobody vouches for it but itself, so that phones are told
//! to trust it, or not to ask. It is kept in the store, sealed, and comes back with it: phones that know it go on working.

use auricle_domain::Timestamp;
use auricle_domain::certificate::SipCertificate;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_RSA_SHA256, date_time_ymd};
use sha2::{Digest as _, Sha256};
use std::io;
use std::path::{Path, PathBuf};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

/// From when it is good: before any clock of ours, because a phone's clock may be wrong before it has registered.
const GOOD_FROM: (i32, u8, u8) = (2_020, 1, 1);
/// Until when: the last whole year that fits the dates that every phone reads (RFC 5280 section 4.1.2.5.1).
const GOOD_UNTIL: (i32, u8, u8) = (2_049, 12, 31);
/// Where a key begins.
const KEY: &str = "-----BEGIN PRIVATE KEY-----";
/// Longest file that is taken in, in bytes.
const FILE_BYTES_MAX: u64 = 32 << 10;

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The file of before is at fault.
    #[error("{path} cannot be read: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What is in the file of before is none.
    #[error("{path} has no certificate and key: {reason}")]
    Certificate {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// None could be made.
    #[error("no certificate can be made: {0}")]
    Made(String),
}

/// Where programs of before kept ours: beside the store's folder and named like it.
pub fn path_beside(directory: &Path) -> PathBuf {
    let mut name = directory.file_name().unwrap_or_default().to_owned();
    name.push(".sip.pem");
    directory.with_file_name(name)
}

/// The certificate that a program of before has kept in this file; none where there is none.
///
/// # Errors
/// When the file can not be read, or has something else in it.
pub fn taken_in(path: &Path, now: Timestamp) -> Result<Option<SipCertificate>, CertificateError> {
    let failed = |source| CertificateError::File { path: path.to_owned(), source };
    let text = match std::fs::metadata(path) {
        Ok(found) if found.len() > FILE_BYTES_MAX => Ok(String::new()),
        Ok(_) => std::fs::read_to_string(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => Err(error),
    };
    let text = text.map_err(failed)?;
    let fault = |reason: String| CertificateError::Certificate { path: path.to_owned(), reason };
    let (certificate, key) = text.split_at(text.find(KEY).ok_or_else(|| fault("there is no key".to_owned()))?);
    let fingerprint = fingerprint(certificate).map_err(fault)?;
    Ok(Some(SipCertificate { certificate: certificate.to_owned(), key: key.to_owned(), fingerprint, created_at: now }))
}

/// A new one for these names and addresses.
///
/// # Errors
/// When there is no randomness, or a name is none.
pub fn made(names: &[String], now: Timestamp) -> Result<SipCertificate, CertificateError> {
    let fault = |error: rcgen::Error| CertificateError::Made(error.to_string());
    // RSA: phones of ten years ago know nothing else.
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).map_err(fault)?;
    let mut params = CertificateParams::new(names).map_err(fault)?;
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, "Auricle");
    params.distinguished_name = subject;
    let (from, until) = (GOOD_FROM, GOOD_UNTIL);
    params.not_before = date_time_ymd(from.0, from.1, from.2);
    params.not_after = date_time_ymd(until.0, until.1, until.2);
    let certificate = params.self_signed(&key).map_err(fault)?.pem();
    let fingerprint = fingerprint(&certificate).map_err(CertificateError::Made)?;
    Ok(SipCertificate { certificate, key: key.serialize_pem(), fingerprint, created_at: now })
}

/// SHA-256 of the certificate, in pairs of hex digits as phones show it.
fn fingerprint(pem: &str) -> Result<String, String> {
    let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| error.to_string())?;
    let pairs: Vec<String> = Sha256::digest(&certificate).iter().map(|byte| format!("{byte:02X}")).collect();
    Ok(pairs.join(":"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// SEC-11
    #[test]
    fn what_was_kept_in_a_file_is_taken_in_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = path_beside(&folder.path().join("store"));
        assert_eq!(path, folder.path().join("store.sip.pem"));
        let now = Timestamp::UNIX_EPOCH;
        assert!(taken_in(&path, now).unwrap().is_none());
        let first = made(&["192.0.2.1".to_owned(), "clinic.example".to_owned()], now).unwrap();
        assert_eq!((first.fingerprint.len(), first.fingerprint.split(':').count()), (95, 32));
        std::fs::write(&path, format!("{}{}", first.certificate, first.key)).unwrap();
        assert_eq!(taken_in(&path, now).unwrap().unwrap(), first);
        assert_ne!(made(&[], now).unwrap().fingerprint, first.fingerprint);
        let printed = format!("{first:?}");
        assert!(printed.contains(&first.fingerprint) && !printed.contains("PRIVATE"), "{printed}");
    }

    #[test]
    fn a_damaged_file_is_told_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.sip.pem");
        for text in ["nonsense", KEY] {
            std::fs::write(&path, text).unwrap();
            assert!(taken_in(&path, Timestamp::UNIX_EPOCH).unwrap_err().to_string().contains("store.sip.pem"));
            assert_eq!(std::fs::read(&path).unwrap(), text.as_bytes());
        }
    }
}
