package sinks

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/schema"
)

// storage is how a value stands in a Parquet file.
type storage struct {
	physical parquet.Type
	length   int                // of a value in bytes, for those of a fixed length that is not the type's own
	logical  schema.LogicalType // what it means
}

// storageOf returns how values of an Arrow type are stored, such that readers get the same type back.
func storageOf(t arrow.DataType) (storage, error) {
	types := parquet.Types
	switch t := t.(type) {
	case *arrow.StringType, *arrow.LargeStringType:
		return storage{types.ByteArray, 0, schema.StringLogicalType{}}, nil
	case *arrow.BinaryType, *arrow.LargeBinaryType:
		return storage{types.ByteArray, 0, schema.NoLogicalType{}}, nil
	case *arrow.BooleanType:
		return storage{types.Boolean, 0, schema.NoLogicalType{}}, nil
	case *arrow.Float32Type:
		return storage{types.Float, 0, schema.NoLogicalType{}}, nil
	case *arrow.Float64Type:
		return storage{types.Double, 0, schema.NoLogicalType{}}, nil
	case *arrow.Int32Type:
		return storage{types.Int32, 0, schema.NoLogicalType{}}, nil
	case *arrow.Int64Type:
		return storage{types.Int64, 0, schema.NoLogicalType{}}, nil
	case *arrow.Int8Type, *arrow.Int16Type, *arrow.Uint8Type, *arrow.Uint16Type, *arrow.Uint32Type:
		return storage{types.Int32, 0, integer(t)}, nil
	case *arrow.Uint64Type:
		return storage{types.Int64, 0, integer(t)}, nil
	case *arrow.Date32Type:
		return storage{types.Int32, 0, schema.DateLogicalType{}}, nil
	case *arrow.TimestampType:
		return timestampStorage(t)
	case *arrow.Decimal128Type:
		return decimalStorage(t)
	}
	return storage{}, fmt.Errorf("columns of type %s cannot be written; cast it to string", t)
}

func integer(t arrow.DataType) schema.LogicalType {
	return schema.NewIntLogicalType(int8(t.(arrow.FixedWidthDataType).BitWidth()), arrow.IsSignedInteger(t.ID()))
}

func timestampStorage(t *arrow.TimestampType) (storage, error) {
	units := map[arrow.TimeUnit]schema.TimeUnitType{
		arrow.Millisecond: schema.TimeUnitMillis,
		arrow.Microsecond: schema.TimeUnitMicros,
		arrow.Nanosecond:  schema.TimeUnitNanos,
	}
	unit, ok := units[t.Unit]
	if !ok {
		return storage{}, fmt.Errorf("columns of type %s cannot be written, as Parquet has no timestamps in seconds; cast it to milliseconds", t)
	}
	return storage{parquet.Types.Int64, 0, schema.NewTimestampLogicalTypeForce(t.TimeZone != "", unit)}, nil
}

func decimalStorage(t *arrow.Decimal128Type) (storage, error) {
	if t.Precision < 1 || t.Precision > 38 || t.Scale < 0 || t.Scale > t.Precision {
		return storage{}, fmt.Errorf("columns of type %s cannot be written, as Parquet has only decimals of precision 1 to 38 and scale 0 to precision; cast it", t)
	}
	logical := schema.NewDecimalLogicalType(t.Precision, t.Scale)
	return storage{parquet.Types.FixedLenByteArray, decimalBytes(t.Precision), logical}, nil
}

// decimalBytes returns how many bytes a decimal is stored in: the least that hold its largest value and a sign.
func decimalBytes(precision int32) int {
	return int(math.Ceil((float64(precision)*math.Log2(10) + 1) / 8))
}

// parquetSchema returns how columns stand in a Parquet file.
func parquetSchema(s *arrow.Schema) (*schema.Schema, error) {
	var nodes schema.FieldList
	for _, f := range s.Fields() {
		repetition := parquet.Repetitions.Required
		if f.Nullable {
			repetition = parquet.Repetitions.Optional
		}
		how, err := storageOf(f.Type)
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", f.Name, err)
		}
		node, err := schema.NewPrimitiveNodeLogical(f.Name, repetition, how.logical, how.physical, how.length, -1)
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", f.Name, err)
		}
		nodes = append(nodes, node)
	}
	root, err := schema.NewGroupNode("schema", parquet.Repetitions.Required, nodes, -1)
	if err != nil {
		return nil, err
	}
	return schema.NewSchema(root), nil
}

// arrowSchema returns what readers that know Arrow need to restore the types that Parquet has no room for
// (large strings, time zones but UTC), or "" when there are none: the IPC form of the schema in base64, as all
// Arrow libraries store it under the key ARROW:schema.
func arrowSchema(s *arrow.Schema) (string, error) {
	needed := false
	for _, f := range s.Fields() {
		switch t := f.Type.(type) {
		case *arrow.LargeStringType, *arrow.LargeBinaryType:
			needed = true
		case *arrow.TimestampType:
			needed = needed || t.TimeZone != "" && t.TimeZone != "UTC"
		}
	}
	if !needed {
		return "", nil
	}
	var buf bytes.Buffer
	if err := ipc.NewWriter(&buf, ipc.WithSchema(s)).Close(); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(buf.Bytes()), nil
}
