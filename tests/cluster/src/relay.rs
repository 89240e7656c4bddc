//! Vault at an address of a story's own, which it can take away.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

use crate::install::VAULT;
use crate::layout::HOST_ADDRESS;

/// The pause before the next try to take an address that the kernel has not given back yet, and how often it is tried.
const PAUSE: Duration = Duration::from_millis(100);
const TRIES: usize = 100;

/// An address of the host that leads to the cluster's Vault until it is cut.
pub struct Relay {
    address: SocketAddr,
    serving: Option<JoinHandle<()>>,
}

impl Relay {
    /// A relay on a free port.
    ///
    /// # Panics
    /// When the host's end of the cluster's link has no port.
    pub async fn start() -> Relay {
        let listener = TcpListener::bind((HOST_ADDRESS, 0)).await.expect("the link has a port");
        let address = listener.local_addr().expect("it is bound");
        Relay { address, serving: Some(tokio::spawn(serve(listener))) }
    }

    /// Vault's URL by this way.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Closes the address: connections that are open break, and new ones are refused.
    pub fn cut(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
        }
    }

    /// Opens it again.
    ///
    /// # Panics
    /// When the address is not free within ten seconds.
    pub async fn restore(&mut self) {
        for _ in 0..TRIES {
            if let Ok(listener) = TcpListener::bind(self.address).await {
                self.serving = Some(tokio::spawn(serve(listener)));
                return;
            }
            sleep(PAUSE).await;
        }
        panic!("{} is not free", self.address);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.cut();
    }
}

/// Until this is dropped, which ends each connection.
async fn serve(listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        if let Ok((mut client, _)) = listener.accept().await {
            connections.spawn(async move {
                let vault = VAULT.trim_start_matches("http://");
                if let Ok(mut vault) = TcpStream::connect(vault).await {
                    // either end may break off
                    let _ = copy_bidirectional(&mut client, &mut vault).await;
                }
            });
        }
        while connections.try_join_next().is_some() {}
    }
}
