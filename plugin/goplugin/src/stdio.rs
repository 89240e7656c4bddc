//! The stream of the plugin's output: open for the plugin's life, and silent, because stdout carries the handshake line
//! and stderr the log, which the host reads from the process itself.

use std::pin::Pin;

use futures_util::stream::{Stream, StreamExt, pending};
use proto::plugin::StdioData;
use proto::plugin::grpc_stdio_server::GrpcStdio;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

/// Keeps the host's stream open until the plugin ends: an early end makes hosts log errors, and the open stream also keeps
/// grpc-go from closing an idle connection.
pub(crate) struct Stdio {
    stop: CancellationToken,
}

impl Stdio {
    /// Streams that end with `stop`.
    pub(crate) fn new(stop: CancellationToken) -> Self {
        Self { stop }
    }
}

#[tonic::async_trait]
impl GrpcStdio for Stdio {
    type StreamStdioStream = Pin<Box<dyn Stream<Item = Result<StdioData, Status>> + Send>>;

    async fn stream_stdio(&self, _request: Request<()>) -> Result<Response<Self::StreamStdioStream>, Status> {
        let silence = pending().take_until(self.stop.clone().cancelled_owned());
        Ok(Response::new(silence.boxed()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn the_stream_is_open_and_silent_until_the_plugin_ends() {
        let stop = CancellationToken::new();
        let answer = Stdio::new(stop.clone()).stream_stdio(Request::new(())).await;
        let mut stream = answer.unwrap().into_inner();

        let before = stream.next().now_or_never();
        stop.cancel();
        let after = stream.next().await;

        assert!(before.is_none());
        assert!(after.is_none());
    }
}
