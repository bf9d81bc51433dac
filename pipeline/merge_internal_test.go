package pipeline

import (
	"reflect"
	"testing"
)

// TestTaskBytes: the byte budget has to know what a task takes.
func TestTaskBytes(t *testing.T) {
	if size := int64(reflect.TypeFor[Task]().Size()); size > taskBytes || size < taskBytes*3/4 {
		t.Errorf("a task takes %d bytes, counted as %d", size, taskBytes)
	}
}
