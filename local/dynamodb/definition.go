package dynamodb

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// TableInput is the definition of a table, in the words of CloudFormation and of CreateTable.
type TableInput struct {
	TableName              string
	KeySchema              []KeyElement
	AttributeDefinitions   []AttributeDefinition
	GlobalSecondaryIndexes []Index `json:",omitempty"`
	LocalSecondaryIndexes  []Index `json:",omitempty"`
	// BillingMode is PROVISIONED or PAY_PER_REQUEST; "" means PROVISIONED. Throughput is described but never limited.
	BillingMode           string      `json:",omitempty"`
	ProvisionedThroughput *Throughput `json:",omitempty"`
	// StreamViewType is KEYS_ONLY, NEW_IMAGE, OLD_IMAGE or NEW_AND_OLD_IMAGES; "" means no stream.
	StreamViewType string `json:",omitempty"`
	// StreamLabel is the last part of the stream's ARN; "" means the time of creation, as on AWS. It is for templates,
	// whose ARNs must be known before anything is created.
	StreamLabel string `json:",omitempty"`
	// TTLAttribute names the Number attribute with the second (Unix time) at which an item expires;
	// "" means that nothing expires.
	TTLAttribute              string `json:",omitempty"`
	PointInTimeRecovery       bool   `json:",omitempty"`
	DeletionProtectionEnabled bool   `json:",omitempty"`
	Tags                      []Tag  `json:",omitempty"`
}

// KeyElement is one attribute of a key; KeyType is HASH or RANGE.
type KeyElement struct{ AttributeName, KeyType string }

// AttributeDefinition is the type of a key attribute: S, N or B.
type AttributeDefinition struct{ AttributeName, AttributeType string }

// Index is a secondary index.
type Index struct {
	IndexName             string
	KeySchema             []KeyElement
	Projection            Projection
	ProvisionedThroughput *Throughput `json:",omitempty"`
}

// Projection is what an index holds: ALL, KEYS_ONLY, or INCLUDE with the NonKeyAttributes.
type Projection struct {
	ProjectionType   string
	NonKeyAttributes []string `json:",omitempty"`
}

// Throughput is a provisioned capacity.
type Throughput struct{ ReadCapacityUnits, WriteCapacityUnits int64 }

// Tag is a label of a table.
type Tag struct{ Key, Value string }

const (
	maxGlobalIndexes = 20
	maxLocalIndexes  = 5
	maxKeyName       = 255 // of the name of a key attribute, in bytes
)

var (
	resourceName = regexp.MustCompile(`^[a-zA-Z0-9_.-]{3,255}$`)
	viewTypes    = []string{"", "KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"}
)

// check refuses a definition that AWS would not take.
func (in *TableInput) check() error {
	invalid := func(format string, args ...any) error {
		return validationf("One or more parameter values were invalid: "+format, args...)
	}
	if !resourceName.MatchString(in.TableName) {
		return validationf("1 validation error detected: Value '%s' at 'tableName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+ and have a length from 3 to 255", in.TableName)
	}
	throughputs := map[string]*Throughput{"the table": in.ProvisionedThroughput}
	for _, x := range in.GlobalSecondaryIndexes {
		throughputs["index: "+x.IndexName] = x.ProvisionedThroughput
	}
	for _, of := range slices.Sorted(maps.Keys(throughputs)) {
		switch t := throughputs[of]; in.BillingMode {
		case "PAY_PER_REQUEST":
			if t != nil {
				return invalid("Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST")
			}
		case "", "PROVISIONED":
			if t == nil || t.ReadCapacityUnits < 1 || t.WriteCapacityUnits < 1 {
				return invalid("ReadCapacityUnits and WriteCapacityUnits must both be specified for %s when BillingMode is PROVISIONED", of)
			}
		default:
			return errMember("billingMode", in.BillingMode, "PROVISIONED, PAY_PER_REQUEST")
		}
	}
	if !slices.Contains(viewTypes, in.StreamViewType) {
		return errMember("streamSpecification.streamViewType", in.StreamViewType, strings.Join(viewTypes[1:], ", "))
	}
	defined := map[string]kind{}
	for _, d := range in.AttributeDefinitions {
		k := kindNamed(d.AttributeType)
		if !k.ordered() {
			return errMember("attributeDefinitions.1.member.attributeType", d.AttributeType, "B, N, S")
		}
		if n := len(d.AttributeName); n == 0 || n > maxKeyName {
			return validationf("1 validation error detected: Value '%s' at 'attributeDefinitions.member.attributeName' failed to satisfy constraint: Member must have length between 1 and %d", d.AttributeName, maxKeyName)
		}
		if _, twice := defined[d.AttributeName]; twice {
			return invalid("Duplicate AttributeName in AttributeDefinitions: %s", d.AttributeName)
		}
		defined[d.AttributeName] = k
	}
	used := map[string]bool{}
	checkSchema := func(elements []KeyElement) error {
		if len(elements) == 0 || len(elements) > 2 {
			return invalid("a key schema must have one or two elements, and has %d", len(elements))
		}
		if elements[0].KeyType != "HASH" {
			return invalid("The first KeySchemaElement is not a HASH key type")
		}
		if len(elements) == 2 && elements[1].KeyType != "RANGE" {
			return invalid("The second KeySchemaElement is not a RANGE key type")
		}
		for _, e := range elements {
			if defined[e.AttributeName] == 0 {
				return invalid("Some index key attributes are not defined in AttributeDefinitions. Keys: [%s], AttributeDefinitions: [%s]",
					e.AttributeName, strings.Join(slices.Sorted(maps.Keys(defined)), ", "))
			}
			used[e.AttributeName] = true
		}
		if len(elements) == 2 && elements[0].AttributeName == elements[1].AttributeName {
			return invalid("Both the Hash Key and the Range Key element in the KeySchema have the same name")
		}
		return nil
	}
	if err := checkSchema(in.KeySchema); err != nil {
		return err
	}
	if n := len(in.GlobalSecondaryIndexes); n > maxGlobalIndexes {
		return invalid("GlobalSecondaryIndex count exceeds the per-table limit of %d", maxGlobalIndexes)
	}
	if n := len(in.LocalSecondaryIndexes); n > maxLocalIndexes {
		return invalid("Number of LocalSecondaryIndexes exceeds per-table limit of %d", maxLocalIndexes)
	}
	indexNames := map[string]bool{}
	for _, x := range slices.Concat(in.GlobalSecondaryIndexes, in.LocalSecondaryIndexes) {
		switch {
		case !resourceName.MatchString(x.IndexName):
			return validationf("1 validation error detected: Value '%s' at 'indexName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+ and have a length from 3 to 255", x.IndexName)
		case indexNames[x.IndexName]:
			return invalid("Duplicate index name: %s", x.IndexName)
		}
		indexNames[x.IndexName] = true
		if err := checkSchema(x.KeySchema); err != nil {
			return err
		}
		include := x.Projection.ProjectionType == "INCLUDE"
		switch {
		case !include && x.Projection.ProjectionType != "ALL" && x.Projection.ProjectionType != "KEYS_ONLY":
			return invalid("Unknown ProjectionType: %s", x.Projection.ProjectionType)
		case include != (len(x.Projection.NonKeyAttributes) > 0):
			return invalid("ProjectionType is %s, but NonKeyAttributes has %d names", x.Projection.ProjectionType, len(x.Projection.NonKeyAttributes))
		}
	}
	for _, x := range in.LocalSecondaryIndexes {
		switch {
		case len(in.KeySchema) < 2:
			return invalid("Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex")
		case len(x.KeySchema) != 2:
			return invalid("Index KeySchema does not have a range key for index: %s", x.IndexName)
		case x.KeySchema[0].AttributeName != in.KeySchema[0].AttributeName:
			return invalid("Table KeySchema: The AttributeValue for a LocalSecondaryIndex hash key must be that of the table; index: %s", x.IndexName)
		}
	}
	if len(used) < len(defined) {
		return invalid("Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions")
	}
	return nil
}

// schema is the key that elements describe.
func (in *TableInput) schema(elements []KeyElement) keySchema {
	attribute := func(e KeyElement) keyAttribute {
		for _, d := range in.AttributeDefinitions {
			if d.AttributeName == e.AttributeName {
				return keyAttribute{e.AttributeName, kindNamed(d.AttributeType)}
			}
		}
		return keyAttribute{}
	}
	s := keySchema{partition: attribute(elements[0])}
	if len(elements) == 2 {
		s.sort = attribute(elements[1])
	}
	return s
}

// difference names the members in which two definitions of one table differ, nil if there are none.
func (in *TableInput) difference(other *TableInput) error {
	a, b := reflect.ValueOf(in.sorted()), reflect.ValueOf(other.sorted())
	var differ []string
	for i := range a.NumField() {
		x, y := a.Field(i), b.Field(i)
		if x.Kind() == reflect.Slice && x.Len() == 0 && y.Len() == 0 {
			continue
		}
		if !reflect.DeepEqual(x.Interface(), y.Interface()) {
			differ = append(differ, a.Type().Field(i).Name)
		}
	}
	if differ == nil {
		return nil
	}
	return fmt.Errorf("table %s exists with another %s", in.TableName, strings.Join(differ, ", "))
}

// sorted is the definition with all unordered parts in order.
func (in *TableInput) sorted() TableInput {
	c := *in
	if c.BillingMode == "" {
		c.BillingMode = "PROVISIONED"
	}
	c.AttributeDefinitions = slices.SortedFunc(slices.Values(in.AttributeDefinitions), func(a, b AttributeDefinition) int { return strings.Compare(a.AttributeName, b.AttributeName) })
	byName := func(a, b Index) int { return strings.Compare(a.IndexName, b.IndexName) }
	c.GlobalSecondaryIndexes = slices.SortedFunc(slices.Values(in.GlobalSecondaryIndexes), byName)
	c.LocalSecondaryIndexes = slices.SortedFunc(slices.Values(in.LocalSecondaryIndexes), byName)
	c.Tags = slices.SortedFunc(slices.Values(in.Tags), func(a, b Tag) int { return strings.Compare(a.Key, b.Key) })
	return c
}
