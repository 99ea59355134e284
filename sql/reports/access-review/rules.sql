-- Rule packs by who proposed and who decided them
SELECT ruleset, version, state, proposed_by, decided_by, effective_from, ts
FROM   @rule_versions AS rule_versions
ORDER BY ruleset, version
