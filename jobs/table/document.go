package table

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// create writes doc unless there is an object, and says whether the object that is there now is this
// process's own.
func (t *Table) create(ctx context.Context, key string, doc any) (own bool, err error) {
	data, err := Encode(doc)
	if err != nil {
		return false, err
	}
	err = t.in.CreateIfAbsent(ctx, key, data)
	if err == nil {
		return true, nil
	}
	if !errors.Is(err, fs.ErrExist) {
		return false, err
	}
	var signed struct {
		Writer string `json:"writer"`
	}
	if err := t.read(ctx, key, &signed); err != nil {
		return false, err
	}
	return signed.Writer == t.Writer, nil
}

func (t *Table) read(ctx context.Context, key string, doc any) error {
	data, err := t.in.ReadAll(ctx, key)
	if err != nil {
		return err
	}
	if err := decode(data, doc); err != nil {
		return fmt.Errorf("%s %w", t.in.URI(key), err)
	}
	return nil
}

// sumBegins is where the checksum begins that every document ends with: that of what it would be without.
const sumBegins = ",\n \"sha256\": \""

// Encode returns the bytes under which a table keeps a document: JSON with a checksum of the rest at its end, so that no
// byte of the state can change unnoticed.
func Encode(doc any) ([]byte, error) {
	data, err := json.MarshalIndent(doc, "", " ")
	if err != nil {
		return nil, err
	}
	end := []byte("\n}")
	return fmt.Appendf(bytes.TrimSuffix(data, end), "%s%x\"\n}\n", sumBegins, sha256.Sum256(data)), nil
}

// decode reads a document. Its errors continue a sentence that begins with the document's name.
func decode(data []byte, doc any) error {
	var v struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(data, &v); err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if v.Version > Version {
		return fmt.Errorf("has version %d, this program knows %d; use a newer mapper", v.Version, Version)
	}
	text, _, _ := bytes.Cut(data, []byte(sumBegins))
	sum := sha256.Sum256(append(slices.Clip(text), "\n}"...))
	if want := fmt.Appendf(slices.Clip(text), "%s%x\"\n}\n", sumBegins, sum); !bytes.Equal(data, want) {
		return fmt.Errorf("%w: it is not what its checksum says", ErrDamaged)
	}
	if err := json.Unmarshal(data, doc); err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return nil
}
