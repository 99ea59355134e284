package headwater.peers;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.StatementSet;
import org.apache.flink.table.api.Table;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;

/**
 * Runs the statements of a file in one JVM: {@code Job FILE NAME=VALUE…}.
 *
 * <p>The INSERTs are one job. With {@code answers=DIR} they are left out, and each SELECT, which a comment {@code -- answer: NAME}
 * precedes, is folded into {@code DIR/NAME.csv}.
 */
public final class Job {
  private static final Pattern ANSWER = Pattern.compile("-- answer: (\\w+)");

  private Job() {}

  public static void main(String[] arguments) throws Exception {
    Map<String, String> options = new LinkedHashMap<>();
    for (int index = 1; index < arguments.length; index++) {
      String[] option = arguments[index].split("=", 2);
      options.put(option[0], option[1]);
    }
    String text = Files.readString(Path.of(arguments[0]));
    for (Map.Entry<String, String> option : options.entrySet()) {
      text = text.replace("${" + option.getKey() + "}", option.getValue());
    }
    int parallelism = Integer.parseInt(options.get("parallelism"));
    StreamExecutionEnvironment streams =
        StreamExecutionEnvironment.createLocalEnvironment(parallelism, cluster(options, parallelism));
    streams.getConfig().enableObjectReuse();
    StreamTableEnvironment tables =
        StreamTableEnvironment.create(streams, EnvironmentSettings.newInstance().inStreamingMode().build());
    configure(tables, options, parallelism);
    run(streams, tables, text, options.get("answers"));
    // The mini cluster's threads do not end by themselves.
    System.exit(0);
  }

  private static Configuration cluster(Map<String, String> options, int parallelism) {
    Configuration configuration = new Configuration();
    configuration.setString("execution.checkpointing.interval", "1 s");
    configuration.setString("execution.checkpointing.dir", "file://" + options.get("checkpoints"));
    configuration.setString("state.backend.type", "hashmap");
    configuration.setString("taskmanager.memory.network.min", "128m");
    configuration.setString("taskmanager.memory.network.max", "128m");
    configuration.setString("taskmanager.numberOfTaskSlots", String.valueOf(parallelism));
    return configuration;
  }

  private static void configure(StreamTableEnvironment tables, Map<String, String> options, int parallelism) {
    tables.getConfig().set("parallelism.default", String.valueOf(parallelism));
    tables.getConfig().set("table.exec.resource.default-parallelism", String.valueOf(parallelism));
    String latency = options.get("mini-batch");
    if (latency != null) {
      tables.getConfig().set("table.exec.mini-batch.enabled", "true");
      tables.getConfig().set("table.exec.mini-batch.allow-latency", latency);
      tables.getConfig().set("table.exec.mini-batch.size", "20000");
    }
    tables.createTemporarySystemFunction("AVERAGE_COST", AverageCost.class);
  }

  private static void run(StreamExecutionEnvironment streams, StreamTableEnvironment tables, String text, String answers)
      throws Exception {
    StatementSet inserts = tables.createStatementSet();
    for (String part : text.split(";\\s*(\n|$)")) {
      String statement = part.replaceAll("(?m)^--.*$", "").strip();
      if (statement.startsWith("INSERT")) {
        inserts.addInsertSql(statement);
      } else if (statement.startsWith("SELECT")) {
        Matcher name = ANSWER.matcher(part);
        if (answers != null && name.find()) {
          Table table = tables.sqlQuery(statement);
          Answer sink = new Answer(answers + "/" + name.group(1) + ".csv", table.getResolvedSchema().getColumnNames());
          tables.toChangelogStream(table).sinkTo(sink).setParallelism(1);
        }
      } else if (!statement.isEmpty()) {
        tables.executeSql(statement);
      }
    }
    if (answers == null) {
      inserts.execute().await();
    } else {
      streams.execute();
    }
  }
}
