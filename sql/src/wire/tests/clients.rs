//! What clients ask by themselves that are not in these tests, as they send it, and the answers that they expect.
//!
//! - DBeaver: from its source, `ext/postgresql/model`.
//! - Grafana: from its source, `grafana-postgresql-datasource`, with the macros as they are expanded.
//! - JDBC: what `DatabaseMetaData` of driver 42.7 sends.
//! - psql: from its source, `bin/psql/describe.c`, version 15.

use super::{connect, example, run, serve, simple, try_simple};

/// A statement, the number of rows of its answer, and how the first of them begins.
type Case = (&'static str, usize, &'static str);

const DBEAVER: &[Case] = &[
    ("SHOW search_path", 1, "public"),
    ("SELECT current_schema(),session_user", 1, "public|ann"),
    ("SELECT db.oid,db.* FROM pg_catalog.pg_database db WHERE datname='headwater'", 1, "5|5|headwater|10"),
    (
        "SELECT db.oid,db.* FROM pg_catalog.pg_database db WHERE 1=1 AND NOT datistemplate AND datallowconn ORDER BY db.datname",
        1,
        "5|5|headwater",
    ),
    ("SELECT a.oid,a.* FROM pg_catalog.pg_roles a \nORDER BY a.oid", 2, "10|10|headwater|"),
    (
        "SELECT a.oid,a.*,pd.description FROM pg_catalog.pg_roles a \nleft join pg_catalog.pg_shdescription pd on a.oid = pd.objoid\nORDER BY a.rolname",
        2,
        "11|11|ann",
    ),
    ("SELECT am.oid,am.* FROM pg_catalog.pg_am am \nORDER BY am.oid", 0, ""),
    (
        "SELECT c.contoencoding as encid,pg_catalog.pg_encoding_to_char(c.contoencoding) as encname\nFROM pg_catalog.pg_conversion c\n\
         GROUP BY c.contoencoding\nORDER BY 2\n",
        0,
        "",
    ),
    ("SELECT l.oid,l.* FROM pg_catalog.pg_language l \nORDER BY l.oid", 0, ""),
    (
        "SELECT l.oid,l.*,p.pronamespace as handler_schema_id \nFROM pg_catalog.pg_foreign_data_wrapper l\n\
         LEFT OUTER JOIN pg_catalog.pg_proc p ON p.oid=l.fdwhandler \nORDER BY l.fdwname",
        0,
        "",
    ),
    ("SELECT t.oid,t.*,pg_tablespace_location(t.oid) loc FROM pg_catalog.pg_tablespace t \nORDER BY t.oid", 1, "1663|1663|pg_default|10"),
    (
        "SELECT n.oid,n.*,d.description FROM pg_catalog.pg_namespace n\nLEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid=n.oid \
         AND d.objsubid=0 AND d.classoid='pg_namespace'::regclass\n ORDER BY nspname",
        3,
        "13000|13000|information_schema",
    ),
    (
        "SELECT t.oid,t.*,c.relkind,format_type(nullif(t.typbasetype, 0), t.typtypmod) as base_type_name, d.description\n\
         FROM pg_catalog.pg_type t\nLEFT OUTER JOIN pg_catalog.pg_type et ON et.oid=t.typelem \n\
         LEFT OUTER JOIN pg_catalog.pg_class c ON c.oid=t.typrelid\nLEFT OUTER JOIN pg_catalog.pg_description d ON t.oid=d.objoid\n\
         WHERE t.typname IS NOT NULL\nAND (c.relkind IS NULL OR c.relkind = 'c') AND (et.typcategory IS NULL OR et.typcategory <> 'C') \
         ORDER BY t.oid",
        45,
        "16|16|bool|11|10|1",
    ),
    (
        "SELECT c.oid,c.*,d.description,pg_catalog.pg_get_expr(c.relpartbound, c.oid) as partition_expr,  \
         pg_catalog.pg_get_partkeydef(c.oid) as partition_key \nFROM pg_catalog.pg_class c\n\
         LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid=c.oid AND d.objsubid=0 AND d.classoid='pg_class'::regclass\n\
         WHERE c.relnamespace=2200 AND c.relkind not in ('i','I','c') AND c.relname = 'balances'",
        1,
        "",
    ),
    (
        "SELECT c.relname,a.*,pg_catalog.pg_get_expr(ad.adbin, ad.adrelid, true) as def_value,dsc.description,dep.objid\n\
         FROM pg_catalog.pg_attribute a\nINNER JOIN pg_catalog.pg_class c ON (a.attrelid=c.oid)\n\
         LEFT OUTER JOIN pg_catalog.pg_attrdef ad ON (a.attrelid=ad.adrelid AND a.attnum = ad.adnum)\n\
         LEFT OUTER JOIN pg_catalog.pg_description dsc ON (c.oid=dsc.objoid AND a.attnum = dsc.objsubid)\n\
         LEFT OUTER JOIN pg_depend dep on dep.refobjid = a.attrelid AND dep.deptype = 'i' and dep.refobjsubid = a.attnum and \
         dep.classid = dep.refclassid\nWHERE NOT a.attisdropped AND c.relkind not in ('i','I','c') AND c.oid='balances'::regclass\n\
         ORDER BY a.attnum",
        7,
        "balances|",
    ),
    (
        "SELECT c.oid,c.*,t.relname as tabrelname,rt.relnamespace as refnamespace,d.description, case when c.contype='c' then \
         \"substring\"(pg_get_constraintdef(c.oid), 7) else null end consrc_copy\nFROM pg_catalog.pg_constraint c\n\
         INNER JOIN pg_catalog.pg_class t ON t.oid=c.conrelid\nLEFT OUTER JOIN pg_catalog.pg_class rt ON rt.oid=c.confrelid\n\
         LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid=c.oid AND d.objsubid=0 AND d.classoid='pg_constraint'::regclass\n\
         WHERE c.conrelid=16386\nORDER BY c.oid",
        0,
        "",
    ),
    (
        "SELECT i.*,i.indkey as keys,c.relname,c.relnamespace,c.relam,c.reltablespace,tc.relname as tabrelname,dsc.description,\
         pg_catalog.pg_get_expr(i.indpred, i.indrelid) as pred_expr,pg_catalog.pg_get_expr(i.indexprs, i.indrelid, true) as expr,\
         pg_catalog.pg_relation_size(i.indexrelid) as index_rel_size,pg_catalog.pg_stat_get_numscans(i.indexrelid) as index_num_scans\n\
         FROM pg_catalog.pg_index i\nINNER JOIN pg_catalog.pg_class c ON c.oid=i.indexrelid\n\
         INNER JOIN pg_catalog.pg_class tc ON tc.oid=i.indrelid\n\
         LEFT OUTER JOIN pg_catalog.pg_description dsc ON i.indexrelid=dsc.objoid\nWHERE i.indrelid=16386 ORDER BY tabrelname, c.relname",
        0,
        "",
    ),
    (
        "SELECT p.oid,p.*,d.description\nFROM pg_catalog.pg_proc p\nLEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid=p.oid\n\
         WHERE p.pronamespace=2200\nORDER BY p.proname",
        0,
        "",
    ),
    (
        "SELECT i.*,c.relnamespace FROM pg_catalog.pg_inherits i,pg_catalog.pg_class c WHERE i.inhrelid=16386 AND c.oid=i.inhparent ORDER BY i.inhseqno",
        0,
        "",
    ),
    (
        "SELECT x.oid,x.*,p.pronamespace as func_schema_id,d.description\nFROM pg_catalog.pg_trigger x\n\
         LEFT OUTER JOIN pg_catalog.pg_proc p ON p.oid=x.tgfoid \nLEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid=x.oid AND \
         d.objsubid=0 \nWHERE x.tgrelid=16386 AND NOT x.tgisinternal",
        0,
        "",
    ),
    ("select * from pg_catalog.pg_settings where name='standard_conforming_strings'", 1, "standard_conforming_strings|on"),
    ("SELECT reltuples::bigint FROM pg_catalog.pg_class WHERE oid='balances'::regclass", 1, "-1"),
    ("SELECT e.enumlabel FROM pg_catalog.pg_enum e WHERE e.enumtypid=1 ORDER BY e.enumsortorder", 0, ""),
    ("SELECT pg_catalog.pg_get_viewdef('trial_balance'::regclass, true)", 1, ""),
    ("SET search_path = \"$user\",public", 0, ""),
];

const GRAFANA: &[Case] = &[
    ("SELECT current_setting('server_version_num')::int/100 as version", 1, "1500"),
    ("SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'", 0, ""),
    (
        "SELECT schema_name AS \"name\"\n    FROM information_schema.schemata\n    WHERE schema_name NOT IN ('information_schema',\n  \
         'pg_catalog',\n 'pg_toast')\n    ORDER BY schema_name",
        1,
        "public",
    ),
    (TABLES_OF_GRAFANA, 124, "account_owners"),
    (COLUMNS_OF_GRAFANA, 7, "account_id|text"),
    (
        "SELECT ts AS \"time\", posted FROM balances WHERE ts BETWEEN '2026-01-05T00:00:00Z' AND '2026-01-06T00:00:00.5Z' ORDER BY 1",
        2,
        "2026-01-05 14:30:00+00|1",
    ),
    ("SELECT extract(epoch from ts) as \"time\", posted FROM balances ORDER BY 1 LIMIT 1", 1, "1767623400"),
    (
        "SELECT floor(extract(epoch from ts)/300)*300 AS \"time\", sum(posted) AS \"total\" FROM balances GROUP BY 1 ORDER BY 1",
        1,
        "1767623400|-19",
    ),
    ("SELECT account_id AS metric, posted FROM balances WHERE account_id IN ('a','it''s') LIMIT 50", 1, "a|1"),
    (
        "SELECT extract(epoch from ts) AS t FROM balances WHERE extract(epoch from ts) >= 1767623400 AND extract(epoch from ts) <= 1767623400",
        1,
        "1767623400",
    ),
    ("SELECT DISTINCT account_id FROM balances ORDER BY 1", 2, "a"),
];

const TABLES_OF_GRAFANA: &str = r#"SELECT
    CASE WHEN
          quote_ident(table_schema) IN (
          SELECT
            CASE WHEN trim(s[i]) = '"$user"' THEN user ELSE trim(s[i]) END
          FROM
            generate_series(
              array_lower(string_to_array(current_setting('search_path'),','),1),
              array_upper(string_to_array(current_setting('search_path'),','),1)
            ) as i,
            string_to_array(current_setting('search_path'),',') s
          )
      THEN quote_ident(table_name)
      ELSE quote_ident(table_schema) || '.' || quote_ident(table_name)
    END AS "table"
    FROM information_schema.tables
    WHERE quote_ident(table_schema) NOT IN ('information_schema',
                             'pg_catalog',
                             '_timescaledb_cache',
                             'timescaledb_experimental')
    ORDER BY CASE WHEN
          quote_ident(table_schema) IN (
          SELECT
            CASE WHEN trim(s[i]) = '"$user"' THEN user ELSE trim(s[i]) END
          FROM
            generate_series(
              array_lower(string_to_array(current_setting('search_path'),','),1),
              array_upper(string_to_array(current_setting('search_path'),','),1)
            ) as i,
            string_to_array(current_setting('search_path'),',') s
          ) THEN 0 ELSE 1 END, 1"#;

const COLUMNS_OF_GRAFANA: &str = r#"SELECT quote_ident(column_name) AS "column", data_type AS "type"
    FROM information_schema.columns
    WHERE
      CASE WHEN array_length(parse_ident('balances'),1) = 2
        THEN quote_ident(table_schema) = (parse_ident('balances'))[1]
          AND quote_ident(table_name) = (parse_ident('balances'))[2]
        ELSE quote_ident(table_name) = 'balances'
          AND
          quote_ident(table_schema) IN (
          SELECT
            CASE WHEN trim(s[i]) = '"$user"' THEN user ELSE trim(s[i]) END
          FROM
            generate_series(
              array_lower(string_to_array(current_setting('search_path'),','),1),
              array_upper(string_to_array(current_setting('search_path'),','),1)
            ) as i,
            string_to_array(current_setting('search_path'),',') s
          )
      END"#;

const JDBC: &[Case] = &[
    ("select string_agg(word, ',') from pg_catalog.pg_get_keywords() where word <> ALL ('{a,abs,absolute}'::text[])", 1, ""),
    ("SELECT word FROM pg_get_keywords() WHERE catcode = 'R' AND word IN ('select', 'balance') ORDER BY word", 1, "select"),
    (TYPES_OF_JDBC, 45, "f|b|bool|16"),
    (
        "SELECT t.typname,t.oid FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON (t.typnamespace = n.oid)  WHERE n.nspname  != \
         'pg_toast' AND  (t.typrelid = 0 OR (SELECT c.relkind = 'c' FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid)) ORDER BY t.oid",
        45,
        "bool|16",
    ),
    (
        "SELECT result.TABLE_CAT, result.KEY_SEQ FROM (SELECT NULL AS TABLE_CAT, (information_schema._pg_expandarray(i.indkey)).n AS \
         KEY_SEQ, information_schema._pg_expandarray(i.indkey) AS KEYS, a.attnum AS A_ATTNUM FROM pg_catalog.pg_class ct JOIN \
         pg_catalog.pg_attribute a ON (ct.oid = a.attrelid) JOIN pg_catalog.pg_namespace n ON (ct.relnamespace = n.oid) JOIN \
         pg_catalog.pg_index i ON ( a.attrelid = i.indrelid) WHERE true AND i.indisprimary ) result where result.A_ATTNUM = \
         (result.KEYS).x ORDER BY result.table_cat",
        0,
        "",
    ),
];

/// `getTypeInfo`, for all types at once.
const TYPES_OF_JDBC: &str = "SELECT typinput='pg_catalog.array_in'::regproc as is_array, typtype, typname, pg_type.oid
  FROM pg_catalog.pg_type
  LEFT JOIN (select ns.oid as nspoid, ns.nspname, r.r
          from pg_namespace as ns
          join ( select s.r, (current_schemas(false))[s.r] as nspname
                   from generate_series(1, array_upper(current_schemas(false), 1)) as s(r) ) as r
         using ( nspname )
       ) as sp
    ON sp.nspoid = typnamespace
 ORDER BY sp.r, pg_type.oid";

const SQLALCHEMY: &[Case] = &[
    (
        "SELECT pg_catalog.pg_namespace.nspname FROM pg_catalog.pg_namespace WHERE (pg_catalog.pg_namespace.nspname NOT LIKE 'pg/_'::VARCHAR || '%' \
         ESCAPE '/') ORDER BY pg_catalog.pg_namespace.nspname",
        2,
        "information_schema",
    ),
    ("SELECT nspname FROM pg_namespace WHERE nspname ILIKE 'PG!_%' ESCAPE '!'", 1, "pg_catalog"),
];

const PSQL: &[Case] = &[
    // `\l+`
    (
        "SELECT d.datname as \"Name\",\n       pg_catalog.pg_get_userbyid(d.datdba) as \"Owner\",\n\
         pg_catalog.pg_encoding_to_char(d.encoding) as \"Encoding\",\n       d.datcollate as \"Collate\",\n       d.datctype as \"Ctype\",\n\
         d.daticulocale as \"ICU Locale\",\n       CASE d.datlocprovider WHEN 'c' THEN 'libc' WHEN 'i' THEN 'icu' END AS \"Locale Provider\",\n\
         pg_catalog.array_to_string(d.datacl, E'\\n') AS \"Access privileges\",\n\
         CASE WHEN pg_catalog.has_database_privilege(d.datname, 'CONNECT')\n\
         THEN pg_catalog.pg_size_pretty(pg_catalog.pg_database_size(d.datname))\n            ELSE 'No Access'\n       END as \"Size\",\n\
         t.spcname as \"Tablespace\",\n       pg_catalog.shobj_description(d.oid, 'pg_database') as \"Description\"\n\
         FROM pg_catalog.pg_database d\n  JOIN pg_catalog.pg_tablespace t on d.dattablespace = t.oid\nORDER BY 1;",
        1,
        "headwater|headwater|UTF8|C|C|NULL|libc|NULL|NULL|pg_default|NULL",
    ),
    // `\db+`
    (
        "SELECT spcname AS \"Name\",\n  pg_catalog.pg_get_userbyid(spcowner) AS \"Owner\",\n\
         pg_catalog.pg_tablespace_location(oid) AS \"Location\",\n  pg_catalog.array_to_string(spcacl, E'\\n') AS \"Access privileges\",\n\
         spcoptions AS \"Options\",\n  pg_catalog.pg_size_pretty(pg_catalog.pg_tablespace_size(oid)) AS \"Size\",\n\
         pg_catalog.shobj_description(oid, 'pg_tablespace') AS \"Description\"\nFROM pg_catalog.pg_tablespace\nORDER BY 1;",
        1,
        "pg_default|headwater|NULL",
    ),
];

/// Tables, columns with keys and descriptions, foreign keys, privileges and enumerations, as Metabase looks for them, in other
/// words than its own.
const BUSINESS_INTELLIGENCE: &[Case] = &[
    ("SHOW timezone", 1, "UTC"),
    (
        "SELECT c.relname, s.n_live_tup, d.description IS NOT NULL FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN \
         pg_stat_user_tables s ON s.relname = c.relname AND s.schemaname = n.nspname LEFT JOIN pg_description d ON d.objoid = c.oid AND \
         d.objsubid = 0 AND d.classoid = 'pg_class'::regclass WHERE c.relkind IN ('r','v','m','f','p') AND n.nspname !~ '^pg_' ORDER BY 1",
        124,
        "account_owners|NULL|t",
    ),
    (
        "SELECT c.column_name, c.udt_name, c.ordinal_position - 1, k.column_name IS NOT NULL, c.is_nullable = 'NO' AND c.column_default IS NULL, \
         col_description(format('%I.%I', c.table_schema, c.table_name)::regclass::oid, c.ordinal_position) FROM information_schema.columns c \
         LEFT JOIN (SELECT u.table_name, u.column_name FROM information_schema.table_constraints t JOIN information_schema.key_column_usage u \
         ON u.constraint_name = t.constraint_name WHERE t.constraint_type = 'PRIMARY KEY') k ON k.table_name = c.table_name AND \
         k.column_name = c.column_name WHERE c.table_schema = 'public' AND c.table_name = 'balances' ORDER BY c.ordinal_position",
        7,
        "account_id|text|0|f|t|The account",
    ),
    (
        "SELECT COLUMN_NAME, DATA_TYPE, IS_NULLABLE, NUMERIC_PRECISION, NUMERIC_SCALE FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = \
         'balances' AND NUMERIC_SCALE > 0 ORDER BY ORDINAL_POSITION",
        3,
        "posted|numeric|NO|38|9",
    ),
    (
        "SELECT column_name, data_type, datetime_precision FROM information_schema.columns WHERE table_name = 'balances' AND column_name = 'ts'",
        1,
        "ts|timestamp with time zone|6",
    ),
    (
        "SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE FROM INFORMATION_SCHEMA.TABLES ORDER BY TABLE_NAME",
        124,
        "public|account_owners|BASE TABLE",
    ),
    ("SELECT view_definition IS NOT NULL, is_updatable FROM information_schema.views WHERE table_name = 'trial_balance'", 1, "t|NO"),
    ("SELECT privilege_type, grantee FROM information_schema.table_privileges WHERE table_name = 'balances'", 1, "SELECT|ann"),
    (
        "SELECT has_any_column_privilege(current_user, 'public.balances', 'update'), has_table_privilege('public.balances', 'select'), \
         has_schema_privilege(current_user, 'public', 'usage'), has_schema_privilege('public', 'CREATE'), \
         has_database_privilege(current_database(), 'temp')",
        1,
        "f|t|t|f|f",
    ),
    ("SELECT relacl FROM pg_class WHERE relname = 'balances'", 1, "[\"ann=r/headwater\"]"),
    ("SELECT constraint_name FROM information_schema.referential_constraints", 0, ""),
    (
        "SELECT n.nspname, t.typname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.oid IN (SELECT enumtypid FROM pg_enum)",
        0,
        "",
    ),
    (
        "SELECT count(*), date_trunc('day', balances.ts) FROM public.balances GROUP BY date_trunc('day', balances.ts) ORDER BY 2",
        1,
        "2|2026",
    ),
];

#[test]
fn clients_that_are_not_here_are_answered() {
    let data = example();
    let server = serve(&data);
    run(async {
        let client = connect(&server).await;
        let mut problems = Vec::new();
        for (who, cases) in [
            ("DBeaver", DBEAVER),
            ("Grafana", GRAFANA),
            ("JDBC", JDBC),
            ("psql", PSQL),
            ("SQLAlchemy", SQLALCHEMY),
            ("a tool for business intelligence", BUSINESS_INTELLIGENCE),
        ] {
            for (sql, count, first) in cases {
                let rows = match try_simple(&client, sql).await {
                    Ok(rows) => rows,
                    Err(error) => {
                        problems.push(format!("{who} asks {sql}: {error:?}"));
                        continue;
                    }
                };
                if rows.len() != *count || !rows.first().map_or("", String::as_str).starts_with(first) {
                    problems.push(format!("{who} asks {sql}: {} rows, {:?}", rows.len(), rows.first()));
                }
                match client.query(*sql, &[]).await {
                    Ok(binary) if binary.len() == rows.len() => {}
                    other => problems.push(format!("{who} asks {sql} in the extended protocol: {:?}", other.map(|rows| rows.len()))),
                }
            }
        }
        assert!(problems.is_empty(), "{}", problems.join("\n"));
        assert_eq!(simple(&client, "SELECT 1").await, ["1"]);
    });
}
