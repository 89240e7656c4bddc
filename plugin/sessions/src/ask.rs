//! What a caller asks for.

use std::sync::Arc;
use std::time::Duration;

use crate::changes::Epoch;

/// An account and region: what one quota of the issuer covers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place(Arc<str>);

/// Who is asking, for taking turns: in Vault, the entity.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Caller(Arc<str>);

/// What is refused together, for the most part: in Vault, a role's callers of one namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Group(Arc<str>);

macro_rules! name {
    ($kind:ident) => {
        impl $kind {
            /// Names it.
            pub fn new(name: impl AsRef<str>) -> Self {
                Self(Arc::from(name.as_ref()))
            }
        }
    };
}
name!(Place);
name!(Caller);
name!(Group);

/// How a caller takes an old session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It can wait, and rather has a new session than one past its half-life.
    Patient,
    /// It wants an answer now: a usable old session is served while a new one is made.
    AtOnce,
}

/// Who else may have the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Every caller with an equal key.
    SameKey,
    /// Nobody: the session is made for this ask alone and not kept.
    Nobody,
}

/// How an ask stands to those of others at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// What must not wait: it starts at once, also without a token left and in a pause. It spends a token all the same, and no queue is
    /// too full for it, so that it has to be rare.
    First,
    /// In turn with everybody.
    InTurn,
    /// What others leave: none of the last half of the burst, but one start in 16 while others wait.
    Spare,
}

/// How a session is to be made, for whom, and under which quota.
#[derive(Clone, Debug)]
pub struct Order<W> {
    /// Whose quota it counts on.
    pub place: Place,
    /// With what it is refused.
    pub group: Group,
    /// Whose turn it takes.
    pub caller: Caller,
    /// Whether the caller can wait.
    pub mode: Mode,
    /// Whether others come first.
    pub rank: Rank,
    /// How long the session is to be. The issuer may give less, never more.
    pub duration: Duration,
    /// Whatever makes it; handed back when it is time. What it makes must depend on nothing that the key does not hold; how it does
    /// so may change (a timeout), so of several asks for one key the newest's is taken.
    pub work: W,
    /// Read before anything that key and work are made of: [`Desk::epoch`](crate::Desk::epoch).
    pub epoch: Epoch,
}

impl<W: Clone> Order<W> {
    /// Somebody else asks for the same.
    pub(crate) fn join(&mut self, other: &Self) {
        if other.mode == Mode::AtOnce {
            self.mode = Mode::AtOnce;
        }
        self.rank = self.rank.min(other.rank);
        if other.epoch >= self.epoch {
            self.work = other.work.clone();
            self.epoch = other.epoch;
        }
    }
}

/// One request for a session.
#[derive(Clone, Debug)]
pub struct Ask<K, W> {
    /// Equal keys get the same session.
    pub key: K,
    /// Who else may have it.
    pub sharing: Sharing,
    /// How it is made.
    pub order: Order<W>,
    /// How long the caller waits at most.
    pub patience: Duration,
}
