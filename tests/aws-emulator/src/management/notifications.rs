//! Notification settings of an anchor: `PATCH /put-notifications-settings` and `/reset-notifications-settings`.

use serde_json::{Value, json};

use super::{Account, Input, anchors, wrong_type};
use crate::{
    http::Reply,
    rules::{Refusal, Rule},
    state::{NotificationSetting, TrustAnchor},
};

const EVENTS: [&str; 2] = ["CA_CERTIFICATE_EXPIRY", "END_ENTITY_CERTIFICATE_EXPIRY"];
/// The default in days.
const DEFAULT: u32 = 45;

/// Replaces the settings of the events that are named.
pub(super) fn put(account: &mut Account<'_>, input: &Input) -> Result<Reply, Refusal> {
    let id = input.required("trustAnchorId")?;
    if !input.body.contains_key("notificationSettings") {
        return Err(Refusal::member(Rule::Missing, "notificationSettings"));
    }
    let new = given(input)?;
    anchors::edit(account, &id, |anchor| {
        anchor.notification_settings.retain(|old| new.iter().all(|new| new.event != old.event));
        anchor.notification_settings.extend(new);
    })
}

/// Restores the defaults.
pub(super) fn reset(account: &mut Account<'_>, input: &Input) -> Result<Reply, Refusal> {
    let id = input.required("trustAnchorId")?;
    let keys = input.body.get("notificationSettingKeys").and_then(Value::as_array);
    let keys = keys.ok_or_else(|| Refusal::member(Rule::Missing, "notificationSettingKeys"))?;
    let events: Vec<String> = keys.iter().map(event).collect::<Result<_, _>>()?;
    anchors::edit(account, &id, |anchor| {
        anchor.notification_settings.retain(|one| !events.contains(&one.event));
    })
}

/// The member `notificationSettings`, none if it is absent.
pub(super) fn given(input: &Input) -> Result<Vec<NotificationSetting>, Refusal> {
    let settings = match input.body.get("notificationSettings") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(settings) => settings.as_array().ok_or_else(|| wrong_type("notificationSettings", "a list"))?,
    };
    settings.iter().map(setting).collect()
}

fn setting(json: &Value) -> Result<NotificationSetting, Refusal> {
    let enabled = json["enabled"].as_bool();
    let enabled = enabled.ok_or_else(|| Refusal::member(Rule::Missing, "notificationSettings.enabled"))?;
    let threshold = match json.get("threshold") {
        None | Some(Value::Null) => DEFAULT,
        Some(days) => days
            .as_u64()
            .and_then(|days| u32::try_from(days).ok())
            .filter(|days| (1..=360).contains(days))
            .ok_or_else(|| {
                bounds("threshold", &days.to_string(), "Member must have value between 1 and 360")
            })?,
    };
    Ok(NotificationSetting { event: event(json)?, enabled, threshold })
}

/// The event, on the one channel there is.
fn event(json: &Value) -> Result<String, Refusal> {
    if !matches!(json.get("channel").map(|channel| channel.as_str()), None | Some(None | Some("ALL"))) {
        let value = json["channel"].to_string();
        return Err(bounds("channel", &value, "Member must satisfy enum value set: [ALL]"));
    }
    let event = json["event"].as_str().unwrap_or_default();
    if EVENTS.contains(&event) {
        return Ok(event.to_owned());
    }
    let constraint = format!("Member must satisfy enum value set: [{}]", EVENTS.join(", "));
    Err(bounds("event", event, &constraint))
}

fn bounds(member: &str, value: &str, constraint: &str) -> Refusal {
    let member = format!("notificationSettings.{member}");
    Refusal::constraint(Rule::ManagementBounds, &member, value, constraint)
}

/// The settings in `GetTrustAnchor`: AWS's defaults where none was put.
pub(super) fn shown(account: &Account<'_>, anchor: &TrustAnchor) -> Value {
    let shown = |event: &&str| {
        let put = anchor.notification_settings.iter().find(|one| one.event == **event);
        let (enabled, threshold) = put.map_or((true, DEFAULT), |one| (one.enabled, one.threshold));
        let by = if put.is_some() { account.state().account.as_str() } else { "rolesanywhere.amazonaws.com" };
        json!({"event": event, "enabled": enabled, "threshold": threshold, "channel": "ALL", "configuredBy": by})
    };
    EVENTS.iter().map(shown).collect()
}
