//! What went wrong on the way to metadata, by what it was: what containers and engines can do to a lookup has a bound
//! (see `bounded_read`, `engines::socket`, `bounds`, `turns`), and reaching one is counted here.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

use super::{bounded_read::ReadError, engines::EngineError};

/// Something that went wrong. Alerts say what it cost them; this says how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// An engine did not answer in time, or its socket rests after that.
    EngineSilent,
    /// An engine's answer made no sense.
    EngineGarbage,
    /// An engine's answer was longer than its bound.
    EngineTooLarge,
    /// An engine's socket is there and nobody can connect.
    EngineRefused,
    /// The stream of an engine's events broke, as when it is restarted or its socket is replaced.
    EngineStreamBroken,
    /// There was no room for what an engine told.
    EngineEventRefused,
    /// A user's engine told of a container that is not that user's.
    EngineLied,
    /// A file of an engine made no sense, or is no regular file.
    EngineFileGarbage,
    /// A file of an engine is longer than its bound.
    EngineFileTooLarge,
    /// A file of an engine could not be read.
    EngineFileUnreadable,
    /// Labels that were left out because of their length.
    LabelsCut,
    /// A `passwd` or `group` that is longer than its bound.
    UsersFileTooLarge,
    /// One that is a fifo, a device, a folder.
    UsersFileNotRegular,
    /// One that is a link to nothing inside the container, or out of it.
    UsersFileLink,
    /// One that could not be read.
    UsersFileUnreadable,
    /// An event did not get the names of its user in time.
    UsersLate,
    /// An event did not get the arguments of the processes above it in time.
    AncestorsLate,
    /// A lookup that was not even tried: one of the same container hangs, or all threads are taken.
    LookupRefused,
}

impl Trouble {
    const ALL: [Self; 18] = [
        Self::EngineSilent,
        Self::EngineGarbage,
        Self::EngineTooLarge,
        Self::EngineRefused,
        Self::EngineStreamBroken,
        Self::EngineEventRefused,
        Self::EngineLied,
        Self::EngineFileGarbage,
        Self::EngineFileTooLarge,
        Self::EngineFileUnreadable,
        Self::LabelsCut,
        Self::UsersFileTooLarge,
        Self::UsersFileNotRegular,
        Self::UsersFileLink,
        Self::UsersFileUnreadable,
        Self::UsersLate,
        Self::AncestorsLate,
        Self::LookupRefused,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::EngineSilent => "engine_silent",
            Self::EngineGarbage => "engine_garbage",
            Self::EngineTooLarge => "engine_too_large",
            Self::EngineRefused => "engine_refused",
            Self::EngineStreamBroken => "engine_stream_broken",
            Self::EngineEventRefused => "engine_event_refused",
            Self::EngineLied => "engine_lied",
            Self::EngineFileGarbage => "engine_file_garbage",
            Self::EngineFileTooLarge => "engine_file_too_large",
            Self::EngineFileUnreadable => "engine_file_unreadable",
            Self::LabelsCut => "labels_cut",
            Self::UsersFileTooLarge => "users_file_too_large",
            Self::UsersFileNotRegular => "users_file_not_regular",
            Self::UsersFileLink => "users_file_link",
            Self::UsersFileUnreadable => "users_file_unreadable",
            Self::UsersLate => "users_late",
            Self::AncestorsLate => "ancestors_late",
            Self::LookupRefused => "lookup_refused",
        }
    }

    /// Of an engine's answer; its absence is none.
    pub(super) fn of_engine(error: &EngineError) -> Option<Self> {
        match error {
            EngineError::Silent(_) => Some(Self::EngineSilent),
            EngineError::Garbage(_) => Some(Self::EngineGarbage),
            EngineError::TooLarge => Some(Self::EngineTooLarge),
            EngineError::Connect { .. } if !error.is_missing() => Some(Self::EngineRefused),
            EngineError::Connect { .. } | EngineError::Unknown | EngineError::Mute => None,
        }
    }

    /// Of a file of an engine; its absence is none.
    pub(super) const fn of_engine_file(error: &ReadError) -> Option<Self> {
        match error {
            ReadError::Absent => None,
            ReadError::Garbage(_) | ReadError::NotRegular => Some(Self::EngineFileGarbage),
            ReadError::TooLarge { .. } => Some(Self::EngineFileTooLarge),
            ReadError::Outside | ReadError::Io(_) => Some(Self::EngineFileUnreadable),
        }
    }

    /// Of a `passwd` or `group`; images without them are common.
    pub(super) const fn of_users_file(error: &ReadError) -> Option<Self> {
        match error {
            ReadError::Absent => None,
            ReadError::TooLarge { .. } => Some(Self::UsersFileTooLarge),
            ReadError::NotRegular => Some(Self::UsersFileNotRegular),
            ReadError::Outside => Some(Self::UsersFileLink),
            ReadError::Garbage(_) | ReadError::Io(_) => Some(Self::UsersFileUnreadable),
        }
    }
}

/// How often each happened since the start. Shared by all threads of enrichment.
#[derive(Debug, Default)]
pub(super) struct Troubles([AtomicU64; Trouble::ALL.len()]);

impl Troubles {
    pub(super) fn add(&self, trouble: impl Into<Option<Trouble>>) {
        if let Some(trouble) = trouble.into() {
            self.add_many(trouble, 1);
        }
    }

    pub(super) fn add_many(&self, trouble: Trouble, count: u64) {
        self.0[trouble as usize].fetch_add(count, Ordering::Relaxed);
    }

    /// All of them by name, also those that never happened.
    pub(super) fn by_name(&self) -> BTreeMap<&'static str, u64> {
        Trouble::ALL.into_iter().map(|trouble| (trouble.name(), self.of(trouble))).collect()
    }

    pub(super) fn of(&self, trouble: Trouble) -> u64 {
        self.0[trouble as usize].load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::{Trouble, Troubles};

    #[test]
    fn each_is_counted_under_a_name_of_its_own() {
        let troubles = Troubles::default();
        for (number, trouble) in Trouble::ALL.into_iter().enumerate() {
            assert_eq!(number, trouble as usize, "the order of ALL");
            troubles.add_many(trouble, number as u64 + 1);
        }
        let by_name = troubles.by_name();
        assert_eq!(by_name.len(), Trouble::ALL.len());
        assert_eq!(by_name["engine_silent"], 1);
        assert_eq!(by_name["lookup_refused"], Trouble::ALL.len() as u64);
        troubles.add(None);
        assert_eq!(troubles.by_name(), by_name);
    }
}
