//! What this process does about itself: no core dump, memory that is not swapped out, as many descriptors as it may have.

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};

use crate::failure::Failure;

/// Prepares the process for secrets.
///
/// # Errors
/// Core dumps cannot be disabled.
pub(crate) fn prepare() -> Result<(), Failure> {
    disable_core_dumps()?;
    lock_memory();
    raise_descriptors();
    Ok(())
}

/// A core dump would hold every cached session. Nobody without `CAP_SYS_PTRACE` may read this process either.
fn disable_core_dumps() -> Result<(), Failure> {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Core, none)
        .and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable))
        .map_err(|error| Failure::new(format!("core dumps cannot be disabled: {error}")))
}

/// Locks memory where that is allowed without a bound. With a bound, an allocation beyond it would fail and end the process, so memory
/// is left as it is; a kubelet starts on no node with swap unless it is told to (`failSwapOn`).
fn lock_memory() {
    if getrlimit(Resource::Memlock).current.is_some() {
        tracing::info!(
            "memory is not locked: RLIMIT_MEMLOCK is bounded; on a node with swap, sessions may reach it"
        );
        return;
    }
    let all = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    if let Err(error) = mlockall(all) {
        tracing::info!("memory is not locked: {error}");
    }
}

/// A connection of a pod is a descriptor.
fn raise_descriptors() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::debug!("the number of descriptors stays as it is: {error}");
    }
}
