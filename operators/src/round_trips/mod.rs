//! Round trips: money that is transferred from account to account and comes back to its payer. Rule `round_trip` of pack `aml`.
//!
//! A trip is a cycle of transfers in one currency. Each hop's payer is the payee of the hop before, no account is visited twice,
//! and the last hop pays the payer of the first one. Each hop happens at or after the one before, all within
//! [`Bounds::window`], and moves at least [`Bounds::share`] of the amount of the one before. There are at most [`Bounds::hops`].
//!
//! - **One alert for each transfer that brings money back**, about its shortest trip. Of several, it is the one whose hops come
//!   latest, compared from the last hop back. The alert's evidence is the path.
//! - The trip that a transfer ends is a function of the transfers that count. So a transfer that comes late raises or amends
//!   alerts, one that is taken back withdraws or amends them, and one that is captured for another amount does either.
//! - **The search** goes back from a transfer along what each payer had received before, and asks at each account whether the
//!   first payer has paid it. Of what an account received, and of what it was paid by the first payer, it looks at the latest
//!   [`Bounds::fan`] transfers. So a transfer costs at most `fan^(hops - 2)` steps, also among accounts with thousands of
//!   counterparties. Where an account exceeds that, older money than the latest `fan` transfers is not followed through it.
//! - **Memory**: transfers between two accounts, for the horizon and the window. A transfer that is older than the horizon when
//!   it comes is refused by the rules of the pack and ignored here.
//!
//! [`view`] has the view, [`graph`] what it remembers, [`search`] the search.

mod graph;
mod search;
#[cfg(test)]
mod tests;
mod transfer;
mod trips;
mod view;

pub use search::Bounds;
pub use view::{Movement, RoundTripState, RoundTripTables, RoundTrips, SavedRoundTrips};
