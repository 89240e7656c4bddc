//! The broker's stream: messages of the host go to the rendezvous, messages of the plugin go out.

use std::sync::Arc;

use proto::plugin::grpc_broker_server::{GrpcBroker, GrpcBrokerServer};
use proto::plugin::{ConnInfo, conn_info::Knock};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use super::Rendezvous;

/// The messages that may wait for the stream to the host.
const WAITING: usize = 16;

/// The largest offer or answer, in bytes: a path of at most 108, or an error's text.
const OFFER: usize = 4096;

/// The answer to a knock of the host, because connections go from plugin to host only.
const NOT_LISTENING: &str = "this plugin listens on no broker connection";

/// Serves `plugin.GRPCBroker`.
pub(crate) struct BrokerService {
    rendezvous: Arc<Rendezvous>,
    stop: CancellationToken,
}

impl BrokerService {
    /// Streams meet at `rendezvous` and end with `stop`.
    pub(crate) fn new(rendezvous: Arc<Rendezvous>, stop: CancellationToken) -> Self {
        Self { rendezvous, stop }
    }

    /// The service for a server, with a bound for the size of an offer.
    pub(crate) fn into_server(self) -> GrpcBrokerServer<Self> {
        GrpcBrokerServer::new(self).max_decoding_message_size(OFFER)
    }
}

#[tonic::async_trait]
impl GrpcBroker for BrokerService {
    type StartStreamStream =
        futures_util::stream::Map<ReceiverStream<ConnInfo>, fn(ConnInfo) -> Result<ConnInfo, Status>>;

    async fn start_stream(
        &self,
        request: Request<Streaming<ConnInfo>>,
    ) -> Result<Response<Self::StartStreamStream>, Status> {
        let (outgoing, heard) = mpsc::channel(WAITING);
        self.rendezvous.open(outgoing.clone());
        let listening = listen(request.into_inner(), self.rendezvous.clone(), outgoing);
        tokio::spawn(self.stop.clone().run_until_cancelled_owned(listening));
        let out = futures_util::StreamExt::map(ReceiverStream::new(heard), Ok as fn(_) -> _);
        Ok(Response::new(out))
    }
}

async fn listen(
    mut host: Streaming<ConnInfo>,
    rendezvous: Arc<Rendezvous>,
    outgoing: mpsc::Sender<ConnInfo>,
) {
    while let Some(Ok(info)) = host.next().await {
        match refusal(&info) {
            Some(refusal) => drop(outgoing.try_send(refusal)),
            None => rendezvous.arrived(info, Instant::now()),
        }
    }
    rendezvous.close(&outgoing);
}

/// The answer to a knock; none to anything else.
pub(super) fn refusal(info: &ConnInfo) -> Option<ConnInfo> {
    let knock = info.knock.as_ref().filter(|knock| knock.knock && !knock.ack)?;
    let answer = Knock { ack: true, error: NOT_LISTENING.to_owned(), ..knock.clone() };
    Some(ConnInfo { service_id: info.service_id, knock: Some(answer), ..ConnInfo::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_knock_is_answered_with_a_reason() {
        let knock = Knock { knock: true, ..Knock::default() };

        let answer = refusal(&ConnInfo { service_id: 4, knock: Some(knock), ..ConnInfo::default() }).unwrap();

        let knock = answer.knock.unwrap();
        assert_eq!((answer.service_id, knock.ack, knock.error.as_str()), (4, true, NOT_LISTENING));
    }

    #[test]
    fn an_offer_and_an_acknowledgement_are_not_knocks() {
        let ack = Knock { knock: true, ack: true, ..Knock::default() };

        assert_eq!(refusal(&ConnInfo::default()), None);
        assert_eq!(refusal(&ConnInfo { knock: Some(ack), ..ConnInfo::default() }), None);
    }
}
