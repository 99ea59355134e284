//! The customer who owns the account of a transaction, for rules that group by customer.
//!
//! **Key**: the account. **State**: none. A customer's accounts may be on several workers, so their events meet only once the
//! customer is known.

use headwater_schemas::events::Event;
use headwater_schemas::tables::Moment;
use headwater_schemas::{AccountId, CustomerId, Place, Placed};
use serde::{Deserialize, Serialize};

use super::customers::Customers;
use super::subject::Happened;
use crate::keyed_fold::{Outbox, States, View};

/// View that looks up the owner of each transaction's account. What nobody is known to own is left out.
#[derive(Clone, Copy, Debug)]
pub struct Owners;

/// What happened, and the customer who owns its account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// What happened.
    pub what: Happened,
    /// The customer.
    pub customer: CustomerId,
}

crate::fold_operator!(Owners);

impl View for Owners {
    type Key = AccountId;
    type Route = AccountId;
    type Event = Happened;
    type Broadcast = Event;
    type Context = Customers;
    type State = ();
    type Timer = ();
    type Tables = ();
    /// The event with its own place, which it keeps.
    type Derived = (Place, Known);
    type Update = ();

    fn key(&self, event: &Happened) -> AccountId {
        event.account().unwrap_or_default()
    }

    fn route(account: &AccountId) -> AccountId {
        *account
    }

    fn learn(&self, customers: &mut Customers, broadcast: Placed<Event>) {
        customers.learn(&broadcast.event);
    }

    fn apply(&self, customers: &Customers, account: &AccountId, (): &mut (), placed: Placed<Happened>, out: &mut Outbox<'_, Self>) {
        if let Some(customer) = customers.owner(account) {
            out.derive((placed.place, Known { what: placed.event, customer }));
        }
    }

    fn emit(&self, _: &Customers, _: &AccountId, (): &mut (), _: &Moment, (): &()) {}

    fn is_forgettable(&self, (): &()) -> bool {
        true
    }

    fn restore(&self, (): &(), _: &mut States<'_, Self>) {}
}
