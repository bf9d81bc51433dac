package pipeline

import "mapper/normalize"

// ColumnCounts says how many identifiers a column holds and why how many of them are invalid.
type ColumnCounts struct {
	Identifiers int64            `json:"identifiers"`
	Invalid     map[string]int64 `json:"invalid,omitempty"` // by raw_reason; what the service refused is ServiceInvalid
}

// ServiceInvalid is the reason under which a column counts what the service called invalid, whatever its word.
const ServiceInvalid = "refused by the service"

// columnCounter is ColumnCounts while it is counted.
type columnCounter struct {
	identifiers int64
	invalid     [normalize.Reasons]int64 // what the service refused stands under ReasonNone
}

// addTo adds the counts to those of the columns of the same name.
func (c *columnCounter) addTo(columns map[string]ColumnCounts, name string) {
	if c.identifiers == 0 {
		return
	}
	sum := columns[name]
	sum.Identifiers += c.identifiers
	for reason, n := range c.invalid {
		if n == 0 {
			continue
		}
		if sum.Invalid == nil {
			sum.Invalid = map[string]int64{}
		}
		text := normalize.Reason(reason).String()
		if text == "" {
			text = ServiceInvalid
		}
		sum.Invalid[text] += n
	}
	columns[name] = sum
}

// addColumns adds more to sum, which may be nil and is made anew then: counts of parts are never shared.
func addColumns(sum, more map[string]ColumnCounts) map[string]ColumnCounts {
	if sum == nil && len(more) > 0 {
		sum = map[string]ColumnCounts{}
	}
	for name, m := range more {
		s := sum[name]
		s.Identifiers += m.Identifiers
		s.Invalid = addTo(s.Invalid, m.Invalid)
		sum[name] = s
	}
	return sum
}
