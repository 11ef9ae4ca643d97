package dynamodb

import (
	"slices"
	"strconv"
	"strings"

	"milepost/local/awsapi"
)

// This file reads the members that many requests share.

// unknown refuses a member that is not implemented.
func (d *decoder) unknown(name string) {
	d.fail(awsapi.Unsupported("the request member " + strconv.Quote(name)))
}

func errMissing(member string) error {
	return validationf("1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null", member)
}

// optional reads a string whose absence means something else than "".
func (d *decoder) optional() *string {
	s := d.string()
	return &s
}

// enum reads a string that must be one of allowed.
func (d *decoder) enum(member string, allowed ...string) string {
	s := d.string()
	if d.err == nil && !slices.Contains(allowed, s) {
		d.fail(errMember(member, s, strings.Join(allowed, ", ")))
	}
	return s
}

// tableName reads the name of a table, or its ARN.
func (d *decoder) tableName() string { return bareName(d.string()) }

func bareName(nameOrARN string) string {
	if name, ok := strings.CutPrefix(nameOrARN, TableARN("")); ok {
		return name
	}
	return nameOrARN
}

func (d *decoder) noItemCollectionMetrics() {
	if d.enum("returnItemCollectionMetrics", "SIZE", "NONE") == "SIZE" {
		d.fail(awsapi.Unsupported("ReturnItemCollectionMetrics SIZE"))
	}
}
