//! The connectors there are: `shared/catalog`, compiled into the program, and those added at construction.

mod check;
#[cfg(test)]
mod compile;
mod nearest;
#[cfg_attr(not(test), expect(dead_code, reason = "the build script and the tests write the bytes"))]
mod packed;
mod quirks;

use std::sync::{LazyLock, OnceLock};

pub use check::CheckError;

use crate::protocol::connector::{self, Connector, EvidenceLevel, List, Text};

/// The shipped connectors, as the build script wrote them.
static TABLE: LazyLock<packed::Table> = LazyLock::new(|| {
    packed::Table::of(include_bytes!(concat!(env!("OUT_DIR"), "/connectors.bin"))).unwrap_or_default()
});

/// Their notes, of those that have any.
static NOTES: LazyLock<packed::Table> =
    LazyLock::new(|| packed::Table::of(include_bytes!(concat!(env!("OUT_DIR"), "/notes.bin"))).unwrap_or_default());

/// Those that were looked up in this process. Empty, it takes no room in the program and nothing at its start.
static READ: [OnceLock<Option<Box<Connector>>>; include!(concat!(env!("OUT_DIR"), "/count.rs"))] =
    [const { OnceLock::new() }; include!(concat!(env!("OUT_DIR"), "/count.rs"))];

/// The connectors that a deployment offers. Looking one up reads its row at the first time and nothing afterwards.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// Sorted by id.
    added: Vec<Connector>,
}

impl Catalog {
    /// The connectors that ship.
    #[must_use]
    pub fn builtin() -> Self {
        Self::default()
    }

    /// Adds a connector, or puts it in the place of another with its id.
    #[must_use]
    pub fn with(mut self, connector: Connector) -> Self {
        match self.added.binary_search_by(|added| added.id.cmp(&connector.id)) {
            Ok(at) => self.added[at] = connector,
            Err(at) => self.added.insert(at, connector),
        }
        self
    }

    /// The connector under an id; one that ships without its [notes](Catalog::notes).
    #[must_use]
    pub fn connector(&self, id: &str) -> Option<&Connector> {
        self.added(id).or_else(|| TABLE.place(id).and_then(shipped))
    }

    /// What surprises a developer at a connector's provider, in sentences for documentation. Those of what ships are kept apart:
    /// the functions that connect and call have no use for them, and start the faster the smaller they are.
    #[must_use]
    pub fn notes(&self, connector: &Connector) -> List<Text> {
        if connector.evidence.level == EvidenceLevel::Custom || self.added(&connector.id).is_some() {
            return connector.notes.clone();
        }
        NOTES.place(&connector.id).and_then(|place| NOTES.row(place)).unwrap_or_default()
    }

    /// All connectors, sorted by id; those that ship without their [notes](Catalog::notes).
    pub fn iter(&self) -> impl Iterator<Item = &Connector> {
        let kept = (0..TABLE.count()).filter_map(shipped).map(|connector| connector as &Connector);
        let kept = kept.filter(|connector| self.added(&connector.id).is_none());
        let mut all: Vec<&Connector> = kept.chain(&self.added).collect();
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all.into_iter()
    }

    /// The ids that somebody may have meant, the nearest first; at most three.
    #[must_use]
    pub fn nearest(&self, id: &str) -> Vec<&str> {
        nearest::among(self.iter().map(|connector| (connector.id.as_ref(), connector.name.as_ref())), id)
    }

    fn added(&self, id: &str) -> Option<&Connector> {
        let at = self.added.binary_search_by(|connector| connector.id.as_ref().cmp(id)).ok()?;
        self.added.get(at)
    }
}

/// The shipped connector at a place of the table.
fn shipped(place: usize) -> Option<&'static Connector> {
    READ.get(place)?.get_or_init(|| TABLE.row(place).map(Box::new)).as_deref()
}

#[cfg(test)]
mod tests;
