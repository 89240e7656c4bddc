//! The call by which the host ends the plugin.

use proto::plugin::Empty;
use proto::plugin::grpc_controller_server::GrpcController;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

/// Answers at once, and ends the server afterwards: the host waits for the answer without a deadline while it holds its
/// catalog lock, and kills the process two seconds after it.
pub(crate) struct Controller {
    stop: CancellationToken,
}

impl Controller {
    /// A controller that cancels `stop`.
    pub(crate) fn new(stop: CancellationToken) -> Self {
        Self { stop }
    }
}

#[tonic::async_trait]
impl GrpcController for Controller {
    async fn shutdown(&self, _request: Request<Empty>) -> Result<Response<Empty>, Status> {
        self.stop.cancel();
        Ok(Response::new(Empty {}))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn shutdown_answers_and_stops_the_server() {
        let stop = CancellationToken::new();

        let answer = Controller::new(stop.clone()).shutdown(Request::new(Empty {})).await;

        assert!(answer.is_ok());
        assert!(stop.is_cancelled());
    }
}
