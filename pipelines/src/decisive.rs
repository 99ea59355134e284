//! The configuration keys that determine rows. They are stored with commits, so that the configuration of each commit is known.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use headwater_operators::rules::pack::BUILT_IN;
use headwater_operators::rules::{Difference, Pack};
use headwater_schemas::privacy::{Keys, Tokens};
use headwater_schemas::tables::RuleVersion;
use headwater_schemas::{Id, Nanos, Topic};
use serde_json::{Value, json};

use crate::config::{ComplianceConfig, Config, PackName, PrivacyConfig, RoundTripConfig, Span};
use crate::{coverage, key_file};

/// The key of the pack that scores transactions.
const SCORING: &str = "fraud.pack";
/// Prefix of the keys of the other packs; their names follow.
const OTHERS: &str = "rules.packs.";

/// A key whose value has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The key, with its section.
    pub key: String,
    /// The old value, if there was one.
    pub before: Option<Value>,
    /// The new value, if there is one.
    pub now: Option<Value>,
}

impl std::fmt::Display for Changed {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(difference) = self.rules().filter(|difference| !difference.changes.is_empty()) {
            return write!(out, "{}: {}", self.key, difference.changes.join(", "));
        }
        let text = |value: &Option<Value>| value.as_ref().map_or("nothing".to_owned(), shortened);
        write!(out, "{}: {} before, {} now", self.key, text(&self.before), text(&self.now))
    }
}

impl Changed {
    /// The difference of a pack's rules, if the change is one of rules and both can be read.
    fn rules(&self) -> Option<Difference> {
        Some(self.load(self.now.as_ref())?.difference(self.load(self.before.as_ref())?.as_ref()))
    }

    /// The pack that the change is about: the new one, or else the one that was there.
    pub fn of_pack(&self) -> Option<Arc<Pack>> {
        self.load(self.now.as_ref().or(self.before.as_ref()))
    }

    fn load(&self, value: Option<&Value>) -> Option<Arc<Pack>> {
        Pack::parse(self.pack()?, value?.as_str()?).ok()
    }

    /// The pack that the key names.
    fn pack(&self) -> Option<&str> {
        if self.key == SCORING { Some(SCORING) } else { self.key.strip_prefix(OTHERS) }
    }

    /// Why the existing state cannot be used with the new value.
    pub fn missing(&self) -> Vec<String> {
        match (self.rules(), self.pack()) {
            (Some(difference), _) => difference.missing,
            (None, Some(name)) if self.before.is_none() => vec![format!("no events are remembered for the pack {name}")],
            (None, Some(_)) if self.now.is_some() => vec!["the rules of before cannot be read any more".to_owned()],
            _ => Vec::new(),
        }
    }
}

/// A value for a message; rules are shown as their number of lines.
fn shortened(value: &Value) -> String {
    match value.as_str().map(|text| (text, text.lines().count())) {
        Some((_, lines @ 2..)) => format!("{lines} lines"),
        Some((text, _)) => format!("{text:?}"),
        None => value.to_string(),
    }
}

/// The keys that determine rows, with the content of the files that they name.
#[derive(Clone, Debug)]
pub struct Decisive {
    /// All keys as JSON, sorted.
    pub text: String,
    /// The rule packs.
    pub packs: Vec<Arc<Pack>>,
    /// What is written in place of personal values; none if all are written as they are.
    pub tokens: Option<Arc<Tokens>>,
}

/// A pack with its key and its text.
struct Keyed {
    key: String,
    pack: Arc<Pack>,
    text: String,
}

/// The versions of packs that are in force by the topic `rules`.
pub type Versions<'a> = BTreeMap<Id, &'a RuleVersion>;

impl Decisive {
    /// Extracts them from a configuration.
    pub fn of(config: &Config) -> anyhow::Result<Self> {
        Self::with(config, &Versions::new())
    }

    /// Extracts them from a configuration, with versions of packs in place of the configured ones.
    pub fn with(config: &Config, versions: &Versions<'_>) -> anyhow::Result<Self> {
        let mut packs = configured(config)?;
        for (ruleset, version) in versions {
            let place = packs.iter().position(|keyed| keyed.pack.name() == &**ruleset);
            let key = place.map(|place| packs.remove(place).key).unwrap_or_else(|| format!("{OTHERS}{ruleset}"));
            let Some(text) = version.pack.as_deref() else { continue };
            let keyed = Keyed { key, pack: of_version(version, text)?, text: text.to_owned() };
            packs.insert(place.unwrap_or(packs.len()), keyed);
        }
        let keys = keys(&config.privacy)?;
        let text = text(config, &packs, keys.as_ref())?;
        let packs: Vec<_> = packs.into_iter().map(|keyed| keyed.pack).collect();
        let tokens = keys.map(|keys| Arc::new(Tokens::new(config.privacy.tokens.clone(), keys)));
        let replaced = |field: &&str| tokens.as_ref().is_some_and(|tokens| tokens.replaces(field));
        if let Some((pack, field)) = packs.iter().find_map(|pack| Some((pack, pack.groupings().find(replaced)?))) {
            anyhow::bail!(
                "the rule pack {} groups events by {field}, which its alerts name: leave {field} out of privacy.tokens, or group by another field",
                pack.name()
            );
        }
        Ok(Self { text, packs, tokens })
    }
}

/// The packs of a configuration, the one that scores transactions first.
fn configured(config: &Config) -> anyhow::Result<Vec<Keyed>> {
    let mut packs = Vec::<Keyed>::new();
    for name in config.packs() {
        let (file, text) = pack_text(&name)?;
        let pack = Pack::parse(&file, &text)?;
        if packs.iter().any(|other| other.pack.name() == pack.name()) {
            anyhow::bail!("{file}: there is another pack named {}: give one of them another name", pack.name());
        }
        let key = if packs.is_empty() { SCORING.to_owned() } else { format!("{OTHERS}{}", pack.name()) };
        packs.push(Keyed { key, pack, text });
    }
    Ok(packs)
}

/// The keys of tokens; none without tokens.
fn keys(config: &PrivacyConfig) -> anyhow::Result<Option<Keys>> {
    let file = config.keys.as_ref().filter(|_| !config.tokens.is_empty());
    file.map(|file| key_file::read(file)).transpose()
}

/// Loads a version that was approved.
fn of_version(RuleVersion { ruleset, version, .. }: &RuleVersion, text: &str) -> anyhow::Result<Arc<Pack>> {
    let mend = || {
        format!(
            "version {version} of the rule pack {ruleset}, which the topic rules made effective, cannot be loaded by this program: \
             replay into another directory, where it is a dead letter, or set rules.topic = false"
        )
    };
    Pack::parse(&format!("{ruleset}/{version}"), text).with_context(mend)
}

/// The rule packs in the text of decisive keys, as a commit's configuration has it.
pub fn packs_of(text: &str) -> anyhow::Result<Vec<Arc<Pack>>> {
    packs_in(text)?.into_iter().collect()
}

/// The same, pack by pack: some may be of another program, which this one cannot load.
pub fn packs_in(text: &str) -> anyhow::Result<Vec<anyhow::Result<Arc<Pack>>>> {
    let keys: Value = serde_json::from_str(text)?;
    let scoring = keys.pointer("/fraud/pack").map(|pack| (SCORING, pack));
    let others = keys.pointer("/rules/packs").and_then(Value::as_object).into_iter().flatten();
    let all = scoring.into_iter().chain(others.map(|(name, pack)| (name.as_str(), pack)));
    let texts = all.filter_map(|(name, pack)| Some((name, pack.as_str()?)));
    Ok(texts.map(|(name, pack)| Ok(Pack::parse(name, pack)?)).collect())
}

/// The name of a pack in messages, and its text.
fn pack_text(name: &PackName) -> anyhow::Result<(String, String)> {
    match (name.file(), BUILT_IN.iter().find(|(known, _)| name.0 == Path::new(known))) {
        (None, Some((known, text))) => Ok((format!("{known}.toml (built in)"), (*text).to_owned())),
        (file, _) => {
            let file = file.unwrap_or(&name.0);
            let known = BUILT_IN.map(|(known, _)| known).join(", ");
            let hint = || format!("reading the rule pack {}: give a file, or a built-in one ({known})", file.display());
            Ok((file.display().to_string(), std::fs::read_to_string(file).with_context(hint)?))
        }
    }
}

fn text(config: &Config, packs: &[Keyed], keys: Option<&Keys>) -> anyhow::Result<String> {
    let scoring: BTreeMap<_, _> = packs.iter().filter(|keyed| keyed.key == SCORING).map(|keyed| ("pack", &keyed.text)).collect();
    let others: BTreeMap<_, _> = packs.iter().filter_map(|keyed| Some((keyed.key.strip_prefix(OTHERS)?, &keyed.text))).collect();
    let text = |duration: Duration| format!("{duration:?}");
    let horizons = config.horizons();
    let span = |length: Nanos| text(length.into());
    let topics: BTreeMap<_, _> = horizons.topics.iter().map(|(topic, nanos)| (topic.as_str(), span(*nanos))).collect();
    let mut all = json!({
        "time": {
            "tick_interval": text(config.time.tick_interval),
            "idle_allowance": text(config.time.idle_allowance),
            "horizon": span(horizons.horizon),
        },
        "horizons": { "topics": topics, "busts": span(horizons.busts), "fraud": span(horizons.fraud) },
        "commit": { "audit": config.commit.audit },
        "valuation": {
            "interval": text(config.valuation.interval),
            "base_currency": config.valuation.base_currency.as_str(),
            "max_rate_age": text(config.valuation.max_rate_age),
        },
        "positions": serde_json::to_value(&config.positions)?,
        "risk": serde_json::to_value(&config.risk)?,
        "limits": serde_json::to_value(&config.limits)?,
        "ledger": {
            "reversal_horizon": text(config.ledger.reversal_horizon),
            "hold_expiry": config.ledger.hold_expiry.map(|Span(expiry)| text(expiry)),
            "overcapture": config.ledger.overcapture,
            "partial_captures": config.ledger.partial_captures,
            "enforce": config.ledger.enforce,
        },
        "transfers": { "stuck_after": text(config.transfers.stuck_after) },
        "payments": { "stuck_after": text(config.payments.stuck_after) },
        "interest": serde_json::to_value(config.interest)?,
        "matching": serde_json::to_value(&config.matching)?,
        "compliance": retention(&config.compliance),
        "aml": { "round_trips": round_trips(&config.aml.round_trips) },
        "fraud": scoring,
        "rules": { "packs": others, "base_currency": config.rules.base_currency.as_str(), "topic": config.rules.topic },
        "customers": serde_json::to_value(&config.customers)?,
        "notifications": serde_json::to_value(&config.notifications)?,
        "privacy": { "tokens": config.privacy.tokens, "keys": keys.map(|keys| keys.id().to_string()) },
        "surveillance": serde_json::to_value(&config.surveillance)?,
    });
    // Directories that were made before there was a choice go on unchanged.
    if let (false, Some(all)) = (config.source.avro.is_empty(), all.as_object_mut()) {
        let topics: Vec<_> = config.source.avro_topics().into_iter().map(Topic::as_str).collect();
        all.insert("source".to_owned(), json!({ "avro": topics }));
    }
    Ok(serde_json::to_string_pretty(&all)?)
}

fn retention(config: &ComplianceConfig) -> Value {
    let lengths =
        config.retention_by_account_type.iter().map(|(account_type, Span(length))| (account_type.as_str(), format!("{length:?}")));
    json!({ "retention": format!("{:?}", config.retention.0), "retention_by_account_type": lengths.collect::<BTreeMap<_, _>>() })
}

fn round_trips(config: &RoundTripConfig) -> Value {
    let RoundTripConfig { window, hops, share, fan } = config;
    json!({ "window": format!("{window:?}"), "hops": hops, "share": share.to_string(), "fan": fan })
}

/// The keys that differ.
pub fn changed(before: &str, now: &str) -> anyhow::Result<Vec<Changed>> {
    let keys = |text: &str| -> anyhow::Result<BTreeMap<String, Value>> {
        let mut keys = BTreeMap::new();
        flatten(String::new(), serde_json::from_str(text)?, &mut keys);
        keys.retain(|key, _| !key.starts_with(coverage::KEY));
        Ok(keys)
    };
    let (mut before, mut now) = (keys(before)?, keys(now)?);
    before.retain(|key, value| match now.get(key) {
        Some(same) if same == value => now.remove(key).is_none(),
        _ => true,
    });
    let names: std::collections::BTreeSet<String> = before.keys().chain(now.keys()).cloned().collect();
    Ok(names.into_iter().map(|key| Changed { before: before.remove(&key), now: now.remove(&key), key }).collect())
}

fn flatten(key: String, value: Value, keys: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                flatten(if key.is_empty() { name } else { format!("{key}.{name}") }, value, keys);
            }
        }
        value => drop(keys.insert(key, value)),
    }
}

#[cfg(test)]
mod tests {
    use headwater_schemas::tables::RuleVersionState;

    use super::*;

    #[test]
    fn the_packs_of_a_stored_configuration_are_those_that_it_was_made_with() -> anyhow::Result<()> {
        let decisive = Decisive::of(&Config::default())?;
        let names = |packs: &[Arc<Pack>]| packs.iter().map(|pack| pack.name().to_owned()).collect::<std::collections::BTreeSet<_>>();
        assert_eq!(names(&packs_of(&decisive.text)?), names(&decisive.packs));
        assert!(packs_of("{}")?.is_empty());
        Ok(())
    }

    #[test]
    fn a_version_takes_the_place_of_the_pack_of_its_name() -> anyhow::Result<()> {
        let pack = |name: &str, amount: u32| {
            let rule = format!("[[rule]]\nname = \"big\"\nwhen = \"amount > {amount}\"\nseverity = \"low\"\n");
            format!("name = \"{name}\"\nsubject = \"transaction\"\n{rule}")
        };
        let version = |name: &str, pack: Option<String>| RuleVersion {
            ruleset: Id::derived(name),
            version: Id::derived("1"),
            state: RuleVersionState::Effective,
            proposed_by: Id::derived("ann"),
            decided_by: Some(Id::derived("bob")),
            effective_from: None,
            counts_from: None,
            pack: pack.map(headwater_schemas::Text::from),
            ts: headwater_schemas::EventTime::from_nanos(0),
        };
        let config = Config::parse("c", "[rules]\npacks = [\"aml\", \"access\"]\n")?;
        let before = Decisive::of(&config)?;
        // Versions, the packs in their order, and the keys that change.
        type Case = (&'static str, Vec<RuleVersion>, &'static [&'static str], &'static [&'static str]);
        let cases: [Case; 6] = [
            ("none", vec![], &["banking", "aml", "access"], &[]),
            ("the one that scores", vec![version("banking", Some(pack("banking", 5)))], &["banking", "aml", "access"], &["fraud.pack"]),
            ("another one", vec![version("aml", Some(pack("aml", 5)))], &["banking", "aml", "access"], &["rules.packs.aml"]),
            ("a new one", vec![version("mine", Some(pack("mine", 5)))], &["banking", "aml", "access", "mine"], &["rules.packs.mine"]),
            ("retired", vec![version("aml", None), version("banking", None)], &["access"], &["fraud.pack", "rules.packs.aml"]),
            ("retired before it was known", vec![version("mine", None)], &["banking", "aml", "access"], &[]),
        ];
        for (case, versions, packs, keys) in cases {
            let now = Decisive::with(&config, &versions.iter().map(|row| (row.ruleset.clone(), row)).collect())?;
            assert_eq!(now.packs.iter().map(|pack| pack.name()).collect::<Vec<_>>(), packs, "{case}");
            let changed = changed(&before.text, &now.text)?;
            assert_eq!(changed.iter().map(|change| change.key.as_str()).collect::<Vec<_>>(), keys, "{case}");
            for change in &changed {
                let is_of = |version: &RuleVersion| change.of_pack().is_some_and(|pack| pack.name() == &*version.ruleset);
                assert!(versions.iter().any(is_of), "{case}: {change}");
            }
            assert_eq!(packs_of(&now.text)?.len(), packs.len(), "{case}: as a commit keeps it");
        }
        let unreadable = version("banking", Some("name = 1".to_owned()));
        let said = Decisive::with(&config, &Versions::from([(Id::derived("banking"), &unreadable)])).map_err(|error| error.to_string());
        assert!(said.is_err_and(|said| said.contains("version 1 of the rule pack banking") && said.contains("rules.topic")));
        Ok(())
    }

    #[test]
    fn a_setting_that_decides_rows_is_recorded() -> anyhow::Result<()> {
        let before = Decisive::of(&Config::default())?;
        for (section, key) in [
            ("[surveillance]\nfat_finger = 20\n", "surveillance.fat_finger"),
            ("[surveillance.symbols.AAPL]\nfat_finger = 20\n", "surveillance.symbols.AAPL.fat_finger"),
            ("[positions]\nlots_by_account = { A7 = \"fifo\" }\n", "positions.lots_by_account.A7"),
            ("[ledger]\nenforce = true\n", "ledger.enforce"),
            ("[compliance]\nretention = \"365d\"\n", "compliance.retention"),
            ("[notifications]\nquiet_from = \"21:00\"\n", "notifications.quiet_from"),
        ] {
            let now = Decisive::of(&Config::parse("c", section)?)?;
            let keys: Vec<_> = changed(&before.text, &now.text)?.into_iter().map(|change| change.key).collect();
            assert!(keys.iter().any(|changed| changed == key), "{section}: {keys:?}");
        }
        Ok(())
    }

    #[test]
    fn what_changed_is_told_key_by_key() -> anyhow::Result<()> {
        let before = Config::default();
        let now =
            Config::parse("c", "[risk]\nwindow = 500\n[horizons]\nfills = \"72h\"\n[limits]\nleverage = \"4\"\n[http]\naddress = \"\"\n")?;
        let changed = changed(&Decisive::of(&before)?.text, &Decisive::of(&now)?.text)?;
        let told: Vec<_> = changed.iter().map(ToString::to_string).collect();
        let expected = [
            "horizons.topics.fills: nothing before, \"259200s\" now",
            "limits.leverage: \"3\" before, \"4\" now",
            "risk.window: 252 before, 500 now",
        ];
        assert_eq!(told, expected);
        let rules = Changed { key: "fraud.pack".to_owned(), before: Some(json!("a\nb")), now: Some(json!("a\nb\nc")) };
        assert_eq!(rules.to_string(), "fraud.pack: 2 lines before, 3 lines now");
        Ok(())
    }
}
