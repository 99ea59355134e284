//! Fields of transaction reports (RTS 22) that the pipeline does not know: of the firm, its customers, their accounts, and its people.
//!
//! The header is `kind,id,field,value`. The value is the rest of the line, commas included: RTS 22 separates first names with commas.
//! Every value is checked here, so that a report meets only such as fit.

use std::collections::BTreeMap;

use headwater_schemas::Date;

use crate::identifiers::is_lei;

pub(super) const HEADER: &str = "kind,id,field,value";
/// The greatest number of rows.
const MAX_ROWS: usize = 1_000_000;
/// The greatest length of a name.
const NAME: usize = 140;
/// The greatest length of the code of an algorithm.
const ALGORITHM: usize = 50;
/// The greatest length of a person's identification.
const IDENTIFICATION: usize = 35;

/// A row of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::reports) struct FieldRow {
    pub(in crate::reports) kind: String,
    pub(in crate::reports) id: String,
    pub(in crate::reports) field: String,
    pub(in crate::reports) value: String,
}

/// What a value has to be.
#[derive(Clone, Copy)]
enum Form {
    Lei,
    Country,
    Mic,
    Venue,
    Name,
    Date,
    Identification,
    Decider { or_client: bool },
    Words(&'static [&'static str]),
}

/// The fields of a natural person that a customer is.
const OF_PERSONS: [&str; 5] = ["first_name", "surname", "birth_date", "national_id", "id_type"];
const ID_TYPES: Form = Form::Words(&["NIDN", "CCPT", "CONCAT"]);
const SHORT_SALES: Form = Form::Words(&["SELL", "SESH", "SSEX", "UNDI"]);

const FIELDS: &[(&str, &str, Form)] = &[
    ("firm", "lei", Form::Lei),
    ("firm", "submitting_lei", Form::Lei),
    ("firm", "investment_firm", Form::Words(&["true", "false"])),
    ("firm", "country", Form::Country),
    ("firm", "venue", Form::Venue),
    ("firm", "internaliser", Form::Mic),
    ("firm", "trading_capacity", Form::Words(&["MTCH", "AOTC"])),
    ("firm", "execution", Form::Decider { or_client: true }),
    ("firm", "investment_decision", Form::Decider { or_client: false }),
    ("firm", "short_selling", SHORT_SALES),
    ("customer", "lei", Form::Lei),
    ("customer", "first_name", Form::Name),
    ("customer", "surname", Form::Name),
    ("customer", "birth_date", Form::Date),
    ("customer", "national_id", Form::Identification),
    ("customer", "id_type", ID_TYPES),
    ("customer", "branch_country", Form::Country),
    ("customer", "decision_maker", Form::Lei),
    ("customer", "transmitting_firm", Form::Lei),
    ("account", "investment_decision", Form::Decider { or_client: false }),
    ("account", "short_selling", SHORT_SALES),
    ("person", "national_id", Form::Identification),
    ("person", "id_type", ID_TYPES),
    ("person", "branch_country", Form::Country),
];

/// The fields of one firm, customer, account or person, with their lines.
type Fields<'l> = BTreeMap<&'l str, (usize, &'l str)>;

/// Reads the rows, or reports all problems of the file.
pub(super) fn read<'l>(lines: impl Iterator<Item = (usize, &'l str)>) -> Result<Vec<FieldRow>, Vec<String>> {
    let (mut problems, mut known, mut number_of_rows) = (Vec::new(), BTreeMap::<_, Fields<'_>>::new(), 0_usize);
    for (number, line) in lines {
        number_of_rows += 1;
        let mut columns = line.splitn(4, ',');
        let (Some(kind), Some(id), Some(field), Some(value)) = (columns.next(), columns.next(), columns.next(), columns.next()) else {
            problems.push(format!("line {number}: fewer than 4 fields ({HEADER})"));
            continue;
        };
        let wrong = |(column, reason): (&str, String)| format!("line {number}, column {column}: {reason}");
        if let Err(problem) = check([kind, id, field, value]) {
            problems.push(wrong(problem));
            continue;
        }
        if let Some((first, _)) = known.entry((kind, id)).or_default().insert(field, (number, value)) {
            problems.push(format!("line {number}: the same kind, id and field as in line {first}; remove one"));
        }
    }
    if number_of_rows > MAX_ROWS {
        problems.push(format!("line {}: more than {MAX_ROWS} rows; leave out who does not trade", MAX_ROWS + 2));
    }
    // What is missing can be told once what is there is right.
    if problems.is_empty() {
        problems = gaps(&known);
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let rows = known.into_iter().flat_map(|((kind, id), fields)| {
        let row = move |(field, (_, value)): (&str, (usize, &str))| FieldRow {
            kind: kind.to_owned(),
            id: id.to_owned(),
            field: field.to_owned(),
            value: value.to_owned(),
        };
        fields.into_iter().map(row)
    });
    Ok(rows.collect())
}

/// Checks a row; an error is a column and what is wrong in it.
fn check([kind, id, field, value]: [&str; 4]) -> Result<(), (&'static str, String)> {
    let of_kind: Vec<_> = FIELDS.iter().filter(|(known, ..)| *known == kind).collect();
    if of_kind.is_empty() {
        return Err(("kind", format!("{kind:?} is none of firm, customer, account, person")));
    }
    match (kind, id.is_empty()) {
        ("firm", false) => return Err(("id", "there is one firm; leave it empty".to_owned())),
        ("firm", true) | (_, false) => {}
        _ => return Err(("id", format!("it is empty; write the id of the {kind}"))),
    }
    let Some((.., form)) = of_kind.iter().find(|(_, known, _)| *known == field) else {
        let known: Vec<_> = of_kind.iter().map(|(_, known, _)| *known).collect();
        return Err(("field", format!("{field:?} is no field of a {kind}; write one of {}", known.join(", "))));
    };
    form.check(value).map_err(|reason| ("value", reason))
}

/// What the file lacks.
fn gaps(known: &BTreeMap<(&str, &str), Fields<'_>>) -> Vec<String> {
    let mut gaps = Vec::new();
    let empty = Fields::new();
    let firm = known.get(&("firm", "")).unwrap_or(&empty);
    for (field, example) in [
        ("lei", "the LEI of the firm that executes"),
        ("submitting_lei", "the LEI of who submits the report"),
        ("investment_firm", "true or false"),
        ("country", "the country of its home, like DE"),
        ("execution", "algorithm:CODE, person:ID or client"),
    ] {
        if !firm.contains_key(field) {
            gaps.push(format!("there is no {field} of the firm: add the line firm,,{field},VALUE ({example})"));
        }
    }
    match (firm.get("venue"), firm.get("internaliser")) {
        (Some(_), None) | (None, Some(_)) => {}
        (None, None) => gaps.push(
            "the file does not say where the firm executes: add the line firm,,venue,XOFF, or firm,,internaliser,MIC if it is a systematic \
             internaliser"
                .to_owned(),
        ),
        (Some((first, _)), Some((second, _))) => gaps.push(format!("lines {first} and {second}: remove one of venue and internaliser")),
    }
    for ((kind, id), fields) in known {
        let needed: &[&str] = match *kind {
            "customer" if OF_PERSONS.iter().any(|field| fields.contains_key(field)) => &OF_PERSONS,
            "person" => &["national_id", "id_type", "branch_country"],
            _ => &[],
        };
        let missing: Vec<_> = needed.iter().copied().filter(|field| !fields.contains_key(field)).collect();
        if !missing.is_empty() {
            gaps.push(format!("the {kind} {id} has no {}: add lines {kind},{id},FIELD,VALUE", missing.join(", ")));
        }
        if let (Some((line, _)), false) = (fields.get("lei"), needed.is_empty()) {
            gaps.push(format!("line {line}: the customer {id} has an LEI and the fields of a person; remove one or the other"));
        }
        if let (Some((_, "CONCAT")), Some((line, value))) = (fields.get("id_type"), fields.get("national_id"))
            && !is_concat(value)
        {
            gaps.push(format!(
                "line {line}: {value:?} is no CONCAT; write the country, the date of birth, and five letters of each name, like \
                 DE19700131ANNA#MUELL"
            ));
        }
        for (line, value) in fields.values() {
            if let Some(person) = value.strip_prefix("person:").filter(|person| !known.contains_key(&("person", *person))) {
                gaps.push(format!("line {line}: there is no person {person}: add the lines person,{person},FIELD,VALUE"));
            }
        }
    }
    gaps
}

impl Form {
    /// Checks a value, or tells why it is none.
    fn check(self, value: &str) -> Result<(), String> {
        let is_code = |value: &str| value.bytes().all(|letter| letter.is_ascii_uppercase() || letter.is_ascii_digit());
        let (fits, should) = match self {
            Self::Lei => (is_lei(value), "no LEI: its form or its check digits are wrong (ISO 17442)".to_owned()),
            Self::Country => (
                value.len() == 2 && value.bytes().all(|letter| letter.is_ascii_uppercase()),
                "no country; write two capital letters, like DE".to_owned(),
            ),
            Self::Mic => (
                value.len() == 4 && is_code(value) && !["XOFF", "XXXX", "SINT"].contains(&value),
                "no MIC of an internaliser (ISO 10383)".to_owned(),
            ),
            Self::Venue => (value == "XOFF", not_a_venue(value).to_owned()),
            Self::Name => (
                (1..=NAME).contains(&value.chars().count()) && !value.chars().any(|letter| letter.is_control() || letter.is_ascii_digit()),
                format!("no name of at most {NAME} letters"),
            ),
            Self::Date => (value.parse::<Date>().is_ok(), "no date; write YYYY-MM-DD".to_owned()),
            Self::Identification => (
                (3..=IDENTIFICATION).contains(&value.len())
                    && value.bytes().take(2).all(|letter| letter.is_ascii_uppercase())
                    && value.bytes().all(|letter| letter.is_ascii_graphic() && !letter.is_ascii_lowercase()),
                format!(
                    "no identification of a person; write its country and its number, at most {IDENTIFICATION} characters, like DE1234567"
                ),
            ),
            Self::Decider { or_client } => match value.split_once(':') {
                Some(("algorithm", code)) => {
                    let fits = (1..=ALGORITHM).contains(&code.len()) && is_code(code);
                    (fits, format!("no code of an algorithm; write at most {ALGORITHM} capital letters and digits"))
                }
                Some(("person", id)) => (!id.is_empty(), "no person; write person:ID".to_owned()),
                _ if or_client => (value == "client", "none of algorithm:CODE, person:ID, client".to_owned()),
                _ => (false, "none of algorithm:CODE, person:ID".to_owned()),
            },
            Self::Words(words) => (words.contains(&value), format!("none of {}", words.join(", "))),
        };
        if fits { Ok(()) } else { Err(format!("{value:?} is {should}")) }
    }
}

/// Why a value is no venue (RTS 22, field 36).
const fn not_a_venue(value: &str) -> &'static str {
    match value.as_bytes() {
        b"XXXX" => "for instruments that trade on no venue, whose description the message does not have; report those by hand",
        b"SINT" => "of publications of trades (RTS 1), not of RTS 22; write the MIC of the internaliser as firm,,internaliser,MIC",
        _ => "no venue of a book of a firm; write XOFF, or the MIC of an internaliser as firm,,internaliser,MIC",
    }
}

/// Whether a text is made of a country, a date of birth, and five letters of each name, filled up with `#` (RTS 22, article 6).
fn is_concat(value: &str) -> bool {
    let of = |from: usize, to: usize, is: fn(&u8) -> bool| value.as_bytes().get(from..to).is_some_and(|part| part.iter().all(is));
    let is_letter = |letter: &u8| letter.is_ascii_uppercase() || *letter == b'#';
    value.len() == 20 && of(0, 2, u8::is_ascii_uppercase) && of(2, 10, u8::is_ascii_digit) && of(10, 20, is_letter)
}

#[cfg(test)]
mod tests {
    use super::super::Reference;

    /// The LEIs of the Global Legal Entity Identifier Foundation, and of examples with check digits of their own.
    const FIRM: &str = "kind,id,field,value\nfirm,,lei,506700GE1G29325QX363\nfirm,,submitting_lei,506700GE1G29325QX363\n\
                        firm,,investment_firm,true\nfirm,,country,DE\nfirm,,venue,XOFF\nfirm,,execution,algorithm:BOOK1\n";

    fn refused(rows: &str) -> Vec<String> {
        Reference::read(&format!("{FIRM}{rows}")).expect_err(rows)
    }

    #[test]
    fn a_file_of_fields_is_read_with_commas_in_its_values() {
        let person = "customer,C,first_name,ANNA,EVA\ncustomer,C,surname,MUELLER\ncustomer,C,birth_date,1970-01-31\n\
                      customer,C,national_id,DE19700131ANNA#MUELL\ncustomer,C,id_type,CONCAT\n";
        let reference = Reference::read(&format!("{FIRM}{person}")).unwrap();
        let rows: Vec<_> = reference.fields().iter().map(|row| format!("{},{},{},{}", row.kind, row.id, row.field, row.value)).collect();
        assert_eq!(rows.len(), 11);
        assert!(rows.contains(&"customer,C,first_name,ANNA,EVA".to_owned()), "{rows:?}");
        assert!(reference.relation().is_none(), "it has no figures");
    }

    #[test]
    fn all_problems_of_a_file_of_fields_are_reported_at_once() {
        let rows = "bank,,lei,X\nfirm,F,lei,X\ncustomer,,lei,X\ncustomer,C,name,X\ncustomer,C\nfirm,,country,FR\n";
        let expected = [
            "line 8, column kind: \"bank\" is none of firm, customer, account, person",
            "line 9, column id: there is one firm; leave it empty",
            "line 10, column id: it is empty; write the id of the customer",
            "line 11, column field: \"name\" is no field of a customer; write one of lei, first_name, surname, birth_date, national_id, id_type, \
             branch_country, decision_maker, transmitting_firm",
            "line 12: fewer than 4 fields (kind,id,field,value)",
            "line 13: the same kind, id and field as in line 5; remove one",
        ];
        assert_eq!(refused(rows), expected);
    }

    #[test]
    fn values_have_the_forms_of_rts_22() {
        for (row, expected) in [
            ("customer,C,lei,506700GE1G29325QX364", "no LEI: its form or its check digits are wrong (ISO 17442)"),
            ("customer,C,branch_country,Germany", "no country"),
            ("customer,C,birth_date,1970-02-30", "no date"),
            ("customer,C,first_name,", "no name"),
            ("customer,C,national_id,1234567", "no identification of a person"),
            ("customer,C,national_id,DE12345678901234567890123456789012345", "no identification of a person"),
            ("customer,C,id_type,PASSPORT", "none of NIDN, CCPT, CONCAT"),
            ("account,A,short_selling,LONG", "none of SELL, SESH, SSEX, UNDI"),
            ("account,A,investment_decision,client", "none of algorithm:CODE, person:ID"),
            ("account,A,investment_decision,algorithm:book-1", "no code of an algorithm"),
            ("firm,,internaliser,SINT", "no MIC of an internaliser"),
            ("firm,,internaliser,XETRA", "no MIC of an internaliser"),
            ("firm,,trading_capacity,DEAL", "none of MTCH, AOTC"),
        ] {
            let problems = refused(&format!("{row}\n"));
            assert!(
                problems.len() == 1 && problems[0].contains(", column value: ") && problems[0].contains(expected),
                "{row}: {problems:?}"
            );
        }
        for (venue, expected) in [("XXXX", "trade on no venue"), ("SINT", "publications of trades"), ("XETR", "no venue of a book")] {
            let problems = Reference::read(&FIRM.replace("XOFF", venue)).expect_err(venue);
            assert!(problems.len() == 1 && problems[0].contains(expected), "{venue}: {problems:?}");
        }
    }

    #[test]
    fn what_a_file_lacks_is_named_with_the_line_to_add() {
        let firm = Reference::read("kind,id,field,value\nperson,P,national_id,DE1\n").expect_err("no firm").join("\n");
        for field in ["lei", "submitting_lei", "investment_firm", "country", "execution"] {
            assert!(firm.contains(&format!("there is no {field} of the firm: add the line firm,,{field},VALUE")), "{firm}");
        }
        assert!(firm.contains("the file does not say where the firm executes"), "{firm}");
        assert!(firm.contains("the person P has no id_type, branch_country: add lines person,P,FIELD,VALUE"), "{firm}");
        for (rows, expected) in [
            ("firm,,internaliser,XSIF\n", "lines 6 and 8: remove one of venue and internaliser"),
            ("firm,,investment_decision,person:P\n", "line 8: there is no person P"),
            ("customer,C,surname,X\n", "the customer C has no first_name, birth_date, national_id, id_type"),
            (
                "person,P,national_id,DE1\nperson,P,id_type,CONCAT\nperson,P,branch_country,DE\n",
                "line 8: \"DE1\" is no CONCAT; write the country, the date of birth, and five letters of each name",
            ),
        ] {
            let problems = refused(rows);
            assert!(problems.len() == 1 && problems[0].contains(expected), "{rows}: {problems:?}");
        }
        let both = "customer,C,lei,506700GE1G29325QX363\ncustomer,C,first_name,A\ncustomer,C,surname,B\ncustomer,C,birth_date,1970-01-01\n\
                    customer,C,national_id,DE1\ncustomer,C,id_type,NIDN\n";
        assert_eq!(refused(both), ["line 8: the customer C has an LEI and the fields of a person; remove one or the other"]);
    }
}
