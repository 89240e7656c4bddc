//! Memory after many sessions, and what a read costs beside ever more cached identities.

use std::ops::Range;

use harness::Memory;

use crate::load::{self, Ask, Pressure};
use crate::settings::Settings;
use crate::usage::Sample;
use crate::world::{EARLIER, FIXED, KV, Plugin, World};

/// Sessions after which a plugin's memory is looked at.
pub(crate) const SESSIONS: u32 = 10_000;

/// Requests at a time.
const CONNECTIONS: u32 = 16;

/// How many identities are cached at each step; the first has what reading in turn costs by itself.
const LEVELS: [u32; 4] = [1, 100, SESSIONS, 100_000];

/// Reads of `container` beside some cached identities.
#[derive(Debug)]
pub(crate) struct Level {
    pub(crate) plugin: Plugin,
    pub(crate) identities: u32,
    pub(crate) sample: Sample,
    pub(crate) memory: Memory,
}

/// Caches ever more identities, and says at each step what a read costs, one identity after the other, and what the plugin holds.
pub(crate) fn levels(world: &World, settings: &Settings) -> Vec<Level> {
    let mut cached = 0;
    let mut levels = Vec::new();
    for identities in LEVELS {
        for plugin in settings.engines() {
            cache(world, plugin, cached..identities);
            levels.push(level(world, settings, plugin, identities));
        }
        cached = identities;
    }
    levels
}

fn level(world: &World, settings: &Settings, plugin: Plugin, identities: u32) -> Level {
    let memory = world.memory(plugin);
    let pressure = Pressure { connections: CONNECTIONS, seconds: settings.seconds, numbers: 0..identities };
    let (sample, _) = load::run(world, &read(plugin), Some(plugin), &pressure);
    Level { plugin, identities, sample, memory }
}

/// Of one role after the other.
fn read(plugin: Plugin) -> Ask {
    let path = if plugin == EARLIER { "iamra-earlier/container/many%d" } else { "iamra/container/many%d" };
    Ask { method: "GET", path, body: None, status: 200 }
}

/// What a plugin holds after it has answered [`SESSIONS`] times; ours while it keeps as many sessions.
pub(crate) fn memory_after(world: &World, plugin: Plugin, levels: &[Level]) -> Memory {
    let path = match plugin {
        KV => "kvext/demo",
        FIXED => "fixed-answer/leased",
        _ => {
            let kept = |level: &&Level| level.plugin == plugin && level.identities == SESSIONS;
            return levels.iter().find(kept).expect("a level").memory;
        }
    };
    repeat(world, &Ask { method: "GET", path, body: None, status: 200 }, 0..SESSIONS);
    world.memory(plugin)
}

/// A role each, since a role's name is its certificates' subject, and a session each.
fn cache(world: &World, plugin: Plugin, identities: Range<u32>) {
    let body = r#"{"role_arn":"arn:aws:iam::111122223333:role/demo","session_sharing":"identity"}"#;
    let path = if plugin == EARLIER { "iamra-earlier/roles/many%d" } else { "iamra/roles/many%d" };
    repeat(world, &Ask { method: "POST", path, body: Some(body), status: 200 }, identities.clone());
    repeat(world, &read(plugin), identities);
}

/// Asks with each number at least once. The load tool counts seconds, and forgets what is under way when they end: the next call
/// begins a little before that.
fn repeat(world: &World, ask: &Ask, numbers: Range<u32>) {
    let Range { start: mut next, end } = numbers;
    let mut passes = 0;
    while next < end {
        let pressure = Pressure { connections: CONNECTIONS, seconds: 2, numbers: next..end };
        let (_, requests) = load::run(world, ask, None, &pressure);
        next += requests.saturating_sub(2 * CONNECTIONS);
        passes += 1;
        assert!(passes < 300, "{ask:?}: at {next} of {end} after {passes} passes");
    }
}
