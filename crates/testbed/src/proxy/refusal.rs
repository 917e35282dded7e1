use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Postgres;

/// What a client asks before it says who it is: the numbers that stand for a version.
const SSL: u32 = 80_877_103;
const GSS: u32 = 80_877_104;

/// More than any start-up message has.
const LONGEST: u32 = 10_000;

/// An answer to every client's first words.
pub struct Refusal {
    tls: Arc<ServerConfig>,
    message: Vec<u8>,
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Refusal({})", String::from_utf8_lossy(&self.message))
    }
}

impl Refusal {
    /// With the certificate of this server.
    pub fn new(postgres: &Postgres, sqlstate: &str, message: &str) -> Self {
        let file = |name| postgres.dir().join(name);
        let certificate = CertificateDer::from_pem_file(file("server.pem")).expect("a certificate");
        let key = PrivateKeyDer::from_pem_file(file("server.key")).expect("a key");
        let tls = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| {
                builder
                    .with_no_client_auth()
                    .with_single_cert(vec![certificate], key)
            })
            .expect("the certificate fits the key");
        Self {
            tls: Arc::new(tls),
            message: error_response(sqlstate, message),
        }
    }

    /// Reads until the client says who it is, and tells it.
    pub async fn answer(&self, client: &mut TcpStream) -> io::Result<()> {
        client.set_nodelay(true)?;
        loop {
            match first_words(client).await? {
                GSS => client.write_all(b"N").await?,
                SSL => {
                    client.write_all(b"S").await?;
                    return self.answer_in_secret(client).await;
                }
                _ => return client.write_all(&self.message).await,
            }
        }
    }

    async fn answer_in_secret(&self, client: &mut TcpStream) -> io::Result<()> {
        let mut tls = ServerConnection::new(Arc::clone(&self.tls)).map_err(io::Error::other)?;
        let mut words = Vec::new();
        while length(&words).is_none_or(|length| words.len() < length) {
            let mut sealed = Vec::with_capacity(16 * 1024);
            if client.read_buf(&mut sealed).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let mut sealed = sealed.as_slice();
            while !sealed.is_empty() {
                tls.read_tls(&mut sealed)?;
                let state = tls.process_new_packets().map_err(io::Error::other)?;
                let opened = state.plaintext_bytes_to_read() as u64;
                tls.reader().take(opened).read_to_end(&mut words)?;
            }
            send(&mut tls, client).await?;
        }
        tls.writer().write_all(&self.message)?;
        tls.send_close_notify();
        send(&mut tls, client).await
    }
}

/// Passes on what TLS has to say.
async fn send(tls: &mut ServerConnection, client: &mut TcpStream) -> io::Result<()> {
    let mut sealed = Vec::new();
    while tls.wants_write() {
        tls.write_tls(&mut sealed)?;
    }
    client.write_all(&sealed).await
}

/// Reads one message of the kind that begins a connection; the number in it.
async fn first_words(client: &mut TcpStream) -> io::Result<u32> {
    let length = client.read_u32().await?;
    let number = client.read_u32().await?;
    let rest = length.checked_sub(8).filter(|rest| *rest <= LONGEST);
    let rest = rest.ok_or(io::ErrorKind::InvalidData)?;
    let mut rest = vec![0; rest as usize];
    client.read_exact(&mut rest).await?;
    Ok(number)
}

/// The length of the message that begins with these bytes, once they tell.
fn length(words: &[u8]) -> Option<usize> {
    let length = words.first_chunk()?;
    Some(u32::from_be_bytes(*length) as usize)
}

/// PostgreSQL's message that ends a connection before it began.
fn error_response(sqlstate: &str, message: &str) -> Vec<u8> {
    let fields = format!("SFATAL\0VFATAL\0C{sqlstate}\0M{message}\0\0");
    let length = u32::try_from(fields.len() + 4).expect("a short message");
    [b"E", &length.to_be_bytes()[..], fields.as_bytes()].concat()
}
