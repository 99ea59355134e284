//! Transactions with what RTS 22 asks for (Delegated Regulation (EU) 2017/590): from the section `transactions`, and from the fields of
//! the reference file. A transaction that lacks something, or has what the message has no room for, is left out and named by a finding.
//!
//! The two sides of a match are one transaction of the firm whose book they met in: reporting each side would report the trade twice.

use std::collections::{BTreeMap, BTreeSet};

use super::document::{Column, Document, Finding, Section};
use super::error::Unfit;
use super::reference::Reference;
use super::table::{Row, Table};
use crate::identifiers::{is_isin, is_lei};

/// The report of transactions.
pub(super) const REPORT: &str = "executions-rts22";
/// The section with one row for each match.
const TRANSACTIONS: &str = "transactions";
/// The section with the fields of the reference file.
const FIELDS: &str = "fields";
/// Name of the check whose findings name what is left out.
const CHECK: &str = "rts22";
/// The greatest length of a transaction's reference.
const REFERENCE: usize = 52;
/// The greatest number of digits of a quantity and of a price.
const DIGITS: usize = 18;

/// The transactions of a document.
pub(super) struct Transactions<'d> {
    pub(super) firm: Firm<'d>,
    pub(super) complete: Vec<Transaction<'d>>,
    pub(super) left_out: Vec<LeftOut<'d>>,
}

/// The firm in whose book they were executed.
pub(super) struct Firm<'d> {
    pub(super) lei: &'d str,
    pub(super) submitting_lei: &'d str,
    pub(super) investment_firm: &'d str,
    pub(super) venue: &'d str,
    pub(super) execution: Decider<'d>,
    country: &'d str,
}

/// A transaction that can be reported.
pub(super) struct Transaction<'d> {
    pub(super) match_id: &'d str,
    pub(super) reference: String,
    /// With at most six digits of a second, as RTS 22 writes times.
    pub(super) time: String,
    pub(super) isin: &'d str,
    pub(super) quantity: &'d str,
    pub(super) price: &'d str,
    pub(super) currency: &'d str,
    pub(super) capacity: &'d str,
    pub(super) buyer: Party<'d>,
    pub(super) seller: Party<'d>,
    pub(super) decision: Option<Decider<'d>>,
    pub(super) short_selling: Option<&'d str>,
}

/// A transaction that cannot, and why.
pub(super) struct LeftOut<'d> {
    pub(super) match_id: &'d str,
    pub(super) gaps: Vec<Gap>,
}

/// A buyer or a seller.
pub(super) struct Party<'d> {
    account: &'d str,
    pub(super) identity: Identity<'d>,
    /// The country of the branch that got the order of a client; none for the firm itself.
    pub(super) branch_country: Option<&'d str>,
    pub(super) decision_maker: Option<&'d str>,
    pub(super) transmitting_firm: Option<&'d str>,
}

/// Who somebody is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Identity<'d> {
    Lei(&'d str),
    Person { first_name: &'d str, surname: &'d str, birth_date: &'d str, number: PersonNumber<'d> },
}

/// A natural person's number, and what kind of number it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct PersonNumber<'d> {
    pub(super) id: &'d str,
    pub(super) id_type: &'d str,
}

/// Who decided within the firm.
#[derive(Clone, Copy)]
pub(super) enum Decider<'d> {
    /// The client, who named the venue of the execution.
    Client,
    Algorithm(&'d str),
    Person {
        branch_country: &'d str,
        number: PersonNumber<'d>,
    },
}

/// Why a transaction is left out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Gap {
    #[error("its reference {0} has more than {REFERENCE} letters and digits: report it by hand")]
    Reference(String),
    #[error("nothing is known of the instrument {0}: add it to the topic instruments")]
    Instrument(String),
    #[error("{symbol} is of the class {class}, which the message is not written for: report it by hand if RTS 22 asks for it")]
    Class { symbol: String, class: String },
    #[error("the instrument {0} has no ISIN: add isin to its record in the topic instruments")]
    NoIsin(String),
    #[error("the ISIN {isin} of {symbol} fails its check digit or form (ISO 6166): correct it in the topic instruments")]
    Isin { symbol: String, isin: String },
    #[error("its price has no currency: add currency to the record of {0} in the topic instruments")]
    NoCurrency(String),
    #[error("{0:?} is no currency of three letters (ISO 4217): correct it in the topic instruments")]
    Currency(String),
    #[error("the {what} {value} has more than {DIGITS} digits: report it by hand")]
    Digits { what: &'static str, value: String },
    #[error("the account {account} of the {side} has no owner: add customer_id to its record in the topic accounts")]
    Owner { side: &'static str, account: String },
    #[error(
        "the {side}, customer {customer} of account {account}, has no identification: add customer,{customer},lei,LEI to the reference file, or \
         first_name, surname, birth_date, national_id and id_type of the person"
    )]
    Identity { side: &'static str, customer: String, account: String },
    #[error("the buyer and the seller are the same, {0}, so nothing changed its owner: report it by hand if RTS 22 asks for it")]
    SameParty(String),
    #[error("both sides are clients of the firm: add firm,,trading_capacity,MTCH or AOTC to the reference file")]
    Capacity,
    #[error(
        "the firm decided on it for account {0}: add account,{0},investment_decision,VALUE or firm,,investment_decision,VALUE to the reference \
         file (algorithm:CODE or person:ID)"
    )]
    Decision(String),
    #[error(
        "it is not known whether the sale of account {0} was short: add account,{0},short_selling,VALUE or firm,,short_selling,VALUE to the \
         reference file (SELL, SESH, SSEX or UNDI)"
    )]
    ShortSelling(String),
}

impl Gap {
    /// Severity of the finding: an error if something is wrong or missing, a warning if the transaction may be none of RTS 22.
    fn severity(&self) -> &'static str {
        match self {
            Self::Class { class, .. } if ["fx", "crypto"].contains(&class.as_str()) => "warning",
            Self::SameParty(_) => "warning",
            _ => "error",
        }
    }
}

/// The fields of the reference file that are about a document: of the firm and its people, and of those who traded.
pub(super) fn section(transactions: &[Section], reference: &Reference) -> Section {
    let traded = transactions.iter().find(|section| section.name == TRANSACTIONS);
    let ids = |names: [&str; 2]| -> BTreeSet<&str> {
        let Some(section) = traded else { return BTreeSet::new() };
        let cells = section.rows.iter().flat_map(|row| section.columns.iter().zip(row));
        cells.filter(|(column, _)| names.contains(&column.name.as_str())).filter_map(|(_, value)| value.as_deref()).collect()
    };
    let (customers, accounts) = (ids(["buyer", "seller"]), ids(["buyer_account", "seller_account"]));
    let rows = reference.fields().iter().filter(|row| match row.kind.as_str() {
        "customer" => customers.contains(row.id.as_str()),
        "account" => accounts.contains(row.id.as_str()),
        _ => true,
    });
    let cell = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let rows = rows.map(|row| [&row.kind, &row.id, &row.field, &row.value].map(cell).to_vec()).collect();
    let columns = ["kind", "id", "field", "value"].map(Column::text).to_vec();
    Section {
        name: FIELDS,
        title: "Fields of the reference file: of the firm and its people, and of those who traded".to_owned(),
        columns,
        rows,
    }
}

/// A finding for everything that keeps a transaction out of the message.
pub(super) fn findings(document: &Document) -> Result<Vec<Finding>, Unfit> {
    let finding = |left_out: &LeftOut<'_>, gap: &Gap| Finding {
        severity: gap.severity().to_owned(),
        check: CHECK,
        key: left_out.match_id.to_owned(),
        finding: format!("the transaction is left out of auth.016: {gap}"),
    };
    let left_out = Transactions::of(document)?.left_out;
    Ok(left_out.iter().flat_map(|left_out| left_out.gaps.iter().map(move |gap| finding(left_out, gap))).collect())
}

impl<'d> Transactions<'d> {
    /// The transactions of a document that was made with a reference file.
    pub(super) fn of(document: &'d Document) -> Result<Self, Unfit> {
        let known = Known::of(document)?;
        let firm = known.the_firm()?;
        let (mut complete, mut left_out) = (Vec::new(), Vec::new());
        for row in Table::of(document, TRANSACTIONS)?.rows() {
            match known.transaction(&firm, &row)? {
                Ok(transaction) => complete.push(transaction),
                Err(gaps) => left_out.push(LeftOut { match_id: row.text("match_id")?, gaps }),
            }
        }
        Ok(Self { firm, complete, left_out })
    }
}

/// The fields of the reference file, by kind, id and field.
struct Known<'d>(BTreeMap<(&'d str, &'d str, &'d str), &'d str>);

impl<'d> Known<'d> {
    fn of(document: &'d Document) -> Result<Self, Unfit> {
        let mut fields = BTreeMap::new();
        for row in Table::find(document, FIELDS).ok_or(Unfit::NoFields)?.rows() {
            let key = (row.text("kind")?, row.find("id").unwrap_or_default(), row.text("field")?);
            fields.insert(key, row.text("value")?);
        }
        Ok(Self(fields))
    }

    fn get(&self, kind: &str, id: &str, field: &str) -> Option<&'d str> {
        self.0.get(&(kind, id, field)).copied()
    }

    /// A field of the firm that a file has.
    fn firm(&self, field: &'static str) -> Result<&'d str, Unfit> {
        self.get("firm", "", field).ok_or(Unfit::Lacks(field))
    }

    /// A field of an account, or what is written for the whole firm.
    fn of_account(&self, account: &str, field: &str) -> Option<&'d str> {
        self.get("account", account, field).or_else(|| self.get("firm", "", field))
    }

    fn the_firm(&self) -> Result<Firm<'d>, Unfit> {
        let venue = self.get("firm", "", "internaliser");
        Ok(Firm {
            lei: self.firm("lei")?,
            submitting_lei: self.firm("submitting_lei")?,
            investment_firm: self.firm("investment_firm")?,
            venue: venue.map_or_else(|| self.firm("venue"), Ok)?,
            execution: self.decider(self.firm("execution")?).ok_or(Unfit::Lacks("execution"))?,
            country: self.firm("country")?,
        })
    }

    fn number(&self, kind: &str, id: &str) -> Option<PersonNumber<'d>> {
        Some(PersonNumber { id: self.get(kind, id, "national_id")?, id_type: self.get(kind, id, "id_type")? })
    }

    fn decider(&self, value: &'d str) -> Option<Decider<'d>> {
        match value.split_once(':') {
            Some(("algorithm", code)) => Some(Decider::Algorithm(code)),
            Some(("person", id)) => {
                Some(Decider::Person { branch_country: self.get("person", id, "branch_country")?, number: self.number("person", id)? })
            }
            _ => Some(Decider::Client),
        }
    }

    /// How a customer is identified: by the fields in the file, else by the customer's id where that is an LEI.
    fn identity(&self, customer: &'d str) -> Option<Identity<'d>> {
        let of = |field| self.get("customer", customer, field);
        match (of("lei"), self.number("customer", customer)) {
            (Some(lei), _) => Some(Identity::Lei(lei)),
            (None, Some(number)) => {
                Some(Identity::Person { first_name: of("first_name")?, surname: of("surname")?, birth_date: of("birth_date")?, number })
            }
            (None, None) => is_lei(customer).then_some(Identity::Lei(customer)),
        }
    }

    fn party(&self, firm: &Firm<'d>, side: &'static str, account: &'d str, customer: Option<&'d str>) -> Result<Party<'d>, Gap> {
        let customer = customer.ok_or_else(|| Gap::Owner { side, account: account.to_owned() })?;
        let unknown = || Gap::Identity { side, customer: customer.to_owned(), account: account.to_owned() };
        let identity = self.identity(customer).ok_or_else(unknown)?;
        let of = |field| self.get("customer", customer, field).filter(|_| identity != Identity::Lei(firm.lei));
        let branch_country = (identity != Identity::Lei(firm.lei)).then(|| of("branch_country").unwrap_or(firm.country));
        let (decision_maker, transmitting_firm) = (of("decision_maker"), of("transmitting_firm"));
        Ok(Party { account, identity, branch_country, decision_maker, transmitting_firm })
    }

    /// The transaction of a row, or all that it lacks.
    fn transaction(&self, firm: &Firm<'d>, row: &Row<'d>) -> Result<Result<Transaction<'d>, Vec<Gap>>, Unfit> {
        let mut gaps = Vec::new();
        let mut take = |found: Result<&'d str, Gap>| found.map_err(|gap| gaps.push(gap)).unwrap_or_default();
        let (match_id, symbol) = (row.text("match_id")?, row.text("symbol")?);
        take(class(row.find("asset_class"), symbol));
        let isin = take(isin(row.find("instrument_isin"), symbol));
        let currency = take(currency(row.find("price_currency"), symbol));
        let quantity = take(digits("quantity", row.text("quantity")?));
        let price = take(digits("price", row.text("price")?));
        let reference = alphanumeric(match_id);
        if reference.len() > REFERENCE {
            gaps.push(Gap::Reference(reference.clone()));
        }
        let parties = [("buyer", "buyer_account", "buyer"), ("seller", "seller_account", "seller")]
            .map(|(side, account, customer)| Ok::<_, Unfit>(self.party(firm, side, row.text(account)?, row.find(customer))));
        let [buyer, seller] = parties;
        let (buyer, seller) = match (buyer?, seller?) {
            (Ok(buyer), Ok(seller)) => (buyer, seller),
            (buyer, seller) => {
                gaps.extend([buyer.err(), seller.err()].into_iter().flatten());
                return Ok(Err(gaps));
            }
        };
        let (capacity, decision) = self.decided(firm, &buyer, &seller, &mut gaps);
        let short_selling = self.of_account(seller.account, "short_selling").filter(|_| row.find("asset_class") == Some("equity"));
        if short_selling.is_none() && row.find("asset_class") == Some("equity") {
            gaps.push(Gap::ShortSelling(seller.account.to_owned()));
        }
        if !gaps.is_empty() {
            return Ok(Err(gaps));
        }
        let time = in_microseconds(row.text("trading_time")?);
        let transaction =
            Transaction { match_id, reference, time, isin, quantity, price, currency, capacity, buyer, seller, decision, short_selling };
        Ok(Ok(transaction))
    }

    /// The capacity in which the firm acted, and who decided within the firm if it did.
    fn decided(&self, firm: &Firm<'d>, buyer: &Party<'d>, seller: &Party<'d>, gaps: &mut Vec<Gap>) -> (&'d str, Option<Decider<'d>>) {
        let is_firm = |party: &&Party<'d>| party.identity == Identity::Lei(firm.lei);
        let is_managed = |party: &&Party<'d>| party.decision_maker == Some(firm.lei);
        if buyer.identity == seller.identity {
            gaps.push(Gap::SameParty(buyer.identity.to_string()));
        }
        let own = [buyer, seller].into_iter().find(is_firm);
        let capacity = match (own, self.get("firm", "", "trading_capacity")) {
            (Some(_), _) => "DEAL",
            (None, Some(capacity)) => capacity,
            (None, None) => {
                gaps.push(Gap::Capacity);
                ""
            }
        };
        let Some(decided) = own.or_else(|| [buyer, seller].into_iter().find(is_managed)) else { return (capacity, None) };
        let decision = self.of_account(decided.account, "investment_decision").and_then(|value| self.decider(value));
        if decision.is_none() {
            gaps.push(Gap::Decision(decided.account.to_owned()));
        }
        (capacity, decision)
    }
}

impl std::fmt::Display for Identity<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Lei(lei) => out.write_str(lei),
            Self::Person { number, .. } => out.write_str(number.id),
        }
    }
}

/// The class of an instrument whose quantity is in units and whose price is an amount.
fn class<'d>(class: Option<&'d str>, symbol: &str) -> Result<&'d str, Gap> {
    match class {
        Some(class @ ("equity" | "option" | "future")) => Ok(class),
        Some(class) => Err(Gap::Class { symbol: symbol.to_owned(), class: class.to_owned() }),
        None => Err(Gap::Instrument(symbol.to_owned())),
    }
}

fn isin<'d>(isin: Option<&'d str>, symbol: &str) -> Result<&'d str, Gap> {
    match isin {
        Some(isin) if is_isin(isin) => Ok(isin),
        Some(isin) => Err(Gap::Isin { symbol: symbol.to_owned(), isin: isin.to_owned() }),
        None => Err(Gap::NoIsin(symbol.to_owned())),
    }
}

fn currency<'d>(currency: Option<&'d str>, symbol: &str) -> Result<&'d str, Gap> {
    let currency = currency.ok_or_else(|| Gap::NoCurrency(symbol.to_owned()))?;
    let fits = currency.len() == 3 && currency.bytes().all(|letter| letter.is_ascii_uppercase());
    if fits { Ok(currency) } else { Err(Gap::Currency(currency.to_owned())) }
}

/// A number with as many digits as there is room for. It has at most nine after the point, which are fewer than the message has room for.
fn digits<'d>(what: &'static str, value: &'d str) -> Result<&'d str, Gap> {
    let number = value.trim_start_matches('-').trim_start_matches('0').bytes().filter(u8::is_ascii_digit).count();
    if number <= DIGITS { Ok(value) } else { Err(Gap::Digits { what, value: value.to_owned() }) }
}

/// An id in capital letters and digits alone, as references of RTS 22 are, so that different ids stay different: every other character,
/// and `Z`, is `Z` and the two hexadecimal digits of each of its bytes.
pub(super) fn alphanumeric(id: &str) -> String {
    let letter = |byte: u8| match byte {
        b'A'..=b'Y' | b'0'..=b'9' => char::from(byte).to_string(),
        byte => format!("Z{byte:02X}"),
    };
    id.bytes().map(letter).collect()
}

/// A time without what is below a microsecond.
fn in_microseconds(time: &str) -> String {
    let Some((second, fraction)) = time.trim_end_matches('Z').split_once('.') else { return time.to_owned() };
    let fraction = fraction.get(..6).unwrap_or(fraction).trim_end_matches('0');
    if fraction.is_empty() { format!("{second}Z") } else { format!("{second}.{fraction}Z") }
}
