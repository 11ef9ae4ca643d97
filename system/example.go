package system

import (
	_ "embed"
	"strings"

	"milepost/domain/civil"
)

//go:embed example.json
var example string

// Example is a quote request for a policy that begins two weeks after today, directly after the previous one: the first
// of the worked examples of the rating, with a name and a license.
func Example(today civil.Date) string {
	begins := today.AddDays(14).String()
	return strings.NewReplacer(`"effectiveDate": ""`, `"effectiveDate": "`+begins+`"`,
		`"expirationDate": ""`, `"expirationDate": "`+begins+`"`).Replace(example)
}
