package headwater.peers;

import java.io.IOException;
import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.api.connector.sink2.SinkWriter;
import org.apache.flink.api.connector.sink2.WriterInitContext;
import org.apache.flink.types.Row;
import org.apache.flink.types.RowKind;

/** Sink that keeps the rows of a changelog and writes what is left of them as CSV at the end. */
public class Answer implements Sink<Row> {
  private final String path;
  private final String header;

  public Answer(String path, List<String> columns) {
    this.path = path;
    this.header = String.join(",", columns);
  }

  @Override
  public SinkWriter<Row> createWriter(WriterInitContext context) {
    return new Writer(path, header);
  }

  private static class Writer implements SinkWriter<Row> {
    private final Map<String, Integer> counts = new HashMap<>();
    private final String path;
    private final String header;

    Writer(String path, String header) {
      this.path = path;
      this.header = header;
    }

    @Override
    public void write(Row row, Context context) {
      boolean added = row.getKind() == RowKind.INSERT || row.getKind() == RowKind.UPDATE_AFTER;
      counts.merge(line(row), added ? 1 : -1, (before, change) -> before + change == 0 ? null : before + change);
    }

    @Override
    public void flush(boolean endOfInput) throws IOException {
      if (!endOfInput) {
        return;
      }
      List<String> lines = new ArrayList<>();
      counts.forEach((line, count) -> lines.addAll(Collections.nCopies(Math.max(count, 0), line)));
      Collections.sort(lines);
      lines.add(0, header);
      Files.write(Path.of(path), lines);
    }

    @Override
    public void close() {}

    private static String line(Row row) {
      List<String> cells = new ArrayList<>(row.getArity());
      for (int index = 0; index < row.getArity(); index++) {
        Object cell = row.getField(index);
        cells.add(cell instanceof BigDecimal number ? number.toPlainString() : String.valueOf(cell));
      }
      return String.join(",", cells);
    }
  }
}
