//! The schema `pg_catalog`: the tables that clients read to find out what there is.
//!
//! A table is filled where there is something to say, and otherwise exists without rows. Filled tables are made when they are read.

use std::sync::Arc;

use datafusion::sql::sqlparser::keywords::{
    ALL_KEYWORDS, ALL_KEYWORDS_INDEX, Keyword, RESERVED_FOR_COLUMN_ALIAS, RESERVED_FOR_IDENTIFIER, RESERVED_FOR_TABLE_ALIAS,
};

use super::functions::quoted;
use super::information_schema;
use super::listing::{Cell, Listing, Row, Tables, columns_of, text};
use super::relations::{DATABASE, INFORMATION_SCHEMA, OWNER, PG_CATALOG, PG_CLASS, PUBLIC, Relations, TABLESPACE};
use super::settings::Settings;
use super::types;
use crate::session::{CATALOG, SCHEMA};

/// The name of the schema.
pub(super) const NAME: &str = "pg_catalog";
/// The name of the owner of everything.
pub(super) const OWNER_NAME: &str = "headwater";

/// Columns of the tables with rows, as [`listing`](super::listing) declares them.
const FILLED: &[(&str, &str)] = &[
    (
        "pg_attribute",
        "attrelid:o attname:t atttypid:o attstattarget:i attlen:s attnum:s attndims:s atttypmod:i attbyval:b attalign:t attstorage:t \
         attcompression:t attnotnull:b atthasdef:b atthasmissing:b attidentity:t attgenerated:t attisdropped:b attislocal:b attinhcount:s \
         attcollation:o attacl:a attoptions:a attfdwoptions:a",
    ),
    (
        "pg_class",
        "oid:o relname:t relnamespace:o reltype:o reloftype:o relowner:o relam:o relfilenode:o reltablespace:o relpages:i reltuples:r \
         relallvisible:i reltoastrelid:o relhasindex:b relisshared:b relpersistence:t relkind:t relnatts:s relchecks:s relhasrules:b \
         relhastriggers:b relhassubclass:b relrowsecurity:b relforcerowsecurity:b relispopulated:b relreplident:t relispartition:b \
         relacl:a reloptions:a relpartbound:t",
    ),
    (
        "pg_database",
        "oid:o datname:t datdba:o encoding:i datlocprovider:t datistemplate:b datallowconn:b datconnlimit:i dattablespace:o datcollate:t \
         datctype:t daticulocale:t datcollversion:t datacl:a",
    ),
    ("pg_description", "objoid:o classoid:o objsubid:i description:t"),
    ("pg_get_keywords", "word:t catcode:t barelabel:b catdesc:t baredesc:t"),
    ("pg_namespace", "oid:o nspname:t nspowner:o nspacl:a"),
    (
        "pg_roles",
        "oid:o rolname:t rolsuper:b rolinherit:b rolcreaterole:b rolcreatedb:b rolcanlogin:b rolreplication:b rolconnlimit:i \
         rolpassword:t rolvaliduntil:t rolbypassrls:b rolconfig:a",
    ),
    (
        "pg_settings",
        "name:t setting:t unit:t category:t short_desc:t extra_desc:t context:t vartype:t source:t min_val:t max_val:t enumvals:a boot_val:t \
         reset_val:t sourcefile:t sourceline:i pending_restart:b",
    ),
    ("pg_tables", "schemaname:t tablename:t tableowner:t tablespace:t hasindexes:b hasrules:b hastriggers:b rowsecurity:b"),
    ("pg_tablespace", "oid:o spcname:t spcowner:o spcacl:a spcoptions:a"),
    (
        "pg_type",
        "oid:o typname:t typnamespace:o typowner:o typlen:s typbyval:b typtype:t typcategory:t typispreferred:b typisdefined:b \
         typdelim:t typrelid:o typsubscript:t typelem:o typarray:o typinput:t typoutput:t typreceive:t typsend:t typnotnull:b \
         typbasetype:o typtypmod:i typndims:i typcollation:o typdefault:t",
    ),
    ("pg_user", "usename:t usesysid:o usecreatedb:b usesuper:b userepl:b usebypassrls:b passwd:t valuntil:t useconfig:a"),
    ("pg_views", "schemaname:t viewname:t viewowner:t definition:t"),
];

/// Columns of the tables without rows.
const EMPTY: &[(&str, &str)] = &[
    ("pg_am", "oid:o amname:t amhandler:t amtype:t"),
    ("pg_attrdef", "oid:o adrelid:o adnum:s adbin:t"),
    ("pg_auth_members", "roleid:o member:o grantor:o admin_option:b"),
    ("pg_cast", "oid:o castsource:o casttarget:o castfunc:o castcontext:t castmethod:t"),
    (
        "pg_collation",
        "oid:o collname:t collnamespace:o collowner:o collprovider:t collisdeterministic:b collencoding:i collcollate:t collctype:t",
    ),
    (
        "pg_constraint",
        "oid:o conname:t connamespace:o contype:t condeferrable:b condeferred:b convalidated:b conrelid:o contypid:o conindid:o \
         conparentid:o confrelid:o confupdtype:t confdeltype:t confmatchtype:t conislocal:b coninhcount:s connoinherit:b conkey:a \
         confkey:a conpfeqop:a conppeqop:a conffeqop:a conexclop:a conbin:t",
    ),
    ("pg_conversion", "oid:o conname:t connamespace:o conowner:o conforencoding:i contoencoding:i conproc:t condefault:b"),
    ("pg_cursors", "name:t statement:t is_holdable:b is_binary:b is_scrollable:b"),
    ("pg_db_role_setting", "setdatabase:o setrole:o setconfig:a"),
    ("pg_default_acl", "oid:o defaclrole:o defaclnamespace:o defaclobjtype:t defaclacl:a"),
    ("pg_depend", "classid:o objid:o objsubid:i refclassid:o refobjid:o refobjsubid:i deptype:t"),
    ("pg_enum", "oid:o enumtypid:o enumsortorder:r enumlabel:t"),
    ("pg_event_trigger", "oid:o evtname:t evtevent:t evtowner:o evtfoid:o evtenabled:t evttags:a"),
    ("pg_extension", "oid:o extname:t extowner:o extnamespace:o extrelocatable:b extversion:t extconfig:a extcondition:a"),
    ("pg_foreign_data_wrapper", "oid:o fdwname:t fdwowner:o fdwhandler:o fdwvalidator:o fdwacl:a fdwoptions:a"),
    ("pg_foreign_server", "oid:o srvname:t srvowner:o srvfdw:o srvtype:t srvversion:t srvacl:a srvoptions:a"),
    ("pg_foreign_table", "ftrelid:o ftserver:o ftoptions:a"),
    (
        "pg_index",
        "indexrelid:o indrelid:o indnatts:s indnkeyatts:s indisunique:b indisprimary:b indisexclusion:b indimmediate:b indisclustered:b \
         indisvalid:b indisready:b indislive:b indisreplident:b indkey:a indcollation:a indclass:a indoption:a indexprs:t indpred:t",
    ),
    ("pg_indexes", "schemaname:t tablename:t indexname:t tablespace:t indexdef:t"),
    ("pg_inherits", "inhrelid:o inhparent:o inhseqno:i inhdetachpending:b"),
    ("pg_language", "oid:o lanname:t lanowner:o lanispl:b lanpltrusted:b lanplcallfoid:o laninline:o lanvalidator:o lanacl:a"),
    ("pg_locks", "locktype:t database:o relation:o pid:i mode:t granted:b"),
    ("pg_matviews", "schemaname:t matviewname:t matviewowner:t tablespace:t hasindexes:b ispopulated:b definition:t"),
    ("pg_opclass", "oid:o opcmethod:o opcname:t opcnamespace:o opcowner:o opcintype:o opcdefault:b"),
    ("pg_operator", "oid:o oprname:t oprnamespace:o oprowner:o oprkind:t oprleft:o oprright:o oprresult:o"),
    ("pg_partitioned_table", "partrelid:o partstrat:t partnatts:s partdefid:o"),
    ("pg_policies", "schemaname:t tablename:t policyname:t permissive:t roles:a cmd:t qual:t with_check:t"),
    ("pg_policy", "oid:o polname:t polrelid:o polcmd:t polpermissive:b polroles:a polqual:t polwithcheck:t"),
    ("pg_prepared_statements", "name:t statement:t"),
    (
        "pg_proc",
        "oid:o proname:t pronamespace:o proowner:o prolang:o procost:r prorows:r provariadic:o prokind:t prosecdef:b proleakproof:b \
         proisstrict:b proretset:b provolatile:t proparallel:t pronargs:s pronargdefaults:s prorettype:o proargtypes:t proallargtypes:a \
         proargmodes:a proargnames:a prosrc:t probin:t proacl:a",
    ),
    ("pg_publication", "oid:o pubname:t pubowner:o puballtables:b pubinsert:b pubupdate:b pubdelete:b pubtruncate:b pubviaroot:b"),
    ("pg_publication_namespace", "oid:o pnpubid:o pnnspid:o"),
    ("pg_publication_rel", "oid:o prpubid:o prrelid:o prqual:t prattrs:a"),
    ("pg_range", "rngtypid:o rngsubtype:o rngmultitypid:o rngcollation:o rngsubopc:o rngcanonical:t rngsubdiff:t"),
    ("pg_rewrite", "oid:o rulename:t ev_class:o ev_type:t ev_enabled:t is_instead:b ev_qual:t ev_action:t"),
    ("pg_rules", "schemaname:t tablename:t rulename:t definition:t"),
    ("pg_seclabel", "objoid:o classoid:o objsubid:i provider:t label:t"),
    ("pg_sequence", "seqrelid:o seqtypid:o"),
    ("pg_sequences", "schemaname:t sequencename:t sequenceowner:t"),
    ("pg_shdescription", "objoid:o classoid:o description:t"),
    ("pg_stat_activity", "datid:o datname:t pid:i usename:t application_name:t state:t query:t"),
    (
        "pg_stat_user_tables",
        "relid:o schemaname:t relname:t seq_scan:l seq_tup_read:l idx_scan:l idx_tup_fetch:l n_tup_ins:l n_tup_upd:l n_tup_del:l \
         n_tup_hot_upd:l n_live_tup:l n_dead_tup:l n_mod_since_analyze:l last_vacuum:t last_autovacuum:t last_analyze:t \
         last_autoanalyze:t vacuum_count:l autovacuum_count:l analyze_count:l autoanalyze_count:l",
    ),
    ("pg_statistic_ext", "oid:o stxrelid:o stxname:t stxnamespace:o stxowner:o stxstattarget:i stxkeys:a stxkind:a stxexprs:t"),
    ("pg_subscription", "oid:o subdbid:o subname:t subowner:o subenabled:b"),
    (
        "pg_trigger",
        "oid:o tgrelid:o tgparentid:o tgname:t tgfoid:o tgtype:s tgenabled:t tgisinternal:b tgconstrrelid:o tgconstrindid:o \
         tgconstraint:o tgdeferrable:b tginitdeferred:b tgnargs:s tgattr:a tgargs:t tgqual:t",
    ),
    ("pg_ts_config", "oid:o cfgname:t cfgnamespace:o cfgowner:o cfgparser:o"),
    ("pg_ts_dict", "oid:o dictname:t dictnamespace:o dictowner:o dicttemplate:o dictinitoption:t"),
    ("pg_ts_parser", "oid:o prsname:t prsnamespace:o"),
    ("pg_ts_template", "oid:o tmplname:t tmplnamespace:o"),
    ("pg_user_mapping", "oid:o umuser:o umserver:o umoptions:a"),
];

/// Whether there is such a table.
pub(super) fn has(name: &str) -> bool {
    columns_of(PgCatalog::TABLES, name).is_some()
}

/// A number for a table of the schema, for clients that ask for it by name. No other table refers to it.
pub(super) fn number(name: &str) -> Option<u32> {
    let place = FILLED.iter().chain(EMPTY).position(|(known, _)| *known == name)?;
    u32::try_from(place).ok()?.checked_add(FIRST_NUMBER)
}

/// Beyond PostgreSQL's own numbers of these tables, and below those of users' tables.
const FIRST_NUMBER: u32 = 15_000;

/// Whether the table never has rows.
pub(super) fn is_empty(name: &str) -> bool {
    EMPTY.iter().any(|(known, _)| *known == name)
}

/// The schema, as a session sees it.
#[derive(Debug)]
pub(super) struct PgCatalog {
    relations: Arc<Relations>,
    settings: Settings,
    user: String,
}

impl Listing for PgCatalog {
    const TABLES: Tables = [FILLED, EMPTY];

    fn rows(&self, table: &str) -> Vec<Row> {
        match table {
            "pg_get_keywords" => keywords(),
            "pg_namespace" => schemas(),
            "pg_class" => self.classes(),
            "pg_attribute" => self.attributes(),
            "pg_type" => data_types(),
            "pg_database" => databases(),
            "pg_description" => self.descriptions(),
            "pg_roles" => self.roles(),
            "pg_user" => self.users(),
            "pg_settings" => self.settings_rows(),
            "pg_tables" => self.tables(),
            "pg_tablespace" => tablespaces(),
            "pg_views" => self.views(),
            _ => Vec::new(),
        }
    }
}

impl PgCatalog {
    pub(super) fn new(relations: Arc<Relations>, settings: Settings, user: String) -> Self {
        Self { relations, settings, user }
    }

    fn classes(&self) -> Vec<Row> {
        // Reading is all that anybody may.
        let rights = format!("{}=r/{OWNER_NAME}", quoted(&self.user));
        let row = |relation: &super::relations::Described| {
            let is_view = relation.definition.is_some();
            vec![
                ("oid", Cell::Oid(relation.oid)),
                ("relname", text(&relation.name)),
                ("relnamespace", Cell::Oid(PUBLIC)),
                ("relowner", Cell::Oid(OWNER)),
                // Not counted, as after PostgreSQL's CREATE TABLE.
                ("reltuples", Cell::Real(-1.0)),
                ("relpersistence", text("p")),
                ("relkind", text(if is_view { "v" } else { "r" })),
                ("relnatts", Cell::Integer(i32::try_from(relation.schema.fields().len()).unwrap_or(i32::MAX))),
                ("relhasrules", Cell::Boolean(is_view)),
                ("relispopulated", Cell::Boolean(true)),
                ("relreplident", text("n")),
                ("relacl", Cell::Texts(vec![rights.clone()])),
            ]
        };
        self.relations.iter().map(row).collect()
    }

    fn attributes(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for relation in self.relations.iter() {
            for (number, field) in (1..).zip(relation.schema.fields()) {
                let pg_type = types::of_arrow(field.data_type());
                rows.push(vec![
                    ("attrelid", Cell::Oid(relation.oid)),
                    ("attname", text(field.name())),
                    ("atttypid", Cell::Oid(pg_type.oid)),
                    ("attstattarget", Cell::Integer(-1)),
                    ("attlen", Cell::Integer(i32::from(pg_type.size))),
                    ("attnum", Cell::Integer(number)),
                    ("atttypmod", Cell::Integer(types::modifier(field.data_type()))),
                    ("attbyval", Cell::Boolean((1..=8).contains(&pg_type.size))),
                    ("attalign", text("i")),
                    ("attstorage", text(if pg_type.size < 0 { "x" } else { "p" })),
                    ("attcompression", text("")),
                    ("attnotnull", Cell::Boolean(!field.is_nullable())),
                    ("attidentity", text("")),
                    ("attgenerated", text("")),
                    ("attislocal", Cell::Boolean(true)),
                ]);
            }
        }
        rows
    }

    fn descriptions(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for relation in self.relations.iter() {
            let of_columns = (1..).zip(relation.columns_about.iter().copied()).filter(|(_, about)| !about.is_empty());
            for (number, about) in std::iter::once((0, relation.about.as_str())).chain(of_columns) {
                rows.push(vec![
                    ("objoid", Cell::Oid(relation.oid)),
                    ("classoid", Cell::Oid(PG_CLASS)),
                    ("objsubid", Cell::Integer(number)),
                    ("description", text(about)),
                ]);
            }
        }
        rows
    }

    /// The owner and the user of the session: the names of other users are nobody's business.
    fn roles(&self) -> Vec<Row> {
        let role = |oid: u32, name: &str, can_log_in: bool| {
            vec![
                ("oid", Cell::Oid(oid)),
                ("rolname", text(name)),
                ("rolinherit", Cell::Boolean(true)),
                ("rolcanlogin", Cell::Boolean(can_log_in)),
                ("rolconnlimit", Cell::Integer(-1)),
                ("rolpassword", text("********")),
            ]
        };
        let own = (self.user != OWNER_NAME).then(|| role(OWNER.saturating_add(1), &self.user, true));
        std::iter::once(role(OWNER, OWNER_NAME, self.user == OWNER_NAME)).chain(own).collect()
    }

    fn users(&self) -> Vec<Row> {
        vec![vec![("usename", text(&self.user)), ("usesysid", Cell::Oid(OWNER.saturating_add(1))), ("passwd", text("********"))]]
    }

    fn settings_rows(&self) -> Vec<Row> {
        let row = |(name, value): (&'static str, String)| {
            vec![
                ("name", text(name)),
                ("setting", text(value)),
                ("boot_val", text(Settings::default_of(name))),
                ("reset_val", text(Settings::default_of(name))),
                ("context", text("user")),
                ("vartype", text("string")),
                ("source", text("session")),
            ]
        };
        self.settings.all().into_iter().map(row).collect()
    }

    fn tables(&self) -> Vec<Row> {
        let tables = self.relations.iter().filter(|relation| relation.definition.is_none());
        tables.map(|table| vec![("schemaname", text(SCHEMA)), ("tablename", text(&table.name)), ("tableowner", text(OWNER_NAME))]).collect()
    }

    fn views(&self) -> Vec<Row> {
        let row = |relation: &super::relations::Described| {
            let definition = text(relation.definition?);
            let names = [("schemaname", text(SCHEMA)), ("viewname", text(&relation.name)), ("viewowner", text(OWNER_NAME))];
            Some(names.into_iter().chain([("definition", definition)]).collect::<Row>())
        };
        self.relations.iter().filter_map(row).collect()
    }
}

fn schemas() -> Vec<Row> {
    let all = [(PG_CATALOG, NAME), (PUBLIC, SCHEMA), (INFORMATION_SCHEMA, information_schema::NAME)];
    all.into_iter().map(|(oid, name)| vec![("oid", Cell::Oid(oid)), ("nspname", text(name)), ("nspowner", Cell::Oid(OWNER))]).collect()
}

/// The words of the parser, those that are no names without quotes as reserved.
fn keywords() -> Vec<Row> {
    let row = |(word, keyword): (&&str, &Keyword)| {
        let is_reserved =
            [RESERVED_FOR_IDENTIFIER, RESERVED_FOR_COLUMN_ALIAS, RESERVED_FOR_TABLE_ALIAS].iter().any(|all| all.contains(keyword));
        let (code, description) = if is_reserved { ("R", "reserved") } else { ("U", "unreserved") };
        vec![("word", text(word.to_lowercase())), ("catcode", text(code)), ("catdesc", text(description))]
    };
    ALL_KEYWORDS.iter().zip(ALL_KEYWORDS_INDEX).map(row).collect()
}

fn databases() -> Vec<Row> {
    vec![vec![
        ("oid", Cell::Oid(DATABASE)),
        ("datname", text(CATALOG)),
        ("datdba", Cell::Oid(OWNER)),
        // UTF8.
        ("encoding", Cell::Integer(6)),
        ("datlocprovider", text("c")),
        ("datallowconn", Cell::Boolean(true)),
        ("datconnlimit", Cell::Integer(-1)),
        ("dattablespace", Cell::Oid(TABLESPACE)),
        ("datcollate", text("C")),
        ("datctype", text("C")),
    ]]
}

/// The place of everything: the data directory, under PostgreSQL's name.
fn tablespaces() -> Vec<Row> {
    vec![vec![("oid", Cell::Oid(TABLESPACE)), ("spcname", text("pg_default")), ("spcowner", Cell::Oid(OWNER))]]
}

fn data_types() -> Vec<Row> {
    let row = |pg_type: types::PgType| {
        let (name, is_array) = (pg_type.name, pg_type.element != 0);
        let functions = if is_array { "array_" } else { name };
        vec![
            ("oid", Cell::Oid(pg_type.oid)),
            ("typname", text(name)),
            ("typnamespace", Cell::Oid(PG_CATALOG)),
            ("typowner", Cell::Oid(OWNER)),
            ("typlen", Cell::Integer(i32::from(pg_type.size))),
            ("typbyval", Cell::Boolean((1..=8).contains(&pg_type.size))),
            ("typtype", text(if pg_type == types::UNKNOWN { "p" } else { "b" })),
            ("typcategory", text(pg_type.category)),
            ("typisdefined", Cell::Boolean(true)),
            ("typdelim", text(",")),
            ("typsubscript", text(if is_array { "array_subscript_handler" } else { "-" })),
            ("typelem", Cell::Oid(pg_type.element)),
            ("typarray", Cell::Oid(types::array_of(pg_type).map_or(0, |array| array.oid))),
            ("typinput", text(format!("{functions}in"))),
            ("typoutput", text(format!("{functions}out"))),
            ("typreceive", text(format!("{functions}recv"))),
            ("typsend", text(format!("{functions}send"))),
            ("typtypmod", Cell::Integer(-1)),
        ]
    };
    types::all().map(row).collect()
}
