package jobs

import (
	"reflect"
	"regexp"
)

// InKeys returns an error of a job that is described by a file: its message calls settings by their keys, where it has
// flags for those who use the command line. It wraps err, and is nil when err is.
func InKeys(err error) error {
	if err == nil {
		return nil
	}
	return &reworded{inKeys(err.Error()), err}
}

var flag = regexp.MustCompile(`--[a-z][a-z-]*[a-z]\b`)

// inKeys calls settings by their keys where a message has flags.
func inKeys(message string) string {
	keys := map[string]string{}
	for _, f := range fieldsOf("", reflect.ValueOf(new(File)).Elem()) {
		keys[flagNamed(lastOf(f.key))] = f.key
	}
	return flag.ReplaceAllStringFunc(message, func(text string) string {
		if key, ok := keys[text]; ok {
			return key
		}
		return text
	})
}
