//! Whether the server's certificate is to be believed, as OpenSSL judges it for libpq.
//!
//! Three habits of PostgreSQL's users go beyond webpki: the server's own certificate as the root
//! certificate, a host name in the common name alone, and certificates of X.509's first version, which is what
//! `openssl x509 -req` makes.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
    verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{
    CertificateDer, CertificateRevocationListDer, ServerName, SignatureVerificationAlgorithm,
    SubjectPublicKeyInfoDer, UnixTime,
};
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use x509_cert::der::asn1::{PrintableStringRef, TeletexStringRef, Utf8StringRef};
use x509_cert::der::oid::db::rfc4519::COMMON_NAME;
use x509_cert::der::{Decode, Encode, EncodeValue, Tagged};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::spki::AlgorithmIdentifierOwned;
use x509_cert::{Certificate, Version};

/// Whom to believe.
pub(super) struct Trust {
    pub(super) roots: Vec<CertificateDer<'static>>,
    pub(super) revoked: Vec<CertificateRevocationListDer<'static>>,
}

/// Judges certificates.
#[derive(Debug)]
pub(super) struct Verifier {
    algorithms: WebPkiSupportedAlgorithms,
    /// Who is believed; `None`: everybody.
    chain: Option<Chain>,
    /// Whether the certificate must be for the host.
    names: bool,
}

#[derive(Debug)]
struct Chain {
    roots: Vec<CertificateDer<'static>>,
    knows_revoked: bool,
    algorithms: WebPkiSupportedAlgorithms,
    verifier: Arc<WebPkiServerVerifier>,
}

impl Verifier {
    /// Prepares to judge; without trust every certificate is believed, but its key has to be the server's.
    pub(super) fn new(
        provider: &Arc<CryptoProvider>,
        trust: Option<Trust>,
        names: bool,
    ) -> Result<Self, String> {
        let algorithms = provider.signature_verification_algorithms;
        let chain = trust.map(|trust| Chain::new(provider, trust)).transpose()?;
        Ok(Self { algorithms, chain, names })
    }

    fn judge_name(
        &self,
        certificate: &CertificateDer<'_>,
        host: &ServerName<'_>,
    ) -> Result<ServerCertVerified, Error> {
        match self.names && !names(certificate, host) {
            true => Err(CertificateError::NotValidForNameContext {
                expected: host.to_owned(),
                presented: common_name(certificate).into_iter().collect(),
            }
            .into()),
            false => Ok(ServerCertVerified::assertion()),
        }
    }
}

impl Chain {
    fn new(provider: &Arc<CryptoProvider>, trust: Trust) -> Result<Self, String> {
        let knows_revoked = !trust.revoked.is_empty();
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(trust.roots.iter().cloned());
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(provider))
                .with_crls(trust.revoked)
                .allow_unknown_revocation_status()
                .build()
                .map_err(|error| format!("root certificate: {error}"))?;
        let algorithms = provider.signature_verification_algorithms;
        Ok(Self { roots: trust.roots, knows_revoked, algorithms, verifier })
    }

    /// Tells whether a certificate of X.509's first version, which has no extensions, was signed by one of
    /// the roots. Whether it was revoked cannot be told here, so that none is believed where that matters.
    fn issued_directly(&self, certificate: &CertificateDer<'_>) -> bool {
        let Some(certificate) = parsed(certificate) else { return false };
        let first = certificate.tbs_certificate.version == Version::V1 && !self.knows_revoked;
        let roots = self.roots.iter().filter(|_| first).filter_map(parsed);
        let subject = |root: &Certificate| root.tbs_certificate.subject.clone();
        let mut issuers = roots.filter(|root| subject(root) == certificate.tbs_certificate.issuer);
        issuers.any(|root| self.is_signed_by(&certificate, &root) == Some(true))
    }

    fn is_signed_by(&self, certificate: &Certificate, issuer: &Certificate) -> Option<bool> {
        let key = &issuer.tbs_certificate.subject_public_key_info;
        let message = certificate.tbs_certificate.to_der().ok()?;
        let (with, of) = (content(&certificate.signature_algorithm)?, content(&key.algorithm)?);
        let fits = |algorithm: &&&dyn SignatureVerificationAlgorithm| {
            *algorithm.signature_alg_id() == *with && *algorithm.public_key_alg_id() == *of
        };
        let algorithm = self.algorithms.all.iter().find(fits)?;
        let key = key.subject_public_key.as_bytes()?;
        Some(algorithm.verify_signature(key, &message, certificate.signature.as_bytes()?).is_ok())
    }
}

/// Returns what an algorithm's identifier holds, without the head of its sequence.
fn content(identifier: &AlgorithmIdentifierOwned) -> Option<Vec<u8>> {
    let whole = identifier.to_der().ok()?;
    let length = usize::try_from(identifier.value_len().ok()?).ok()?;
    whole.len().checked_sub(length).map(|head| whole[head..].to_vec())
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let believed = Ok(ServerCertVerified::assertion());
        let Some(chain) = &self.chain else { return believed };
        if chain.roots.contains(certificate) {
            in_time(certificate, now)?;
            return self.judge_name(certificate, host);
        }
        if chain.issued_directly(certificate) {
            in_time(certificate, now)?;
            return self.judge_name(certificate, host);
        }
        // The name is judged last (WebPkiServerVerifier), so that the chain is right when it is what is wrong.
        match chain.verifier.verify_server_cert(certificate, intermediates, host, ocsp, now) {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.names || names(certificate, host) => believed,
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        // A first version's certificate has a key like any other.
        match public_key(certificate) {
            Some(key) => verify_tls13_signature_with_raw_key(
                message,
                &SubjectPublicKeyInfoDer::from(key),
                signature,
                &self.algorithms,
            ),
            None => verify_tls13_signature(message, certificate, signature, &self.algorithms),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn parsed(certificate: &CertificateDer<'_>) -> Option<Certificate> {
    Certificate::from_der(certificate).ok()
}

fn public_key(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    parsed(certificate)?.tbs_certificate.subject_public_key_info.to_der().ok()
}

fn in_time(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let bad = || Error::InvalidCertificate(CertificateError::BadEncoding);
    let validity = parsed(certificate).ok_or_else(bad)?.tbs_certificate.validity;
    let seconds = |time: x509_cert::time::Time| time.to_unix_duration().as_secs();
    if now.as_secs() < seconds(validity.not_before) {
        return Err(CertificateError::NotValidYet.into());
    }
    match now.as_secs() > seconds(validity.not_after) {
        true => Err(CertificateError::Expired.into()),
        false => Ok(()),
    }
}

/// Tells whether a certificate names the host: among its alternative names, and where these hold no name
/// of a host, as its common name (`pq_verify_peer_name_matches_certificate()` in fe-secure-common.c).
fn names(certificate: &CertificateDer<'_>, host: &ServerName<'_>) -> bool {
    let webpki = rustls::server::ParsedCertificate::try_from(certificate);
    if webpki.is_ok_and(|c| rustls::client::verify_server_name(&c, host).is_ok()) {
        return true;
    }
    let alternatives = parsed(certificate).map(|c| c.tbs_certificate.get::<SubjectAltName>());
    match alternatives {
        Some(Ok(None)) => common_name(certificate).is_some_and(|name| is_for(&name, host)),
        Some(Ok(Some(_)) | Err(_)) | None => false,
    }
}

fn common_name(certificate: &CertificateDer<'_>) -> Option<String> {
    let subject = parsed(certificate)?.tbs_certificate.subject;
    let mut names = subject.0.iter().flat_map(|set| set.0.iter()).filter(|a| a.oid == COMMON_NAME);
    names.next_back().and_then(|name| text(&name.value))
}

fn text(value: &x509_cert::der::Any) -> Option<String> {
    use x509_cert::der::Tag;
    match value.tag() {
        Tag::Utf8String => value.decode_as::<Utf8StringRef<'_>>().ok().map(|t| t.to_string()),
        Tag::PrintableString => {
            value.decode_as::<PrintableStringRef<'_>>().ok().map(|t| t.to_string())
        }
        Tag::TeletexString => value.decode_as::<TeletexStringRef<'_>>().ok().map(|t| t.to_string()),
        _ => None,
    }
}

/// Compares a name; an asterisk stands for the first part of the host's.
fn is_for(name: &str, host: &ServerName<'_>) -> bool {
    if name.eq_ignore_ascii_case(&host.to_str()) {
        return true;
    }
    let is_name = matches!(host, ServerName::DnsName(_));
    let host = host.to_str();
    let rest = name.strip_prefix('*').filter(|_| is_name).filter(|rest| rest.starts_with('.'));
    let under = host.split_once('.').map(|(_, rest)| rest);
    rest.zip(under).is_some_and(|(rest, under)| rest[1..].eq_ignore_ascii_case(under))
}
