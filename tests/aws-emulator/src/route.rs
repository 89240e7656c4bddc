//! From a path to its handler. Here each request is logged, and here the knobs take effect.

mod service;

use std::time::Duration;

use serde_json::json;

use crate::{
    admin, clock, cloudtrail,
    create_session::{self, Notes},
    ecr,
    http::{Call, Reply},
    iam,
    knobs::{AnswerKind, Fault, Trouble},
    log::LogEntry,
    management,
    query::Parameters,
    rules::{Refusal, Rule},
    sts,
    world::{Ticket, World},
};
use service::Service;

/// The reaction of the connection to a request.
#[derive(Debug)]
pub(crate) enum Fate {
    Reply(Reply),
    /// Close the connection.
    Drop,
    /// Keep it open and send nothing.
    Silence,
}

/// Answers one request, after the latency that is due.
pub(crate) async fn answer(world: &World, call: &Call) -> Fate {
    if let Some(page) = call.path.strip_prefix("/_admin/") {
        return Fate::Reply(admin::answer(world, call, page));
    }
    let (address, world) = (world, &world.of(call));
    let fate = served(address, world, call).await;
    cloudtrail::note(world, call, &fate);
    fate
}

async fn served(address: &World, world: &World, call: &Call) -> Fate {
    let service = Service::of(call);
    if let Some(fate) = in_trouble(address, world, call, service).await {
        return fate;
    }
    let parameters = Parameters::of(call);
    match service {
        Service::Ecr => {
            delay(world).await;
            answer_ecr(world, call, service.operation(call))
        }
        Service::Iam => {
            delay(world).await;
            answer_iam(world, call, iam::Action::of(&parameters))
        }
        Service::Sts => {
            let action = sts::Action::of(&parameters);
            if matches!(action, Ok(sts::Action::AssumeRole)) {
                delay(world).await;
            }
            Fate::Reply(answer_sts(world, call, action))
        }
        Service::RolesAnywhere => {
            delay(world).await;
            answer_roles_anywhere(world, call)
        }
    }
}

/// The fate of a call whose region has a trouble of its own: an outage hits every account at the address, the rest the account that has it. IAM
/// stands in no region.
async fn in_trouble(address: &World, world: &World, call: &Call, service: Service) -> Option<Fate> {
    let region = world.region().filter(|_| service != Service::Iam)?;
    let of = |world: &World| world.lock().region_knobs(region).cloned().unwrap_or_default();
    let (everyone, own) = (of(address), of(world));
    let latency = everyone.latency_ms.max(own.latency_ms);
    if latency > 0 {
        tokio::time::sleep(Duration::from_millis(latency)).await;
    }
    let outage = everyone.trouble().filter(|trouble| matches!(trouble, Trouble::Dead | Trouble::Failing(_)));
    let trouble = outage.or(own.trouble())?;
    let ticket = world.lock().ticket();
    let operation = service.operation(call).to_owned();
    let mut entry = Entry { operation, outcome: "answered", notes: Notes::default() };
    let rule = service.rule(trouble);
    let refusal = Refusal::new(rule, "knob regions");
    let status = match trouble {
        Trouble::Dead => {
            entry.outcome = "dropped";
            note(world, &ticket, entry, None, 0);
            return Some(Fate::Drop);
        }
        Trouble::Failing(status) => status,
        Trouble::Throttled | Trouble::NotEnabled => {
            return Some(Fate::Reply(refuse(world, service, &ticket, entry, refusal)));
        }
    };
    entry.outcome = "failed";
    let mut reply = service.document(&refusal, &ticket).unwrap_or_else(|| failure(status));
    reply.status = status;
    Some(Fate::Reply(finish(world, &ticket, entry, Some(rule), reply)))
}

fn refuse(world: &World, service: Service, ticket: &Ticket, entry: Entry, refusal: Refusal) -> Reply {
    match service.document(&refusal, ticket) {
        Some(document) => conclude_document(world, ticket, entry, Err(refusal), |_, _| document.clone()),
        None => conclude(world, ticket, entry, Err(refusal)),
    }
}

async fn delay(world: &World) {
    let latency = world.lock().knobs.latency_ms;
    if latency > 0 {
        tokio::time::sleep(Duration::from_millis(latency)).await;
    }
}

/// One request on its way to a log entry.
struct Entry {
    operation: String,
    outcome: &'static str,
    notes: Notes,
}

fn answer_sts(world: &World, call: &Call, action: Result<sts::Action, Refusal>) -> Reply {
    let (operation, outcome) = action.as_ref().map_or(("-", "answered"), |action| action.entry());
    let (ticket, fault) = {
        let mut inner = world.lock();
        let hit = matches!(action, Ok(sts::Action::AssumeRole));
        (inner.ticket(), hit.then(|| inner.knobs.take_sts_fault()).flatten())
    };
    let mut entry = Entry { operation: operation.to_owned(), outcome, notes: Notes::default() };
    let answered = match fault {
        Some(Fault::Fail(status)) => {
            entry.outcome = "failed";
            let mut reply = sts::refusal(&Refusal::new(Rule::StsUnavailable, ""), &ticket.request_id);
            reply.status = status;
            return finish(world, &ticket, entry, Some(Rule::StsUnavailable), reply);
        }
        Some(_) => Err(Refusal::new(Rule::StsThrottled, "knob sts_throttle_next")),
        None => action.and_then(|action| sts::answer(world, call, action, &ticket.request_id)),
    };
    conclude_document(world, &ticket, entry, answered, sts::refusal)
}

fn answer_iam(world: &World, call: &Call, action: Result<iam::Action, Refusal>) -> Fate {
    let (ticket, fault, admitted) = {
        let mut inner = world.lock();
        let limit = inner.knobs.iam_tps;
        (inner.ticket(), inner.knobs.take_iam_fault(), inner.admits("iam", limit))
    };
    let operation = action.as_ref().map_or("-", |action| action.name()).to_owned();
    let mut entry = Entry { operation, outcome: "answered", notes: Notes::default() };
    let answered = match fault {
        Some(Fault::Fail(status)) => {
            entry.outcome = "failed";
            let mut reply = iam::refusal(&Refusal::new(Rule::IamUnavailable, ""), &ticket.request_id);
            reply.status = status;
            return Fate::Reply(finish(world, &ticket, entry, Some(Rule::IamUnavailable), reply));
        }
        Some(_) => Err(Refusal::new(Rule::IamThrottled, "knob iam_throttle_next")),
        None if !admitted => Err(Refusal::new(Rule::IamThrottled, "knob iam_tps")),
        None => action.and_then(|action| iam::answer(world, call, action, &ticket.request_id)),
    };
    if answered.is_ok() && world.lock().knobs.take_lost_reply() {
        return lost(world, &ticket, entry);
    }
    Fate::Reply(conclude_document(world, &ticket, entry, answered, iam::refusal))
}

fn answer_ecr(world: &World, call: &Call, operation: &str) -> Fate {
    let (ticket, fault, kind) = {
        let mut inner = world.lock();
        (inner.ticket(), inner.knobs.take_ecr_fault(), inner.knobs.ecr_answer)
    };
    let mut entry = Entry { operation: operation.to_owned(), outcome: "answered", notes: Notes::default() };
    let answered = match fault {
        Some(Fault::Fail(status)) => {
            entry.outcome = "failed";
            let mut reply = ecr::refusal(&Refusal::new(Rule::EcrUnavailable, ""), ticket.variation);
            reply.status = status;
            return Fate::Reply(finish(world, &ticket, entry, Some(Rule::EcrUnavailable), reply));
        }
        Some(_) => Err(Refusal::new(Rule::EcrThrottled, "knob ecr_throttle_next")),
        None => ecr::answer(world, call, kind == AnswerKind::ExpiredSession),
    };
    if answered.is_ok() && kind == AnswerKind::Silent {
        note(world, &ticket, entry, None, 0);
        return Fate::Silence;
    }
    let answered = answered.map(|reply| disguise(reply, kind));
    let document = |refusal: &Refusal, _: &str| ecr::refusal(refusal, ticket.variation);
    Fate::Reply(conclude_document(world, &ticket, entry, answered, document))
}

/// The call was carried out, and its reply is lost.
fn lost(world: &World, ticket: &Ticket, mut entry: Entry) -> Fate {
    entry.outcome = "lost";
    note(world, ticket, entry, None, 0);
    Fate::Drop
}

/// For the services whose errors are documents of their own: STS, IAM and ECR.
fn conclude_document(
    world: &World,
    ticket: &Ticket,
    mut entry: Entry,
    answered: Result<Reply, Refusal>,
    document: impl Fn(&Refusal, &str) -> Reply,
) -> Reply {
    let refusal = match answered {
        Ok(reply) => return finish(world, ticket, entry, None, reply),
        Err(refusal) => refusal,
    };
    let throttled = matches!(refusal.rule, Rule::IamThrottled | Rule::EcrThrottled | Rule::StsThrottled);
    entry.outcome = if throttled { "throttled" } else { "refused" };
    entry.notes.remarks.push(refusal.detail.clone());
    let reply = document(&refusal, &ticket.request_id);
    finish(world, ticket, entry, Some(refusal.rule), reply)
}

fn answer_roles_anywhere(world: &World, call: &Call) -> Fate {
    let (ticket, fault) = {
        let mut inner = world.lock();
        (inner.ticket(), inner.take_fault())
    };
    let mut entry = Entry {
        operation: management::operation(call).to_owned(),
        outcome: "answered",
        notes: Notes::default(),
    };
    let result = match fault {
        Some(Fault::Drop) => {
            entry.outcome = "dropped";
            note(world, &ticket, entry, None, 0);
            return Fate::Drop;
        }
        Some(Fault::Throttle) => Err(Refusal::new(Rule::Throttled, "knob throttle_next")),
        Some(Fault::Fail(status)) => {
            entry.outcome = "failed";
            let reply = failure(status);
            return Fate::Reply(finish(world, &ticket, entry, Some(Rule::Unavailable), reply));
        }
        None if entry.operation == "CreateSession" => return create_session(world, call, &ticket, entry),
        None => management::answer(world, call),
    };
    if result.is_ok() && world.lock().knobs.take_lost_reply() {
        return lost(world, &ticket, entry);
    }
    Fate::Reply(conclude(world, &ticket, entry, result))
}

fn create_session(world: &World, call: &Call, ticket: &Ticket, mut entry: Entry) -> Fate {
    let (state, now, kind) = {
        let mut inner = world.lock();
        if !inner.admits_session() {
            drop(inner);
            let refusal = Refusal::new(Rule::Throttled, "knob max_tps");
            return Fate::Reply(conclude(world, ticket, entry, Err(refusal)));
        }
        (inner.state.clone(), inner.now(), inner.knobs.answer)
    };
    let granted = create_session::evaluate(&state, call, now, &mut entry.notes);
    let granted = granted.map(|grant| {
        let credentials = world.lock().issue(&grant, kind == AnswerKind::ExpiredSession);
        create_session::reply(&state.account, &grant, &credentials, ticket.variation)
    });
    if granted.is_ok() {
        entry.outcome = "issued";
    }
    if granted.is_ok() && kind == AnswerKind::Silent {
        note(world, ticket, entry, None, 0);
        return Fate::Silence;
    }
    Fate::Reply(conclude(world, ticket, entry, granted.map(|reply| disguise(reply, kind))))
}

/// The reply that a knob sends instead of a session or an authorization token.
fn disguise(reply: Reply, kind: AnswerKind) -> Reply {
    match kind {
        AnswerKind::Html => {
            Reply::new(200, "text/html", "<html><body><h1>Welcome</h1>Please sign in.</body></html>")
        }
        AnswerKind::Empty => Reply { body: Vec::new(), ..reply },
        AnswerKind::HalfJson => Reply { body: reply.body[..reply.body.len() / 2].to_vec(), ..reply },
        AnswerKind::Huge => {
            let padding = "a".repeat(10 << 20);
            let body = format!("{{\"credentialSet\":[{{\"padding\":\"{padding}\"}}]}}");
            Reply::new(reply.status, "application/json", body)
        }
        AnswerKind::Normal | AnswerKind::Silent | AnswerKind::ExpiredSession => reply,
    }
}

fn failure(status: u16) -> Reply {
    let (kind, body) = match status {
        503 => {
            ("ServiceUnavailableException", json!({"message": "Service unavailable", "retryAfterSeconds": 1}))
        }
        _ => ("InternalServerException", json!({"message": "Internal failure"})),
    };
    Reply::json(status, &body).with("x-amzn-errortype", kind)
}

fn conclude(world: &World, ticket: &Ticket, mut entry: Entry, result: Result<Reply, Refusal>) -> Reply {
    let refusal = match result {
        Ok(reply) => return finish(world, ticket, entry, None, reply),
        Err(refusal) => refusal,
    };
    entry.outcome = if refusal.rule == Rule::Throttled { "throttled" } else { "refused" };
    if !refusal.detail.is_empty() {
        entry.notes.remarks.insert(0, refusal.detail.clone());
    }
    let forwarded = world.lock().knobs.forwarded_error_type;
    let reply = refusal_reply(&refusal, ticket, forwarded);
    finish(world, ticket, entry, Some(refusal.rule), reply)
}

/// The type is in a header only, and the body has a message only, as was seen on AWS.
fn refusal_reply(refusal: &Refusal, ticket: &Ticket, forwarded: bool) -> Reply {
    let row = refusal.rule.row();
    let mut kind = format!("{:?}", row.kind);
    if forwarded || ticket.variation.suffixed_type() {
        kind.push_str(":http://internal.amazon.com/coral/com.amazonaws.rolesanywhere/");
    }
    let mut message = refusal.message.clone();
    if ticket.variation.final_period()
        && message.starts_with("Unable to assume role for")
        && !message.ends_with('.')
    {
        message.push('.');
    }
    let reply = Reply::json(row.status, &json!({"message": message})).with("x-amzn-errortype", kind);
    if refusal.rule == Rule::Throttled && ticket.variation.retry_after() {
        reply.with("retry-after", "1")
    } else {
        reply
    }
}

fn finish(world: &World, ticket: &Ticket, entry: Entry, rule: Option<Rule>, reply: Reply) -> Reply {
    note(world, ticket, entry, rule, reply.status);
    reply.with("x-amzn-requestid", &ticket.request_id)
}

fn note(world: &World, ticket: &Ticket, entry: Entry, rule: Option<Rule>, status: u16) {
    let mut inner = world.lock();
    let at = clock::microseconds(inner.now());
    inner.note(LogEntry {
        at,
        request_id: ticket.request_id.clone(),
        operation: entry.operation,
        outcome: entry.outcome.to_owned(),
        rule: rule.map_or("", |rule| rule.row().id).to_owned(),
        status,
        serial: entry.notes.serial,
        region: world.region().unwrap_or_default().to_owned(),
        detail: entry.notes.remarks.join("; "),
    });
}
