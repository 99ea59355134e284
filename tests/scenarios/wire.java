import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Timestamp;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;

/** What JDBC tells DBeaver and Metabase of the tables, and rows with exact values. The argument is the port. */
class Wire {
    interface Question {
        ResultSet ask(DatabaseMetaData of) throws SQLException;
    }

    /** A question, at least how many rows its answer has, and columns of one of them as `NAME=value`. No rows where `least` is 0. */
    record Case(String name, Question question, int least, String... columns) {
        void check(DatabaseMetaData of) throws SQLException {
            List<String> rows = new ArrayList<>();
            try (ResultSet found = question.ask(of)) {
                while (found.next()) {
                    StringBuilder row = new StringBuilder();
                    for (int column = 1; column <= found.getMetaData().getColumnCount(); column++) {
                        row.append(found.getMetaData().getColumnLabel(column)).append('=').append(found.getString(column)).append(';');
                    }
                    rows.add(row.toString());
                }
            }
            boolean has = columns.length == 0 || rows.stream().anyMatch(row -> List.of(columns).stream().allMatch(it -> row.contains(it + ";")));
            if (rows.size() < least || least == 0 && !rows.isEmpty() || !has) {
                throw new AssertionError(name + ": " + rows.size() + " rows, of them " + rows.stream().limit(3).toList());
            }
        }
    }

    static final String[] TYPES = {"TABLE", "VIEW", "FOREIGN TABLE", "MATERIALIZED VIEW", "PARTITIONED TABLE"};

    static final List<Case> CASES = List.of(
        new Case("types", of -> of.getTypeInfo(), 40, "TYPE_NAME=numeric", "DATA_TYPE=2"),
        new Case("array types", of -> of.getTypeInfo(), 40, "TYPE_NAME=_int4", "DATA_TYPE=2003"),
        new Case("catalogs", of -> of.getCatalogs(), 1, "TABLE_CAT=headwater"),
        new Case("schemas", of -> of.getSchemas(), 3, "TABLE_SCHEM=public"),
        new Case("schemas by pattern", of -> of.getSchemas("headwater", "pub%"), 1, "TABLE_SCHEM=public"),
        new Case("kinds of tables", of -> of.getTableTypes(), 2, "TABLE_TYPE=VIEW"),
        new Case("everything", of -> of.getTables(null, null, "%", null), 50, "TABLE_NAME=balances", "TABLE_TYPE=TABLE"),
        new Case("tables and views", of -> of.getTables("headwater", "public", "%", TYPES), 50, "TABLE_NAME=positions", "TABLE_TYPE=VIEW"),
        new Case("a table with _ in its name", of -> of.getTables(null, "public", "ledger\\_entries", TYPES), 1, "TABLE_SCHEM=public"),
        new Case("columns", of -> of.getColumns(null, "public", "balances", null), 7, "COLUMN_NAME=posted", "TYPE_NAME=numeric",
            "COLUMN_SIZE=38", "DECIMAL_DIGITS=9", "IS_NULLABLE=NO", "ORDINAL_POSITION=3"),
        new Case("all columns", of -> of.getColumns(null, null, "%", "%"), 500, "TABLE_NAME=positions", "COLUMN_NAME=account_id"),
        new Case("primary keys", of -> of.getPrimaryKeys(null, "public", "balances"), 0),
        new Case("keys of any schema", of -> of.getPrimaryKeys(null, null, "balances"), 0),
        new Case("indexes", of -> of.getIndexInfo(null, "public", "balances", false, true), 0),
        new Case("unique indexes", of -> of.getIndexInfo("headwater", "public", "balances", true, false), 0),
        new Case("imported keys", of -> of.getImportedKeys(null, "public", "balances"), 0),
        new Case("exported keys", of -> of.getExportedKeys(null, "public", "balances"), 0),
        new Case("keys between", of -> of.getCrossReference(null, "public", "balances", null, "public", "ledger_entries"), 0),
        new Case("best rows", of -> of.getBestRowIdentifier(null, "public", "balances", DatabaseMetaData.bestRowSession, true), 0),
        new Case("versions", of -> of.getVersionColumns(null, "public", "balances"), 1, "COLUMN_NAME=ctid"),
        new Case("privileges", of -> of.getTablePrivileges(null, "public", "balances"), 1, "GRANTEE=ann", "PRIVILEGE=SELECT", "IS_GRANTABLE=NO"),
        new Case("privileges of columns", of -> of.getColumnPrivileges(null, "public", "balances", "posted"), 1, "PRIVILEGE=SELECT"),
        new Case("procedures", of -> of.getProcedures(null, "public", "%"), 0),
        new Case("functions", of -> of.getFunctions(null, "public", "%"), 0),
        new Case("parameters of functions", of -> of.getFunctionColumns(null, "public", "%", "%"), 0),
        new Case("own types", of -> of.getUDTs(null, "public", "%", null), 0));

    static void check(boolean holds, Object found) {
        if (!holds) {
            throw new AssertionError(found);
        }
    }

    public static void main(String[] arguments) throws SQLException {
        Properties settings = new Properties();
        settings.setProperty("user", "ann");
        // From the first execution on, statements are prepared and values are binary.
        settings.setProperty("prepareThreshold", "-1");
        try (Connection connection = DriverManager.getConnection("jdbc:postgresql://127.0.0.1:" + arguments[0] + "/headwater", settings)) {
            DatabaseMetaData of = connection.getMetaData();
            for (Case question : CASES) {
                question.check(of);
            }
            String words = of.getSQLKeywords();
            // Those of the standard are not among them.
            check(words != null && ("," + words + ",").contains(",ilike,") && !("," + words + ",").contains(",select,"), words);
            connection.setReadOnly(true);
            connection.setAutoCommit(false);
            connection.setSchema("public");
            check(connection.isValid(5) && "public".equals(connection.getSchema()), connection.getSchema());
            String query = "SELECT account_id, posted, ts FROM balances WHERE posted = ANY(?) AND account_id = ANY(?) AND ts > ?";
            try (PreparedStatement statement = connection.prepareStatement(query)) {
                statement.setArray(1, connection.createArrayOf("numeric", new Object[] {new BigDecimal("200.50"), null}));
                statement.setArray(2, connection.createArrayOf("text", new Object[] {"A1", "it's"}));
                statement.setTimestamp(3, new Timestamp(0));
                for (int time = 0; time < 3; time++) {
                    try (ResultSet rows = statement.executeQuery()) {
                        check(rows.next() && rows.getBigDecimal(2).compareTo(new BigDecimal("200.5")) == 0, "posted");
                        check(rows.getTimestamp(3).getTime() == 1767621720000L && !rows.next(), "ts");
                    }
                }
            }
            try (Statement statement = connection.createStatement()) {
                statement.setFetchSize(100);
                long sum = 0;
                try (ResultSet rows = statement.executeQuery("SELECT value FROM generate_series(1, 1000)")) {
                    while (rows.next()) {
                        sum += rows.getLong(1);
                    }
                }
                check(sum == 500500, sum);
                connection.rollback();
                try {
                    statement.execute("DELETE FROM balances");
                    throw new AssertionError("it was deleted");
                } catch (SQLException refused) {
                    check("25006".equals(refused.getSQLState()), refused);
                }
            }
        }
    }
}
