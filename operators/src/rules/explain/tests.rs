//! Tests of explanations: with the built-in packs.

use super::*;

fn pack(name: &str) -> std::sync::Arc<Pack> {
    Pack::built_in(name).expect(name).expect(name)
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn a_rule_is_explained_from_its_evidence() {
    let explanation = pack("banking").explain("velocity", &["count_10m=6", "t1", "t2"]);
    let expected = RuleExplanation {
        condition: "count_10m > 5".to_owned(),
        rise: None,
        compared: texts(&["count_10m=6 > 5"]),
        clearings: texts(&["count_10m at most 5"]),
        is_single: true,
        figures: 1,
    };
    assert_eq!(explanation, Some(expected));
    assert_eq!(pack("banking").explain("late_event", &["t1"]), None);

    let travel = pack("banking").explain("impossible_travel", &["speed_kmh=1200.5", "travel_km=300.1", "travel_time=15m", "t1", "t2"]);
    let travel = travel.expect("a rule");
    assert_eq!(travel.compared, ["speed_kmh=1200.5 > 900", "travel_km=300.1 > 50", "travel_time=15m >= 1m"]);
    assert_eq!(travel.clearings, ["speed_kmh at most 900", "travel_km at most 50", "travel_time below 1m"]);

    let velocity = pack("payments").explain("velocity", &["count_1h=6", "p1"]).expect("a rule");
    assert_eq!(
        (velocity.rise.as_deref(), velocity.clearings.as_slice()),
        (Some("80 points if count_1h > 5"), &texts(&["count_1h at most 3"])[..])
    );
    let denied = pack("access").explain("access_denied", &["outcome=denied"]).expect("a rule");
    assert!(denied.rise.is_some_and(|rise| rise.starts_with("high if ")));
}

#[test]
fn the_figures_of_a_message_are_found() {
    let figures = ["deposits_below_limit_7d=3", "direction=in", "channel=cash", "amount=9000"];
    let message = format!("structuring of party a: b, c: {}", figures.join(", "));
    let aml = pack("aml");
    assert_eq!(aml.figures_in("structuring", &message), figures);
    assert_eq!(aml.figures_in("structuring", &format!("{message}, (and earlier events)")), figures);
    assert_eq!(aml.figures_in("structuring", &format!("{message}, (and earlier events){OVER}")), figures);
    assert_eq!(aml.figures_in("structuring", &format!("{message}{OVER}")), figures);
    assert_eq!(aml.figures_in("structuring", "it is over"), [""; 0]);
    assert_eq!(aml.figures_in("another", &message), [""; 0]);
    assert!(aml.raises(AlertKind::Aml, "structuring") && !aml.raises(AlertKind::Fraud, "structuring"));
    assert!(!pack("banking").raises(AlertKind::Fraud, "velocity"), "its alerts are about decisions");
}

#[test]
fn a_text_with_a_comma_is_one_figure() {
    let text = "name = \"p\"\nsubject = \"transaction\"\n[[rule]]\nname = \"shop\"\nwhen = \"merchant != 'x' and amount > 1\"\nseverity = \"low\"\n";
    let pack = Pack::parse("p", text).expect("a pack");
    assert_eq!(pack.figures_in("shop", "shop of account a: merchant=A, B, c=d, amount=2"), ["merchant=A, B, c=d", "amount=2"]);
}

#[test]
fn the_fewest_rules_are_those_with_the_most_points() {
    let way = |rules: &[usize], score: i64| Without { rules: rules.to_vec(), score: Decimal::whole(score) };
    let (block, review) = (Verdict::Block, Verdict::Review);
    for (points, expected) in [
        // Review from 40, block from 70.
        (&[30, 40][..], vec![(block, vec![way(&[0], 40), way(&[1], 30)]), (review, vec![way(&[1], 30)])]),
        (&[30, 40, 50], vec![(block, vec![way(&[2, 1], 30)]), (review, vec![way(&[2, 1], 30)])]),
        (&[20, 30], vec![(review, vec![way(&[0], 30), way(&[1], 20)])]),
        (&[50, 50, 50], vec![(block, vec![way(&[0, 1], 50)]), (review, vec![way(&[0, 1, 2], 0)])]),
        (&[30], vec![]),
        (&[], vec![]),
    ] {
        let reached: Vec<_> = pack("banking").reached(points).into_iter().map(|reached| (reached.verdict, reached.without)).collect();
        assert_eq!(reached, expected, "{points:?}");
    }
    // 50 and 70 of what is left: 85. Above 80 is a block, and exactly 80 is not.
    let payments = pack("payments").reached(&[50, 70]);
    assert_eq!(payments.first().map(|reached| reached.without.clone()), Some(vec![way(&[0], 70), way(&[1], 50)]));
    assert_eq!(pack("payments").reached(&[80]).first().map(|reached| reached.verdict), Some(review));
    assert!(pack("aml").reached(&[1, 1]).is_empty());
    assert_eq!(pack("banking").verdicts().as_deref(), Some("review from 40, block from 70"));
    assert_eq!(pack("payments").verdicts().as_deref(), Some("review from 50, block above 80"));
    assert_eq!(pack("aml").verdicts(), None);
}
