//! What may happen to a fleet.

use std::num::NonZeroU32;
use std::ops::Range;
use std::time::Duration;

use sessions::{Limits, Rate, Renewal};

/// One story: a fleet, AWS's mood, and what happens when.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name in table and plot.
    pub name: &'static str,
    /// Pods, each with an identity of its own.
    pub pods: u32,
    /// Vault roles they share.
    pub roles: u32,
    /// All pods start within this time.
    pub starts_within: Duration,
    /// How long it is watched.
    pub horizon: Duration,
    /// Length of a session of CreateSession.
    pub duration: Duration,
    /// CreateSession requests AWS takes in any second.
    pub quota: usize,
    /// Regions through which each identity's session can be made, each with the whole quota: 1 to 8.
    pub places: usize,
    /// Whether each identity has its own order of them.
    pub is_spread: bool,
    /// When Roles Anywhere does not answer; of several places, the first one.
    pub away: Vec<Range<Duration>>,
    /// When others use up most of the quota.
    pub squeezed: Vec<Range<Duration>>,
    /// What they leave.
    pub squeezed_quota: usize,
    /// When Vault fails over, which empties the cache.
    pub failover: Option<Duration>,
    /// How often every role is written again, and whether the write changes one of them.
    pub rewrites: Option<Rewrites>,
    /// Whether pods receive sessions of AssumeRole that are made from those of CreateSession.
    pub hops: Option<Hops>,
    /// The service's bounds.
    pub limits: Limits,
    /// Whether a pod may be without credentials that it could have been given.
    pub lapses: Lapses,
}

/// What a scenario promises about pods whose credentials end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lapses {
    /// None but those that AWS's or Vault's absence explains.
    None,
    /// More sessions end than the quota can renew in time, or SDKs ask ten seconds before the end and find an empty cache; they are
    /// counted.
    Counted,
}

/// How long fleets with role chaining are watched.
pub const DAY: Duration = Duration::from_hours(24);
/// How long Vault does not answer when it fails over.
const FAILOVER: Duration = Duration::from_secs(10);
/// A pod that could have been answered for less than this may have spent it in a back-off.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(75);

/// Role chaining: AWS grants an hour at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hops {
    /// Length of a session of AssumeRole.
    pub duration: Duration,
    /// How many of them the engine begins.
    pub rate: Rate,
}

impl Hops {
    /// As the engine makes them.
    pub fn of_an_hour() -> Self {
        const HUNDRED: NonZeroU32 = NonZeroU32::new(100).expect("a hundred is not zero");
        Self { duration: Duration::from_hours(1), rate: Rate { per_second: HUNDRED, burst: HUNDRED } }
    }
}

/// A controller that writes the roles from a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rewrites {
    /// Between two syncs.
    pub every: Duration,
    /// What a sync writes.
    pub content: Content,
}

/// What a sync writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Every role as it is.
    Same,
    /// Every role as it is, but one.
    OneChanged,
}

fn minutes(n: u64) -> Duration {
    Duration::from_mins(n)
}

impl Scenario {
    /// Ten thousand identities that start within ten seconds, and nothing else happens.
    pub fn start_of_ten_thousand() -> Self {
        Self {
            name: "start",
            pods: 10_000,
            roles: 100,
            starts_within: Duration::from_secs(10),
            horizon: minutes(180),
            duration: minutes(60),
            quota: 10,
            places: 1,
            is_spread: false,
            away: Vec::new(),
            squeezed: Vec::new(),
            squeezed_quota: 2,
            failover: None,
            rewrites: None,
            hops: None,
            limits: Limits::default(),
            lapses: Lapses::None,
        }
    }

    /// Every story, with ten thousand pods each.
    pub fn all() -> Vec<Self> {
        let base = Self::start_of_ten_thousand();
        let away = |minutes_away: u64| vec![minutes(60)..minutes(60 + minutes_away)];
        let rewritten = |content| Some(Rewrites { every: minutes(5), content });
        let on_ask = Limits { renewal: Renewal::OnAsk, ..base.limits };
        vec![
            base.clone(),
            Self {
                name: "start, sessions of 4 h",
                duration: minutes(240),
                horizon: minutes(360),
                ..base.clone()
            },
            Self { name: "AWS away 10 min", away: away(10), ..base.clone() },
            Self {
                name: "AWS away 10 min, renewal on ask",
                away: away(10),
                limits: on_ask,
                lapses: Lapses::Counted,
                ..base.clone()
            },
            Self { name: "AWS away 40 min", away: away(40), lapses: Lapses::Counted, ..base.clone() },
            Self {
                name: "AWS away 40 min, sessions of 4 h",
                away: vec![minutes(180)..minutes(220)],
                duration: minutes(240),
                horizon: minutes(360),
                ..base.clone()
            },
            Self {
                name: "throttling bursts",
                squeezed: (0..6).map(|nth| minutes(60 + 20 * nth)..minutes(63 + 20 * nth)).collect(),
                ..base.clone()
            },
            Self {
                name: "failover empties the cache",
                failover: Some(minutes(90)),
                lapses: Lapses::Counted,
                ..base.clone()
            },
            Self { name: "GitOps, same roles", rewrites: rewritten(Content::Same), ..base.clone() },
            Self {
                name: "GitOps, one role changes",
                rewrites: rewritten(Content::OneChanged),
                ..base.clone()
            },
            Self { name: "start, 2 places", places: 2, ..base.clone() },
            Self { name: "start, 4 places", places: 4, ..base.clone() },
            Self { name: "start, 4 places, spread", places: 4, is_spread: true, ..base.clone() },
            Self { name: "region away 10 min, 2 places", places: 2, away: away(10), ..base.clone() },
            Self { name: "region away 60 min, 2 places", places: 2, away: away(60), ..base.clone() },
            Self {
                name: "region away 60 min, spread",
                places: 2,
                is_spread: true,
                away: away(60),
                ..base.clone()
            },
        ]
        .into_iter()
        .chain(base.days())
        .collect()
    }

    /// A day of the same fleet without hops, and with hops of an hour.
    fn days(&self) -> Vec<Self> {
        let day = Self { name: "a day", horizon: DAY, ..self.clone() };
        let hops = Some(Hops::of_an_hour());
        let long =
            Self { name: "a day, hops, hubs of 12 h", duration: minutes(12 * 60), hops, ..day.clone() };
        vec![
            Self { name: "a day, hops, hubs of 1 h", hops, ..day.clone() },
            Self {
                name: "hubs of 12 h, away 60 min",
                away: vec![minutes(600)..minutes(660)],
                ..long.clone()
            },
            Self {
                name: "hubs of 12 h, failover",
                failover: Some(minutes(600)),
                lapses: Lapses::Counted,
                ..long.clone()
            },
            long,
            day,
        ]
    }

    /// When Vault is back, if it fails over.
    pub fn vault_away(&self) -> Option<Range<Duration>> {
        self.failover.map(|failover| failover..failover + FAILOVER)
    }

    /// Does an absence explain that a pod got nothing in `span`?
    pub fn explains(&self, span: &Range<Duration>) -> bool {
        let within =
            |away: Range<Duration>| away.end.min(span.end).saturating_sub(away.start.max(span.start));
        // while one region is away the other can answer
        let away = if self.places == 1 { self.away.as_slice() } else { &[] };
        let absent: Duration = away.iter().cloned().chain(self.vault_away()).map(within).sum();
        let whole = span.end.saturating_sub(span.start);
        !absent.is_zero() && whole.saturating_sub(absent) <= LONGEST_BACK_OFF
    }
}
