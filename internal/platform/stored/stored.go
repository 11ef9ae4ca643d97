// Package stored reads the items of tables. An item may have been damaged since it was written: a Reader names the
// first wrong attribute, and Faults collect what work found that continues with everything else.
package stored

import (
	"iter"
	"maps"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Item is an item, or a map in one, by the names of its attributes.
type Item = map[string]types.AttributeValue

// BadAttribute is the error of an item with an attribute that is missing or not what it should be.
type BadAttribute struct {
	// Name is the attribute's, with those of the maps in which it is: metadata.actor.
	Name string
	// Want says what it should be.
	Want string
}

func (e *BadAttribute) Error() string { return "attribute " + e.Name + " is not " + e.Want }

// Reader reads attributes of an item. An attribute of another type reads as the zero value, and the first such one is
// Err.
type Reader struct {
	item Item
	// within begins the names of a map's attributes.
	within string
	// err is shared with the Readers of the maps in the item.
	err *error
}

// Read begins to read an item.
func Read(item Item) Reader { return Reader{item: item, err: new(error)} }

// Err is the *BadAttribute of the first attribute that was not what it should be, nil if all were.
func (r Reader) Err() error { return *r.err }

// Has reports whether there is an attribute of the name, of whatever type.
func (r Reader) Has(name string) bool { return r.item[name] != nil }

// Names returns the names of the attributes, in no particular order.
func (r Reader) Names() iter.Seq[string] { return maps.Keys(r.item) }

// Text reads a string.
func (r Reader) Text(name string) string {
	v, ok := r.item[name].(*types.AttributeValueMemberS)
	if !ok {
		r.Fail(name, "a string")
		return ""
	}
	return v.Value
}

// OptionalText reads a string that may be missing.
func (r Reader) OptionalText(name string) string {
	if !r.Has(name) {
		return ""
	}
	return r.Text(name)
}

// Bytes reads binary data.
func (r Reader) Bytes(name string) []byte {
	v, ok := r.item[name].(*types.AttributeValueMemberB)
	if !ok {
		r.Fail(name, "bytes")
		return nil
	}
	return v.Value
}

// OptionalBytes reads binary data that may be missing.
func (r Reader) OptionalBytes(name string) []byte {
	if !r.Has(name) {
		return nil
	}
	return r.Bytes(name)
}

// Number reads a whole number.
func (r Reader) Number(name string) int {
	if v, ok := r.item[name].(*types.AttributeValueMemberN); ok {
		if n, err := strconv.Atoi(v.Value); err == nil {
			return n
		}
	}
	r.Fail(name, "a whole number")
	return 0
}

// OptionalNumber reads a whole number that may be missing.
func (r Reader) OptionalNumber(name string) int {
	if !r.Has(name) {
		return 0
	}
	return r.Number(name)
}

// Time reads an instant that was written in a layout, and in no other form: a text that was not written so would
// not be written so again.
func (r Reader) Time(name, layout string) time.Time {
	text := r.Text(name)
	t, err := time.Parse(layout, text)
	if err != nil || t.Format(layout) != text {
		r.Fail(name, "a time")
		return time.Time{}
	}
	return t
}

// Map begins to read a map.
func (r Reader) Map(name string) Reader {
	in := Reader{within: r.within + name + ".", err: r.err}
	v, ok := r.item[name].(*types.AttributeValueMemberM)
	if !ok {
		r.Fail(name, "a map")
		return in
	}
	in.item = v.Value
	return in
}

// OptionalMaps begins to read each of a list of maps, which may be missing.
func (r Reader) OptionalMaps(name string) []Reader {
	if !r.Has(name) {
		return nil
	}
	list, ok := r.item[name].(*types.AttributeValueMemberL)
	if !ok {
		r.Fail(name, "a list")
		return nil
	}
	items := Reader{item: Item{}, within: r.within + name + ".", err: r.err}
	all := make([]Reader, len(list.Value))
	for i, v := range list.Value {
		items.item[strconv.Itoa(i)] = v
		all[i] = items.Map(strconv.Itoa(i))
	}
	return all
}

// Fail says that an attribute is not what it should be.
func (r Reader) Fail(name, want string) {
	if *r.err == nil {
		*r.err = &BadAttribute{Name: r.within + name, Want: want}
	}
}

// Image is an item as the stream of its table has it.
func Image(image map[string]events.DynamoDBAttributeValue) Item {
	item := make(Item, len(image))
	for name, v := range image {
		item[name] = attribute(v)
	}
	return item
}

// attribute converts a value. A value of a type that nothing here uses becomes NULL, which reads as nothing.
func attribute(v events.DynamoDBAttributeValue) types.AttributeValue {
	switch v.DataType() {
	case events.DataTypeString:
		return &types.AttributeValueMemberS{Value: v.String()}
	case events.DataTypeNumber:
		return &types.AttributeValueMemberN{Value: v.Number()}
	case events.DataTypeBinary:
		return &types.AttributeValueMemberB{Value: v.Binary()}
	case events.DataTypeMap:
		return &types.AttributeValueMemberM{Value: Image(v.Map())}
	default:
		return &types.AttributeValueMemberNULL{Value: true}
	}
}

// maxNamed is how many faults are named: as many as fit into a state machine's payload.
const maxNamed = 20

// Faults are what could not be read, by name as far as there is room. The zero Faults means none, and NewFaults means
// none in JSON, as an empty list.
type Faults struct {
	Named []string `json:"faults"`
	// Unnamed counts the faults for which there was no room.
	Unnamed int `json:"unnamed"`
}

// NewFaults returns no faults.
func NewFaults() Faults { return Faults{Named: []string{}} }

// Count is how many there are.
func (f *Faults) Count() int { return len(f.Named) + f.Unnamed }

// Add adds a fault by its name.
func (f *Faults) Add(err error) { f.Named = append(f.Named, err.Error()) }

// Join adds other faults.
func (f *Faults) Join(o Faults) {
	f.Named = append(f.Named, o.Named...)
	f.Unnamed += o.Unnamed
}

// Bound leaves out the names for which a state machine has no room.
func (f *Faults) Bound() {
	if extra := len(f.Named) - maxNamed; extra > 0 {
		f.Named, f.Unnamed = f.Named[:maxNamed], f.Unnamed+extra
	}
}
