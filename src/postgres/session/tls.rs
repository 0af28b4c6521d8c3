//! Encryption of the agent's own connection, as libpq means `sslmode` (`initialize_SSL()` in
//! fe-secure-openssl.c, `PQconnectPoll()` in fe-connect.c).
//!
//! Nothing is read for a Unix socket, where libpq does not encrypt either.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use std::os::unix::fs::MetadataExt;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Error, config};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::verifier::{Trust, Verifier};
use crate::model::settings::{Settings, SslMode};
use crate::system::files;
use crate::system::identity::User;

const BYTES_MAX: u64 = 16 << 20;
/// Where libpq looks in the home directory.
const DIRECTORY: &str = ".postgresql";

/// One way to connect.
#[derive(Clone)]
pub(super) enum Way {
    /// Without encryption.
    Plain,
    /// With it; `Prefer`: unless the server has none.
    Encrypted(config::SslMode, MakeRustlsConnect),
    /// Encryption is not possible, for this reason.
    Impossible(String),
}

impl Way {
    pub(super) const fn is_plain(&self) -> bool {
        matches!(self, Self::Plain)
    }
}

/// Returns the ways to connect to a host, in the order in which they are tried. Call it as the owner.
pub(super) fn ways(settings: &Settings, owner: &User, host: &str) -> Vec<Way> {
    if host.starts_with('/') {
        return vec![Way::Plain];
    }
    let encrypted = |mode| match client(settings, owner) {
        Ok(client) => Way::Encrypted(mode, MakeRustlsConnect::new(client)),
        Err(why) => Way::Impossible(why),
    };
    match settings.monitor_sslmode {
        SslMode::Disable => vec![Way::Plain],
        SslMode::Allow => vec![Way::Plain, encrypted(config::SslMode::Require)],
        SslMode::Prefer => vec![encrypted(config::SslMode::Prefer), Way::Plain],
        SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => {
            vec![encrypted(config::SslMode::Require)]
        }
    }
}

/// Tells whether another way may do better: the server admits nobody who comes on this one (no line in
/// pg_hba.conf), or the two cannot agree on TLS.
pub(super) fn is_barred(error: &Error) -> bool {
    match error.as_db_error() {
        Some(said) => *said.code() == SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
        None => error.to_string().starts_with("error performing TLS handshake"),
    }
}

/// Prepares the client's side. A root certificate that is there is used in every mode, as by libpq.
fn client(settings: &Settings, owner: &User) -> Result<ClientConfig, String> {
    let directory = owner.home.join(DIRECTORY);
    let given = &settings.monitor_sslrootcert;
    let path = match given.is_empty() {
        true => directory.join("root.crt"),
        false => PathBuf::from(given),
    };
    let verifies = match settings.monitor_sslmode {
        SslMode::VerifyCa | SslMode::VerifyFull => true,
        SslMode::Disable | SslMode::Allow | SslMode::Prefer | SslMode::Require => false,
    };
    let provider = Arc::new(ring::default_provider());
    let trust = match read(&path)? {
        Some(pem) => {
            let revoked = read(&directory.join("root.crl"))?;
            Some(trust(&path, &pem, revoked.as_deref())?)
        }
        None if verifies => {
            return Err(format!(
                "root certificate file {} does not exist: provide it, or choose another monitor_sslmode",
                path.display()
            ));
        }
        None => None,
    };
    let names = settings.monitor_sslmode == SslMode::VerifyFull;
    let verifier = Verifier::new(&provider, trust, names)?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    match own_certificate(&directory)? {
        Some((chain, key)) => {
            builder.with_client_auth_cert(chain, key).map_err(|error| error.to_string())
        }
        None => Ok(builder.with_no_client_auth()),
    }
}

fn trust(path: &Path, pem: &str, revoked: Option<&str>) -> Result<Trust, String> {
    let roots: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|error| format!("{}: {error}", path.display()))?;
    if roots.is_empty() {
        return Err(format!("{} holds no certificate", path.display()));
    }
    let revoked =
        CertificateRevocationListDer::pem_slice_iter(revoked.unwrap_or_default().as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|error| format!("root.crl: {error}"))?;
    Ok(Trust { roots, revoked })
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// Reads the certificate by which the owner proves who he is, if he has one.
fn own_certificate(directory: &Path) -> Result<Option<Identity>, String> {
    let (certificate, key) = (directory.join("postgresql.crt"), directory.join("postgresql.key"));
    let Some(chain) = read(&certificate)? else { return Ok(None) };
    let failed = |path: &Path, why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
    let chain = CertificateDer::pem_slice_iter(chain.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|error| failed(&certificate, &error))?;
    let data = std::fs::metadata(&key).map_err(|error| failed(&key, &error))?;
    // Root's may be readable by a group.
    let forbidden = if data.uid() == 0 { 0o037 } else { 0o077 };
    if data.mode() & forbidden != 0 {
        return Err(failed(&key, &"others than its owner can read it"));
    }
    let text = read(&key)?.ok_or_else(|| failed(&key, &"it does not exist"))?;
    let key = PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|error| {
        failed(&key, &format!("{error} (a key with a password is not supported)"))
    })?;
    Ok(Some((chain, key)))
}

fn read(path: &Path) -> Result<Option<String>, String> {
    files::read(path, BYTES_MAX).map_err(|error| error.to_string())
}
