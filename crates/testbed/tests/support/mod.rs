//! What several programs of tests need.

use errand_testbed::Proxy;
use tokio::io::{AsyncWriteExt, copy};
use tokio::net::TcpListener;

/// A proxy before a server that sends back what it gets.
pub async fn echo() -> std::io::Result<Proxy> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let addr = listener.local_addr()?;
    tokio::task::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::task::spawn(async move {
                let (mut from, mut to) = stream.split();
                if copy(&mut from, &mut to).await.is_ok() {
                    drop(to.shutdown().await);
                }
            });
        }
    });
    Ok(Proxy::start(addr).await)
}
