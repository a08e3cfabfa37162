//! A server that speaks TLS on loopback, with a certificate of its own making.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

/// How handshakes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Handshakes {
    /// All complete, and connections stay open.
    Complete,
    /// Every third breaks off, and connections end with their first answer.
    ThirdBreaks,
}

/// A server that runs as long as the test does.
#[derive(Debug)]
pub(crate) struct TlsServer {
    /// Where it is.
    pub(crate) url: String,
    /// Who must be trusted for it, as PEM.
    pub(crate) authority: String,
}

impl TlsServer {
    pub(crate) fn start(handshakes: Handshakes) -> Self {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key.into())
            .unwrap();
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
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    while stream.read(&mut buffer)? > 0 {
        let ends = handshakes == Handshakes::ThirdBreaks;
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
