//! The tree of books: sums of accounts roll up to each node above them.

use headwater_schemas::Scope;
use headwater_schemas::events::LimitScope;

use super::handles::{BookHandle, Named};
use super::part::Pending;

/// The nodes of all book paths.
#[derive(Debug)]
pub(super) struct Books {
    /// Nodes by scope.
    nodes: Named<BookHandle, Node>,
    /// Nodes with a pending part, by depth.
    touched: Vec<Vec<BookHandle>>,
    /// Whether a node's part has the scenario P&L of each scope right below it.
    has_components: bool,
}

#[derive(Debug)]
struct Node {
    parent: Option<BookHandle>,
    depth: usize,
    pending: Option<Box<Pending>>,
}

impl Books {
    /// No books.
    pub(super) fn new(has_components: bool) -> Self {
        Self { nodes: Named::default(), touched: Vec::new(), has_components }
    }

    /// The node of a path, created with all nodes above it. `None` for an empty path.
    pub(super) fn of_path(&mut self, path: &str) -> Option<BookHandle> {
        let ends = path.match_indices('/').map(|(end, _)| end).chain((!path.is_empty()).then_some(path.len()));
        let mut parent = None;
        for (depth, path) in ends.filter_map(|end| path.get(..end)).enumerate() {
            let scope = LimitScope::Book(Scope::derived(path)).name();
            parent = Some(self.nodes.intern(scope, || Node { parent, depth, pending: None }));
        }
        parent
    }

    /// Adds the part of a scope right below a node.
    pub(super) fn add(&mut self, book: BookHandle, child: Scope, part: &Pending) {
        let Some(node) = self.nodes.get_mut(book) else { return };
        if node.pending.is_none() {
            if self.touched.len() <= node.depth {
                self.touched.resize_with(node.depth + 1, Vec::new);
            }
            self.touched.get_mut(node.depth).into_iter().for_each(|touched| touched.push(book));
        }
        let pending = node.pending.get_or_insert_default();
        pending.add(part);
        if let Some(scenarios) = part.scenarios.as_ref().filter(|_| self.has_components) {
            pending.children.push((child, scenarios.clone()));
        }
    }

    /// Rolls all parts up, from the leaves to the roots, and passes each node's part to `emit`.
    pub(super) fn roll_up(&mut self, mut emit: impl FnMut(Scope, Pending)) {
        while let Some(deepest) = self.touched.pop() {
            for book in deepest {
                let Some(node) = self.nodes.get_mut(book) else { continue };
                let Some(mut pending) = node.pending.take() else { continue };
                pending.net_weights();
                let parent = node.parent;
                let Some(name) = self.nodes.name(book) else { continue };
                if let Some(parent) = parent {
                    self.add(parent, name, &pending);
                }
                emit(name, *pending);
            }
        }
    }
}
