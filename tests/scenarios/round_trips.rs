//! Problems of people who look for money that comes back to its payer, wherever the run is cut.

use anyhow::Result;
use headwater_tests::stories::{Record, Story, check};

fn opened(account: &str) -> Record {
    let fixed = r#""customer_id":"c","account_type":"checking","currency":"USD""#;
    ("accounts", format!(r#"{{"type":"opened","account_id":"{account}",{fixed},"ts":"@0"}}"#))
}

/// A transfer in USD; `more` begins with a comma.
fn transfer(id: &str, from: &str, to: &str, amount: &str, more: &str, ts: u32) -> Record {
    let fixed = format!(r#""transaction_id":"{id}","type":"transfer","amount":"{amount}","currency":"USD""#);
    ("transactions", format!(r#"{{{fixed},"account_id":"{from}","counterparty_account":"{to}"{more},"ts":"@{ts}"}}"#))
}

const TRIPS: &str =
    "SELECT subject, kind, severity, state, array_to_string(evidence, ' ') FROM alerts WHERE rule = 'round_trip' ORDER BY alert_id";

fn stories() -> Vec<Story> {
    let opening = || ["A", "B", "C"].map(opened).into_iter();
    let trip =
        || [transfer("t1", "A", "B", "1000", "", 10), transfer("t2", "B", "C", "900", "", 20), transfer("t3", "C", "A", "800", "", 30)];
    vec![
        Story {
            name: "money that comes back over two accounts",
            config: "",
            records: opening().chain(trip()).chain([transfer("t4", "A", "B", "639", "", 40)]).collect(),
            answers: &[
                (TRIPS, &["A,aml,high,raised,t1 t2 t3"]),
                (
                    "SELECT count(*) FROM alerts WHERE message LIKE \
                     '1000 USD that account A sent at % came back as 800 over B, C at % (t1 1000, t2 900, t3 800)'",
                    &["1"],
                ),
            ],
        },
        Story {
            name: "a transfer that comes late closes a trip, and a shorter one amends it",
            config: "",
            records: opening()
                .chain([
                    transfer("t1", "A", "B", "1000", "", 10),
                    transfer("t3", "C", "A", "800", "", 30),
                    transfer("t9", "B", "outside", "1", "", 40),
                    transfer("t2", "B", "C", "900", "", 20),
                    transfer("s1", "A", "C", "850", "", 25),
                ])
                .collect(),
            answers: &[(TRIPS, &["A,aml,high,amended,s1 t3"])],
        },
        Story {
            name: "a reversal withdraws a trip, and the reversal of that one brings it back",
            config: "",
            records: opening()
                .chain(trip())
                .chain([
                    transfer("r1", "B", "C", "900", r#","reverses":"t2""#, 40),
                    transfer("t5", "B", "A", "1000", "", 45),
                    transfer("r2", "B", "A", "1000", r#","reverses":"t5""#, 50),
                    transfer("r3", "B", "A", "1000", r#","reverses":"r2""#, 55),
                ])
                .collect(),
            answers: &[(TRIPS, &["A,aml,high,withdrawn,t1 t2 t3 r1", "A,aml,high,amended,t1 t5"])],
        },
        Story {
            name: "bounds of one's own",
            config: "[aml]\nround_trips = { window = \"15s\", hops = 2, share = \"0.9\" }\n",
            records: opening()
                .chain(trip())
                .chain([
                    transfer("t5", "B", "A", "899", "", 24),
                    transfer("t6", "B", "A", "900", "", 26),
                    transfer("t7", "A", "C", "1000", "", 40),
                    transfer("t8", "C", "A", "1000", "", 55),
                ])
                .collect(),
            answers: &[(TRIPS, &["C,aml,high,raised,t3 t7", "A,aml,high,raised,t7 t8"])],
        },
        Story {
            name: "a bank without the pack",
            config: "[rules]\npacks = []\n",
            records: opening().chain(trip()).collect(),
            answers: &[(TRIPS, &[])],
        },
    ]
}

#[test]
fn what_people_who_look_for_round_trips_run_into() -> Result<()> {
    check(stories())
}
