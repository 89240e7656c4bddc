//! From the handshake to the end of the process.

use proto::plugin::Empty;
use proto::plugin::grpc_controller_client::GrpcControllerClient;
use proto::plugin::grpc_stdio_client::GrpcStdioClient;
use rustix::process::Signal;
use tokio::time::timeout;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::host::{Host, PATIENCE, greeter};

async fn health(channel: &Channel) -> Result<ServingStatus, tonic::Status> {
    let request = HealthCheckRequest { service: "plugin".to_owned() };
    Ok(HealthClient::new(channel.clone()).check(request).await?.into_inner().status())
}

#[tokio::test]
async fn a_host_meets_a_healthy_plugin_over_mutual_tls() {
    let host = Host::new();
    let plugin = host.start(&[]).await;

    let channel = host.connect(&plugin).await.unwrap();

    assert_eq!(plugin.fields.len(), 6, "{:?}", plugin.fields);
    assert_eq!([0, 1, 2, 4].map(|field| plugin.fields[field].as_str()), ["1", "5", "unix", "grpc"]);
    assert_eq!(health(&channel).await.unwrap(), ServingStatus::Serving);
}

#[tokio::test]
async fn shutdown_is_answered_and_the_process_ends_without_a_trace() {
    let host = Host::new();
    let plugin = host.start(&[]).await;
    let channel = host.connect(&plugin).await.unwrap();
    let mut stdio = GrpcStdioClient::new(channel.clone()).stream_stdio(()).await.unwrap().into_inner();

    let answer = GrpcControllerClient::new(channel).shutdown(Empty {}).await;
    let printed = timeout(PATIENCE, stdio.message()).await.unwrap();
    let remains = plugin.remains().await;

    answer.unwrap();
    assert_eq!(printed.unwrap(), None);
    assert_eq!((remains.code, remains.stdout.as_str(), remains.sockets), (Some(0), "", 0));
}

#[tokio::test]
async fn a_stranger_is_refused_and_the_host_is_still_served() {
    let (host, stranger) = (Host::new(), Host::new());
    let plugin = host.start(&[]).await;

    let refused = match stranger.connect(&plugin).await {
        Ok(channel) => health(&channel).await.is_err(),
        Err(_) => true,
    };
    let channel = host.connect(&plugin).await.unwrap();

    assert!(refused);
    assert_eq!(health(&channel).await.unwrap(), ServingStatus::Serving);
}

#[tokio::test]
async fn the_plugin_ends_by_itself_when_its_host_is_gone() {
    let host = Host::new();
    let plugin = host.start(&[]).await;
    let channel = host.connect(&plugin).await.unwrap();
    health(&channel).await.unwrap();

    drop(channel);
    let remains = plugin.remains().await;

    assert_eq!((remains.code, remains.sockets), (Some(0), 0));
    assert!(remains.stderr.contains("the host is gone"), "{}", remains.stderr);
}

#[tokio::test]
async fn an_interrupt_is_ignored_and_sigterm_removes_the_socket() {
    let host = Host::new();
    let plugin = host.start(&[]).await;
    let channel = host.connect(&plugin).await.unwrap();

    plugin.signal(Signal::INT);
    let after_interrupt = health(&channel).await;
    plugin.signal(Signal::TERM);
    let remains = plugin.remains().await;

    assert_eq!(after_interrupt.unwrap(), ServingStatus::Serving);
    assert_eq!((remains.code, remains.sockets), (Some(0), 0));
}

#[tokio::test]
async fn a_start_by_hand_fails_with_nothing_on_stdout() {
    let output = greeter().output().await.unwrap();

    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stdout, b"");
}

#[tokio::test]
async fn every_line_on_stderr_is_a_json_object() {
    let (host, stranger) = (Host::new(), Host::new());
    let plugin = host.start(&[]).await;
    if let Ok(channel) = stranger.connect(&plugin).await {
        health(&channel).await.unwrap_err();
    }
    let channel = host.connect(&plugin).await.unwrap();
    health(&channel).await.unwrap();
    plugin.signal(Signal::TERM);

    let stderr = plugin.remains().await.stderr;

    assert!(stderr.contains("a connection was refused"), "{stderr}");
    for line in stderr.lines() {
        let line: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).unwrap();
        assert!(line["@message"].is_string());
    }
}
