//! Certificates for SIP over TLS: whom we believe, and who we are.

use auricle_domain::certificate::SipCertificate;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// What is named where the certificate of our own is at fault, in the place of a file.
const KEPT: &str = "the certificate in the store";

/// Where certificates are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// Our certificate; none: nobody can connect to us over TLS.
    pub own: Option<OwnCertificate>,
    /// SHA-256 of our certificate, where nobody vouches for it: what people compare with what a phone shows them.
    pub fingerprint: Option<String>,
    /// Authorities that are believed beside those of the system, as a PEM file.
    pub roots: Option<PathBuf>,
}

/// Our certificate chain and its key.
#[derive(Clone, PartialEq, Eq)]
pub enum OwnCertificate {
    /// As PEM files, the chain first.
    Files(PathBuf, PathBuf),
    /// As PEM text, from the store.
    Kept(Arc<SipCertificate>),
}

/// Without the key.
impl std::fmt::Debug for OwnCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Files(chain, _) => write!(f, "Files({})", chain.display()),
            Self::Kept(kept) => kept.fmt(f),
        }
    }
}

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{path} cannot be used: {reason}")]
pub struct TlsFault {
    /// Which file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

impl TlsFault {
    fn of(path: &Path, reason: &impl ToString) -> Self {
        Self { path: path.to_owned(), reason: reason.to_string() }
    }
}

/// Both sides of TLS.
pub(super) struct Tls {
    connector: TlsConnector,
    own: Option<Own>,
}

/// Our certificate.
enum Own {
    /// Read again whenever its file is another: a renewed one is used from the next connection on.
    Files { chain: PathBuf, key: PathBuf, loaded: Mutex<(Option<SystemTime>, TlsAcceptor)> },
    /// It stays what it is.
    Kept(TlsAcceptor),
}

impl Tls {
    pub(super) fn open(files: &TlsFiles) -> Result<Self, TlsFault> {
        let own = match &files.own {
            None => None,
            Some(OwnCertificate::Files(chain, key)) => {
                let loaded = Mutex::new((changed_at(chain), acceptor_of(chain, key)?));
                Some(Own::Files { chain: chain.clone(), key: key.clone(), loaded })
            }
            Some(OwnCertificate::Kept(kept)) => Some(Own::Kept(kept_acceptor(kept)?)),
        };
        Ok(Self { connector: connector(files.roots.as_deref())?, own })
    }

    pub(super) fn connector(&self) -> TlsConnector {
        self.connector.clone()
    }

    /// For one connection to us; none where we have no certificate.
    pub(super) fn acceptor(&self) -> Option<TlsAcceptor> {
        let (chain, key, loaded) = match self.own.as_ref()? {
            Own::Kept(acceptor) => return Some(acceptor.clone()),
            Own::Files { chain, key, loaded } => (chain, key, loaded),
        };
        let mut loaded = loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let now = changed_at(chain);
        if now.is_some() && now != loaded.0 {
            match acceptor_of(chain, key) {
                Ok(renewed) => {
                    tracing::info!(path = %chain.display(), "a new certificate is used for SIP");
                    *loaded = (now, renewed);
                }
                // Chain and key may be exchanged one after the other: the next connection tries again.
                Err(error) => tracing::warn!(%error, "a new certificate cannot be used; the one before is kept"),
            }
        }
        Some(loaded.1.clone())
    }
}

/// The name that a server's certificate must have; none for a text that can be none.
pub(super) fn server_name(name: &str) -> Option<ServerName<'static>> {
    ServerName::try_from(name.trim_start_matches('[').trim_end_matches(']').to_owned()).ok()
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn connector(extra: Option<&Path>) -> Result<TlsConnector, TlsFault> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(system.certs);
    if roots.is_empty() {
        tracing::info!(
            errors = system.errors.len(),
            "the system has no certificate authorities (package ca-certificates)"
        );
    }
    if let Some(path) = extra {
        for certificate in certificates(path)? {
            roots.add(certificate).map_err(|error| TlsFault::of(path, &error))?;
        }
    }
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| TlsFault::of(Path::new("TLS"), &error))?;
    Ok(TlsConnector::from(Arc::new(builder.with_root_certificates(roots).with_no_client_auth())))
}

fn acceptor_of(chain: &Path, key: &Path) -> Result<TlsAcceptor, TlsFault> {
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| TlsFault::of(key, &error))?;
    acceptor(chain, certificates(chain)?, secret)
}

fn kept_acceptor(kept: &SipCertificate) -> Result<TlsAcceptor, TlsFault> {
    let fault = |error: pem::Error| TlsFault::of(Path::new(KEPT), &error);
    let secret = PrivateKeyDer::from_pem_slice(kept.key.as_bytes()).map_err(fault)?;
    let chain = CertificateDer::from_pem_slice(kept.certificate.as_bytes()).map_err(fault)?;
    acceptor(Path::new(KEPT), vec![chain], secret)
}

/// `from` is where it comes from, for whoever has to put it right.
fn acceptor(
    from: &Path,
    chain: Vec<CertificateDer<'static>>,
    secret: PrivateKeyDer<'static>,
) -> Result<TlsAcceptor, TlsFault> {
    let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| TlsFault::of(Path::new("TLS"), &error))?;
    let config = builder.with_no_client_auth().with_single_cert(chain, secret);
    Ok(TlsAcceptor::from(Arc::new(config.map_err(|error| TlsFault::of(from, &error))?)))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsFault> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(found) if found.is_empty() => Err(TlsFault::of(path, &"it has no certificate in PEM form")),
        Ok(found) => Ok(found),
        Err(error) => Err(TlsFault::of(path, &error)),
    }
}

fn changed_at(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|found| found.modified()).ok()
}

/// Whether a handshake failed for the server's certificate: expired, for another name, of an authority that is not believed.
pub(super) fn is_certificate_fault(error: &io::Error) -> bool {
    use tokio_rustls::rustls::Error;
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    matches!(inner, Some(Error::InvalidCertificate(_) | Error::NoCertificatesPresented))
}
