//! Connections back to the host.

use std::collections::HashMap;

use proto::logical::Empty;
use proto::logical::plugin_version_client::PluginVersionClient;
use tonic::Request;
use tonic::transport::Channel;

use crate::host::{Host, start_stream};

/// What the plugin says its own version is.
pub(crate) async fn version(channel: Channel) -> Result<String, tonic::Status> {
    Ok(PluginVersionClient::new(channel).version(Empty {}).await?.into_inner().plugin_version)
}

/// What the plugin says its host's version is, asked over broker connection `id`.
pub(crate) async fn version_behind(channel: Channel, id: u32) -> Result<String, tonic::Status> {
    let mut request = Request::new(Empty {});
    request.metadata_mut().insert("callback-id", id.into());
    let mut client = PluginVersionClient::new(channel).max_decoding_message_size(usize::MAX);
    Ok(client.version(request).await?.into_inner().plugin_version)
}

#[tokio::test]
async fn an_offer_made_before_the_call_is_dialled() {
    let host = Host::new();
    let plugin = host.start(&[]).await;
    let channel = host.connect(&plugin).await.unwrap();
    let (offers, _answers) = start_stream(channel.clone()).await;

    offers.send(host.offer(&plugin, 1, "v9.0.0")).await.unwrap();
    let version = version_behind(channel, 1).await.unwrap();

    assert_eq!(version, "v9.0.0");
}

#[tokio::test]
async fn a_call_made_before_the_brokers_stream_waits_for_its_offer() {
    let host = Host::new();
    let plugin = host.start(&[]).await;
    let channel = host.connect(&plugin).await.unwrap();

    let asking = tokio::spawn(version_behind(channel.clone(), 7));
    let (offers, _answers) = start_stream(channel).await;
    offers.send(host.offer(&plugin, 8, "v8.0.0")).await.unwrap();
    offers.send(host.offer(&plugin, 7, "v7.0.0")).await.unwrap();

    assert_eq!(asking.await.unwrap().unwrap(), "v7.0.0");
}

#[tokio::test]
async fn an_offer_by_someone_else_is_refused() {
    let (host, stranger) = (Host::new(), Host::new());
    let plugin = host.start(&[]).await;
    let channel = host.connect(&plugin).await.unwrap();
    let (offers, _answers) = start_stream(channel.clone()).await;

    offers.send(stranger.offer(&plugin, 1, "v6.6.6")).await.unwrap();
    let error = version_behind(channel, 1).await.unwrap_err();

    assert_eq!(error.code(), tonic::Code::Unavailable, "{error}");
}

#[tokio::test]
async fn an_answer_far_over_tonics_own_limit_passes_both_connections() {
    let host = Host::new();
    let plugin = host.start(&[]).await;
    let channel = host.connect(&plugin).await.unwrap();
    let (offers, _answers) = start_stream(channel.clone()).await;
    let long = "9".repeat(20 << 20);

    offers.send(host.offer(&plugin, 1, &long)).await.unwrap();
    let version = version_behind(channel, 1).await.unwrap();

    assert!(version == long, "{} bytes", version.len());
}

#[tokio::test]
async fn over_a_shared_connection_each_dial_reaches_its_own_listener() {
    let host = Host::new();
    let plugin = host.start(&[("PLUGIN_MULTIPLEX_GRPC", "true")]).await;
    let versions: HashMap<_, _> = (1..=8).map(|id| (id, format!("v{id}.0.0"))).collect();
    let channel = host.connect_shared(&plugin, versions.clone()).await.unwrap();

    let asking = versions.keys().map(|id| tokio::spawn(version_behind(channel.clone(), *id)));
    let mut said = HashMap::new();
    for (id, asked) in versions.keys().zip(asking.collect::<Vec<_>>()) {
        said.insert(*id, asked.await.unwrap().unwrap());
    }

    assert_eq!(plugin.fields.get(6).map(String::as_str), Some("true"));
    assert_eq!(said, versions);
}

#[tokio::test]
async fn over_a_shared_connection_a_refused_knock_harms_no_other_dial() {
    let host = Host::new();
    let plugin = host.start(&[("PLUGIN_MULTIPLEX_GRPC", "1")]).await;
    let channel = host.connect_shared(&plugin, HashMap::from([(1, "v1.0.0".to_owned())])).await.unwrap();

    let refused = version_behind(channel.clone(), 2).await.unwrap_err();
    let version = version_behind(channel, 1).await.unwrap();

    assert_eq!(refused.message(), "the host refused connection 2: no listener");
    assert_eq!(version, "v1.0.0");
}
