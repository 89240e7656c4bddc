//! Sockets: connections, HTTP/1.1, and the two ways of not answering.

use std::{convert::Infallible, io, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::watch,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    clock,
    flights::Flight,
    http::{Call, Reply},
    route::{self, Fate},
    world::World,
};

/// Bytes of request line and headers: an ML-DSA-87 certificate, five of a chain and the signature fit. AWS documents no bound.
const HEADER_LIMIT: usize = 96 * 1024;

/// Accepts until `stop` changes or its sender is gone.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    world: World,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.changed() => return,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let (tls, world) = (tls.clone(), world.clone());
        tokio::spawn(async move {
            match tls {
                None => converse(stream, world).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        converse(stream, world).await;
                    }
                }
            }
        });
    }
}

/// Serves one connection. Its end is not logged.
async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin, world: World) {
    let service = service_fn(move |request| {
        let world = world.clone();
        async move { respond(&world, request).await }
    });
    let _ = http1::Builder::new()
        .max_header_size(HEADER_LIMIT)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// An error closes the connection without a reply.
async fn respond(world: &World, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, io::Error> {
    let call = read(request).await?;
    let _under_way = Flight::of(world, &call);
    match route::answer(world, &call).await {
        Fate::Reply(reply) => Ok(write(reply, &clock::http_date(world.of(&call).lock().now()))),
        Fate::Drop => Err(io::Error::from(io::ErrorKind::ConnectionReset)),
        Fate::Silence => Ok(silence().await),
    }
}

async fn silence() -> Response<Full<Bytes>> {
    match std::future::pending::<Infallible>().await {}
}

async fn read(request: Request<Incoming>) -> Result<Call, io::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes().to_vec();
    let text =
        |value: &hyper::header::HeaderValue| value.as_bytes().iter().map(|byte| char::from(*byte)).collect();
    Ok(Call {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect(),
        body,
    })
}

/// `Date` is the emulator's clock, from which clients compute their skew.
fn write(reply: Reply, date: &str) -> Response<Full<Bytes>> {
    let mut builder = Response::builder().status(reply.status).header("date", date);
    for (name, value) in reply.headers {
        builder = builder.header(name, value);
    }
    builder.body(Full::from(reply.body)).unwrap_or_default()
}
