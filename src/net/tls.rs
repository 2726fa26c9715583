//! TLS of this program: whom it believes when it dials, and by what it is believed when it is dialled.
//!
//! All of it is rustls on *ring*. One provider for the whole binary is chosen
//! here, because libraries that ask rustls for "the" provider (the tunnel's
//! does) panic where there are none or two. Certificates are always checked:
//! there is no way to switch that off. A private authority is added to those
//! the system trusts, or named by `SSL_CERT_FILE`, as for other programs.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// The one provider of this program's cryptography, also made the process's default.
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
        let ours = rustls::crypto::ring::default_provider();
        // Somebody was first, in a test: theirs is as good.
        let _ = ours.install_default();
        Arc::clone(CryptoProvider::get_default().expect("a default was just installed"))
    });
    Arc::clone(&PROVIDER)
}

/// Whose word this program takes for who answers at a name.
#[derive(Clone, Debug)]
pub struct Trust(Arc<ClientConfig>);

impl Trust {
    /// The authorities this system trusts; read once.
    pub fn system() -> Self {
        static SYSTEM: LazyLock<Trust> = LazyLock::new(|| {
            let found = rustls_native_certs::load_native_certs();
            for error in &found.errors {
                tracing::warn!(%error, "some of the system's certificate authorities are left out");
            }
            Trust::of(found.certs)
        });
        SYSTEM.clone()
    }

    /// Only these authorities.
    pub fn of(authorities: impl IntoIterator<Item = CertificateDer<'static>>) -> Self {
        let mut roots = RootCertStore::empty();
        // A system's folder holds certificates that are no authorities; those are skipped.
        roots.add_parsable_certificates(authorities);
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("ring speaks TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self(Arc::new(config))
    }

    /// As rustls takes it.
    pub fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.0)
    }
}

/// Why a certificate cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file does not read as PEM.
    #[error(
        "{file} cannot be read as {what} ({why}). Give the PEM files your authority handed out."
    )]
    Unreadable {
        /// Which file.
        file: String,
        /// What it should be.
        what: &'static str,
        /// Why it is not.
        why: String,
    },
    /// The two files do not belong together, or the key is of a kind that is not supported.
    #[error(
        "The certificate and its key cannot be used together ({0}). Check that both files are of the same renewal."
    )]
    Unusable(String),
}

/// What a server needs to be believed: its certificates and their key, read from PEM files.
///
/// # Errors
/// [`CertificateError`]; the key's bytes are in none of its sentences.
pub fn serving(chain: &Path, key: &Path) -> Result<ServerConfig, CertificateError> {
    let unreadable = |file: &Path, what, why: String| CertificateError::Unreadable {
        file: file.display().to_string(),
        what,
        why,
    };
    let certificates: Vec<_> = CertificateDer::pem_file_iter(chain)
        .and_then(Iterator::collect)
        .map_err(|error| unreadable(chain, "a certificate", error.to_string()))?;
    let key = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| unreadable(key, "a private key", error.to_string()))?;
    serving_as(certificates, key)
}

/// The same from what was read already.
///
/// # Errors
/// [`CertificateError::Unusable`].
pub fn serving_as(
    certificates: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, CertificateError> {
    ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("ring speaks TLS 1.2 and 1.3")
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(|error| CertificateError::Unusable(error.to_string()))
}

/// A server that speaks `protocol` and no other, and shows a certificate that nobody has to
/// believe: it is not looked into, for what proves something to somebody may hold what rustls
/// does not know.
///
/// # Errors
/// [`CertificateError::Unusable`].
pub fn showing(
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
    protocol: &[u8],
) -> Result<ServerConfig, CertificateError> {
    let provider = provider();
    let key = provider
        .key_provider
        .load_private_key(key)
        .map_err(|error| CertificateError::Unusable(error.to_string()))?;
    let shown = CertifiedKey::new(vec![certificate], key);
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring speaks TLS 1.2 and 1.3")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(shown)));
    config.alpn_protocols = vec![protocol.to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_has_one_provider_and_it_is_ours() {
        let ours = provider();
        let default = CryptoProvider::get_default().expect("it was installed");
        assert!(Arc::ptr_eq(&ours, default));
        // What libraries do that bring no provider of their own: it panics where features name two.
        let _ = ClientConfig::builder();
    }

    #[test]
    fn a_certificate_and_another_ones_key_are_refused_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: String| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let [ours, other] = [(); 2]
            .map(|()| rcgen::generate_simple_self_signed(["party.example".to_owned()]).unwrap());
        let chain = write("chain.pem", ours.cert.pem());
        let key = write("key.pem", ours.signing_key.serialize_pem());
        let wrong = write("wrong.pem", other.signing_key.serialize_pem());
        assert!(serving(&chain, &key).is_ok());
        let says = serving(&chain, &wrong).unwrap_err().to_string();
        assert!(says.contains("same renewal"), "{says}");
        let says = serving(&key, &key).unwrap_err().to_string();
        assert!(
            says.contains("key.pem cannot be read as a certificate")
                || says.contains("same renewal"),
            "{says}"
        );
        let says = serving(&chain, &folder.path().join("none.pem"))
            .unwrap_err()
            .to_string();
        assert!(says.contains("none.pem"), "{says}");
    }
}
