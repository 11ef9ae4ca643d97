package dynamodb

import (
	"regexp"
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

// optional reads a string whose absence is not the same as "".
func (d *decoder) optional() *string {
	s := d.string()
	return &s
}

// enum reads a string that must be one of allowed.
func (d *decoder) enum(member string, allowed ...string) string {
	s := d.string()
	if d.err == nil && !slices.Contains(allowed, s) {
		d.violates(errMember(member, s, strings.Join(allowed, ", ")))
	}
	return s
}

// tableName reads the name of a table, or its ARN.
func (d *decoder) tableName() string { return bareName(d.string()) }

// nameCharacters are those of tables and indexes.
var nameCharacters = regexp.MustCompile(`^[a-zA-Z0-9_.-]+$`)

// checkName checks the name of a table or an index in a call on items. Existing names have at least 3 characters, but a
// call may name a shorter one: it does not exist.
func checkName(name string) error {
	constraint := ""
	switch {
	case name == "":
		constraint = "have length greater than or equal to 1"
	case len(name) > 255:
		constraint = "have length less than or equal to 255"
	case !nameCharacters.MatchString(name):
		constraint = "satisfy regular expression pattern: [a-zA-Z0-9_.-]+"
	default:
		return nil
	}
	return validationf("1 validation error detected: Value at 'tableName' failed to satisfy constraint: Member must %s", constraint)
}

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
