//! A server that speaks TLS on loopback, with a certificate of its own making.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedKey, DnType, IsCa, KeyPair, generate_simple_self_signed,
};
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

/// How handshakes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Handshakes {
    /// All complete, and connections stay open.
    Complete,
    /// Every third breaks off, and connections end with their first answer.
    ThirdBreaks,
    /// Each takes so long, and connections end with their first answer.
    Slow(Duration),
    /// Each takes so long, and nothing is answered.
    SlowAndSilent(Duration),
}

/// A server that runs as long as the test does.
#[derive(Debug)]
pub(crate) struct TlsServer {
    /// Where it is.
    pub(crate) url: String,
    /// Who must be trusted for it, as PEM.
    pub(crate) authority: String,
    /// The same in DER.
    pub(crate) der: Vec<u8>,
}

impl TlsServer {
    pub(crate) fn start(handshakes: Handshakes) -> Self {
        let names = ["127.0.0.1".to_owned(), "0.0.0.0".to_owned()];
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
        Self::with(&cert, &signing_key, handshakes)
    }

    /// A server whose certificate is that of an authority.
    pub(crate) fn authority() -> Self {
        let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "an authority");
        let key = KeyPair::generate().unwrap();
        Self::with(&params.self_signed(&key).unwrap(), &key, Handshakes::Complete)
    }

    fn with(cert: &Certificate, signing_key: &KeyPair, handshakes: Handshakes) -> Self {
        Self::asking(cert, signing_key, handshakes, None)
    }

    /// A server that lets in who has a certificate that `clients` signed.
    pub(crate) fn for_clients_of(clients: &Certificate) -> Self {
        let names = ["127.0.0.1".to_owned()];
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(clients.der().clone()).unwrap();
        let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap();
        Self::asking(&cert, &signing_key, Handshakes::Complete, Some(verifier))
    }

    fn asking(
        cert: &Certificate,
        signing_key: &KeyPair,
        handshakes: Handshakes,
        verifier: Option<Arc<dyn ClientCertVerifier>>,
    ) -> Self {
        let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
        let config = match verifier {
            Some(verifier) => ServerConfig::builder().with_client_cert_verifier(verifier),
            None => ServerConfig::builder().with_no_client_auth(),
        };
        let config = config.with_single_cert(vec![cert.der().clone()], key.into()).unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for (n, stream) in listener.incoming().flatten().enumerate() {
                let config = Arc::clone(&config);
                // A client that breaks off ends its connection and nothing else.
                std::thread::spawn(move || attend(stream, n, config, handshakes).ok());
            }
        });
        let base64 = STANDARD.encode(cert.der());
        Self {
            url: format!("https://{address}"),
            der: cert.der().to_vec(),
            authority: format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n"),
        }
    }
}

fn attend(mut stream: TcpStream, n: usize, config: Arc<ServerConfig>, handshakes: Handshakes) -> std::io::Result<()> {
    let mut buffer = [0; 4096];
    if handshakes == Handshakes::ThirdBreaks && n.is_multiple_of(3) {
        let _hello = stream.read(&mut buffer)?;
        return stream.write_all(b"no handshake");
    }
    if let Handshakes::Slow(time) | Handshakes::SlowAndSilent(time) = handshakes {
        // Being slow is the fault itself; nothing is waited for.
        std::thread::sleep(time);
    }
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    while stream.read(&mut buffer)? > 0 {
        if matches!(handshakes, Handshakes::SlowAndSilent(_)) {
            continue;
        }
        let ends = handshakes != Handshakes::Complete;
        let connection = if ends { "close" } else { "keep-alive" };
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: {connection}\r\n\r\nok"
        )?;
        stream.flush()?;
        if ends {
            stream.conn.send_close_notify();
            return stream.flush();
        }
    }
    Ok(())
}
