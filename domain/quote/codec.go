package quote

import (
	"encoding/json"
	"fmt"
	"reflect"
)

// Versioned names one event type in one version of its schema.
type Versioned struct {
	Type    string
	Version int
}

// Unmarshal reads JSON text into a value, as json.Unmarshal does.
type Unmarshal func(data []byte, into any) error

// Decode reads the data of a stored event, of whatever version.
func Decode(v Versioned, data json.RawMessage) (Event, error) {
	return DecodeWith(json.Unmarshal, v, data)
}

// DecodeWith is Decode with another JSON reader. What that leaves out, the event lacks.
func DecodeWith(read Unmarshal, v Versioned, data json.RawMessage) (Event, error) {
	k, ok := kinds[v.Type]
	if !ok || v.Version < 1 || v.Version > k.Version() {
		return nil, fmt.Errorf("event %s has no version %d in this program", v.Type, v.Version)
	}
	data, err := Upcast(v, data)
	if err != nil {
		return nil, err
	}
	e := reflect.New(reflect.TypeOf(k.Event))
	if err := read(data, e.Interface()); err != nil {
		return nil, fmt.Errorf("decode %s version %d: %w", v.Type, v.Version, err)
	}
	return e.Elem().Interface().(Event), nil
}
