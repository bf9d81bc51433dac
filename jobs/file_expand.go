package jobs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
)

// reference is what stands between ${ and }.
var reference = regexp.MustCompile(`^(?:file:(.+)|([A-Za-z_][A-Za-z0-9_]*))$`)

var errOpen = errors.New(`"${" begins no ${VAR} and no ${file:/path}; write $${ for a literal ${`)

// expander replaces references to variables and files in values of a job file.
type expander struct {
	env    func(string) (string, bool)
	secret bool // the value is a credential: a part of it may look like a reference, and is not shown
	used   bool // something was replaced
}

// expand replaces ${VAR} and ${file:/path}, and $${ by ${. What a reference stands for is not looked into again.
func (x *expander) expand(text string) (string, error) {
	var out strings.Builder
	whole := text
	for {
		before, rest, found := strings.Cut(text, "${")
		if !found {
			out.WriteString(text)
			return out.String(), nil
		}
		if escaped, ok := strings.CutSuffix(before, "$"); ok {
			out.WriteString(escaped + "${")
			text = rest
			continue
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			return "", errOpen
		}
		value, err := x.resolve(name, x.secret && whole != "${"+name+"}")
		if err != nil {
			return "", err
		}
		out.WriteString(before + value)
		text, x.used = after, true
	}
}

// resolve returns what a reference stands for. The name of a hidden one is not shown.
func (x *expander) resolve(name string, hidden bool) (string, error) {
	parts := reference.FindStringSubmatch(name)
	if parts == nil {
		return "", errOpen
	}
	value, err := "", error(nil)
	if parts[1] != "" {
		value, err = readText(parts[1])
	} else if v, ok := x.env(name); ok {
		value = v
	} else {
		err = errors.New("is not set")
	}
	if err != nil && hidden {
		return "", errors.New("a ${...} in it cannot be expanded; write $${ for a literal ${")
	}
	if err != nil {
		return "", fmt.Errorf("${%s} %w", name, err)
	}
	return value, nil
}

// readText returns the text of a file without the blanks around it, as editors leave them at its end.
func readText(path string) (string, error) {
	data, err := os.ReadFile(path)
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err // the path stands in the reference
	}
	if err != nil {
		return "", fmt.Errorf("cannot be read: %w", err)
	}
	return strings.TrimSpace(string(data)), nil
}
