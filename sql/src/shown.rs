//! Columns as SQL shows them: digests, which are bytes in files, become hexadecimal text.

use std::sync::Arc;

use arrow::array::{AsArray, StringArray};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::catalog::Session;
use datafusion::common::{DFSchema, DataFusionError, Result};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, col};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use headwater_schemas::Hex;

/// The schema of files, as it is shown.
pub(crate) fn shown(stored: &SchemaRef) -> SchemaRef {
    let show = |field: &FieldRef| {
        if is_digest(field) { Arc::new(field.as_ref().clone().with_data_type(DataType::Utf8)) } else { Arc::clone(field) }
    };
    Arc::new(Schema::new(stored.fields().iter().map(show).collect::<Vec<_>>()))
}

const fn is_digest_type(data_type: &DataType) -> bool {
    matches!(data_type, DataType::FixedSizeBinary(_))
}

fn is_digest(field: &FieldRef) -> bool {
    is_digest_type(field.data_type())
}

/// The rows of a plan, as they are shown.
pub(crate) fn show(state: &dyn Session, plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let schema = plan.schema();
    if !schema.fields().iter().any(is_digest) {
        return Ok(plan);
    }
    let names = DFSchema::try_from(Arc::clone(&schema))?;
    let text = Arc::new(ScalarUDF::from(HexText::default()));
    let column = |field: &FieldRef| {
        let stored = col(format!("\"{}\"", field.name()));
        let shown = if is_digest(field) { text.call(vec![stored]) } else { stored };
        Ok(ProjectionExpr { expr: state.create_physical_expr(shown, &names)?, alias: field.name().clone() })
    };
    let columns = schema.fields().iter().map(column).collect::<Result<Vec<_>>>()?;
    Ok(Arc::new(ProjectionExec::try_new(columns, plan)?))
}

/// Bytes as hexadecimal text.
#[derive(Debug, PartialEq, Eq, Hash)]
struct HexText {
    signature: Signature,
}

impl Default for HexText {
    fn default() -> Self {
        Self { signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for HexText {
    fn name(&self) -> &'static str {
        "hex_text"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let is_nullable = args.arg_fields.iter().any(|field| field.is_nullable());
        Ok(Arc::new(Field::new(self.name(), DataType::Utf8, is_nullable)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let bytes = arrays.first().and_then(|array| array.as_fixed_size_binary_opt());
        let bytes = bytes.ok_or_else(|| DataFusionError::Internal("only digests are shown as text".to_owned()))?;
        let text: StringArray = bytes.iter().map(|digest| digest.map(|digest| Hex(digest).to_string())).collect();
        Ok(ColumnarValue::Array(Arc::new(text)))
    }
}
