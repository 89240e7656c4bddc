//! Pages for tests under `/_admin/`: `state`, `knobs`, `log`, `cloudtrail`, `sessions` and `in-flight`. AWS has none of them. With
//! `?account=` they are those of another account at the same address.

use serde_json::{Value, json};

use crate::{
    cloudtrail,
    http::{Call, Reply},
    knobs::Knobs,
    state::State,
    world::World,
};

pub(crate) fn answer(world: &World, call: &Call, page: &str) -> Reply {
    let named = call.query_pairs().into_iter().find(|(name, _)| name == "account");
    let Some(world) = named.map_or(Some(world.home()), |(_, number)| world.home().account(&number)) else {
        return Reply::json(404, &json!({"error": "no such account"}));
    };
    match (call.method.as_str(), page) {
        ("GET", "state") => shown(&*world.lock().state),
        ("PUT", "state") => put(State::from_json(&call.body), |state| world.lock().state = state.into()),
        ("GET", "knobs") => shown(&world.lock().knobs),
        ("PUT", "knobs") => {
            put(serde_json::from_slice::<Knobs>(&call.body), |knobs| world.lock().knobs = knobs)
        }
        ("GET", "log") => shown(&world.lock().log),
        ("DELETE", "log") => {
            world.lock().log.clear();
            Reply::new(204, "application/json", "")
        }
        ("GET", "cloudtrail") => shown(&cloudtrail::records(&world.lock())),
        ("GET", "sessions") => shown(&world.lock().sessions()),
        ("GET", "in-flight") => shown(&json!({"most": world.lock().flights.most()})),
        _ => Reply::json(
            404,
            &json!({"error": "admin pages are state, knobs, log, cloudtrail, sessions and in-flight"}),
        ),
    }
}

fn shown(value: &impl serde::Serialize) -> Reply {
    Reply::json(200, &serde_json::to_value(value).unwrap_or(Value::Null))
}

fn put<T, E: std::fmt::Display>(parsed: Result<T, E>, store: impl FnOnce(T)) -> Reply {
    match parsed {
        Ok(value) => {
            store(value);
            Reply::new(204, "application/json", "")
        }
        Err(error) => Reply::json(400, &json!({"error": error.to_string()})),
    }
}
