//! A far side that plays a script, with the clock standing still until it is needed.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use rolesanywhere::{Transport, TransportError, TransportErrorKind};
use tokio::time::Instant;

/// One thing the far side does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Answer(u16, Vec<(&'static str, String)>, String),
    Fail(TransportErrorKind),
    Silence,
}

/// Plays its steps in turn and repeats the last one; remembers when it was asked and what was signed.
#[derive(Debug)]
pub(crate) struct Script {
    steps: Vec<Step>,
    asked: Mutex<Vec<(Instant, Request<Bytes>)>>,
}

#[async_trait]
impl Transport for Script {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let step = {
            let mut asked = self.asked.lock().unwrap();
            asked.push((Instant::now(), request));
            self.steps[(asked.len() - 1).min(self.steps.len() - 1)].clone()
        };
        match step {
            Step::Answer(status, headers, body) => {
                let mut response = Response::builder().status(status);
                for (name, value) in headers {
                    response = response.header(name, value);
                }
                Ok(response.body(body.into()).unwrap())
            }
            Step::Fail(kind) => Err(TransportError { kind, text: "connection refused".to_owned() }),
            Step::Silence => std::future::pending().await,
        }
    }
}

impl Script {
    pub(crate) fn of(steps: impl Into<Vec<Step>>) -> Arc<Self> {
        Arc::new(Self { steps: steps.into(), asked: Mutex::default() })
    }

    pub(crate) fn attempts(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    /// A request as it was sent.
    pub(crate) fn request(&self, attempt: usize) -> Request<Bytes> {
        self.asked.lock().unwrap()[attempt].1.clone()
    }

    /// The pause before an attempt, counted from the one before it.
    pub(crate) fn pause_before(&self, attempt: usize) -> Duration {
        let asked = self.asked.lock().unwrap();
        asked[attempt].0 - asked[attempt - 1].0
    }
}
