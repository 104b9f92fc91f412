//! The pairs of schemas to compare, and the operations and directions that use each.
//!
//! The pairs form a graph: an operation leads to the schemas of its parameters and bodies, a schema to those that it is
//! made of. A component that a hundred operations use is compared and reported once, and recursive schemas terminate.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::change::{Difference, Direction};
use super::schema_comparer::{self, Key};
use super::specs::Specs;
use crate::pointer::Pointer;

/// An operation, by its index, and a direction.
type Use = (usize, Direction);

/// A pair of schemas.
struct Node {
    key: Key,
    /// The number of inline schemas around it.
    depth: usize,
    differences: Vec<Difference>,
    children: Vec<usize>,
    /// The operations whose parameters or bodies have this schema.
    roots_of: BTreeSet<Use>,
}

/// A difference with the directions and operations that use its location.
pub(super) struct UsedDifference {
    pub(super) difference: Difference,
    pub(super) directions: BTreeSet<Direction>,
    pub(super) operations: BTreeSet<usize>,
}

/// The pairs of schemas of two documents.
pub(super) struct SchemaGraph<'s, 'a> {
    specs: &'s Specs<'a>,
    nodes: Vec<Node>,
    index: HashMap<Key, usize>,
}

impl<'s, 'a> SchemaGraph<'s, 'a> {
    pub(super) fn new(specs: &'s Specs<'a>) -> Self {
        Self {
            specs,
            nodes: Vec::new(),
            index: HashMap::new(),
        }
    }

    /// Adds the pair of the schemas at two locations, and the operation that sends or receives them.
    pub(super) fn compare(&mut self, old: Pointer, new: Pointer, by: Option<Use>) {
        let key = Key {
            old,
            new,
            is_property: false,
        };
        let id = self.node(key, 0);
        self.nodes[id].roots_of.extend(by);
    }

    fn node(&mut self, key: Key, depth: usize) -> usize {
        if let Some(id) = self.index.get(&key) {
            return *id;
        }
        let id = self.nodes.len();
        self.index.insert(key.clone(), id);
        self.nodes.push(Node {
            key,
            depth,
            differences: Vec::new(),
            children: Vec::new(),
            roots_of: BTreeSet::new(),
        });
        id
    }

    /// Compares all pairs and those that they lead to.
    pub(super) fn finish(mut self) -> Vec<UsedDifference> {
        let mut next = 0;
        while let Some(node) = self.nodes.get(next) {
            let result = schema_comparer::compare(self.specs, &node.key, node.depth);
            let children: Vec<usize> = result
                .children
                .into_iter()
                .map(|(key, depth)| self.node(key, depth))
                .collect();
            if let Some(node) = self.nodes.get_mut(next) {
                node.differences = result.differences;
                node.children = children;
            }
            next += 1;
        }
        let uses = self.uses();
        let mut used = Vec::new();
        for (node, uses) in self.nodes.into_iter().zip(uses) {
            let directions: BTreeSet<Direction> =
                uses.iter().map(|(_, direction)| *direction).collect();
            let operations: BTreeSet<usize> =
                uses.into_iter().map(|(operation, _)| operation).collect();
            used.extend(
                node.differences
                    .into_iter()
                    .map(|difference| UsedDifference {
                        difference,
                        directions: directions.clone(),
                        operations: operations.clone(),
                    }),
            );
        }
        used
    }

    /// Returns the uses from which each node with differences is reached.
    fn uses(&self) -> Vec<Vec<Use>> {
        let mut roots: BTreeMap<Use, Vec<usize>> = BTreeMap::new();
        for (id, node) in self.nodes.iter().enumerate() {
            for by in &node.roots_of {
                roots.entry(*by).or_default().push(id);
            }
        }
        let mut uses = vec![Vec::new(); self.nodes.len()];
        let mut visited_in = vec![0; self.nodes.len()];
        for (round, (by, mut pending)) in (1..).zip(roots) {
            while let Some(id) = pending.pop() {
                if std::mem::replace(&mut visited_in[id], round) == round {
                    continue;
                }
                let node = &self.nodes[id];
                if !node.differences.is_empty() {
                    uses[id].push(by);
                }
                let children = node.children.iter();
                pending.extend(children.filter(|child| visited_in[**child] != round));
            }
        }
        uses
    }
}
