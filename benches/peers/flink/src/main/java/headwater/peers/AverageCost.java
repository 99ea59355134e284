package headwater.peers;

import java.math.BigDecimal;
import java.math.RoundingMode;
import org.apache.flink.table.annotation.DataTypeHint;
import org.apache.flink.table.annotation.FunctionHint;
import org.apache.flink.table.functions.AggregateFunction;

/** Average price at average cost: a fold that depends on order, which SQL has no function for. */
public class AverageCost extends AggregateFunction<BigDecimal, AverageCost.Open> {
  private static final int PLACES = 9;

  /** What is open: quantity, and what it cost. */
  public static class Open {
    public long quantity = 0;

    public @DataTypeHint("DECIMAL(38, 9)") BigDecimal cost = BigDecimal.ZERO;
  }

  @Override
  public Open createAccumulator() {
    return new Open();
  }

  @FunctionHint(output = @DataTypeHint("DECIMAL(38, 9)"))
  public void accumulate(Open open, Long traded, @DataTypeHint("DECIMAL(18, 4)") BigDecimal price) {
    long left = open.quantity + traded;
    if (open.quantity == 0 || (open.quantity > 0) == (traded > 0)) {
      open.cost = open.cost.add(price.multiply(BigDecimal.valueOf(traded)));
    } else if (left == 0) {
      open.cost = BigDecimal.ZERO;
    } else if ((left > 0) == (open.quantity > 0)) {
      open.cost = quotient(open.cost.multiply(BigDecimal.valueOf(left)), open.quantity);
    } else {
      open.cost = price.multiply(BigDecimal.valueOf(left));
    }
    open.quantity = left;
  }

  @Override
  public @DataTypeHint("DECIMAL(38, 9)") BigDecimal getValue(Open open) {
    return open.quantity == 0 ? BigDecimal.ZERO.setScale(PLACES) : quotient(open.cost, open.quantity);
  }

  private static BigDecimal quotient(BigDecimal number, long by) {
    return number.divide(BigDecimal.valueOf(by), PLACES, RoundingMode.HALF_EVEN);
  }
}
