package web

import (
	"regexp"
	"slices"
	"strings"
)

// step is one subject of a new quote.
type step struct{ Name, Title, Heading string }

var steps = []step{
	{"vehicles", "Your car", "Which car do you want to insure?"},
	{"drivers", "Drivers", "Who drives it?"},
	{"history", "History", "What has happened before?"},
	{"coverages", "Coverage", "What should be covered?"},
	{"contact", "Contact", "Where do we send your offer?"},
}

func indexOf(name string) int {
	return slices.IndexFunc(steps, func(s step) bool { return s.Name == name })
}

// belongs are the pointers that steps ask for; the first that matches counts.
var belongs = []struct {
	pattern *regexp.Regexp
	step    string
}{
	{regexp.MustCompile(`^/vehicles/\d+/coverages`), "coverages"},
	{regexp.MustCompile(`^/(state|effectiveDate|vehicles)`), "vehicles"},
	{regexp.MustCompile(`^/drivers/\d+/incidents`), "history"},
	{regexp.MustCompile(`^/drivers/\d+/license(Number|State)$`), "contact"},
	{regexp.MustCompile(`^/drivers`), "drivers"},
	{regexp.MustCompile(`^/policy/priorInsurance`), "history"},
	{regexp.MustCompile(`^/(policy|coverages|termMonths)`), "coverages"},
	{regexp.MustCompile(`^/(address|contact)`), "contact"},
}

// stepOf returns the step that asks for a member, "" if none does.
func stepOf(pointer string) string {
	for _, b := range belongs {
		if b.pattern.MatchString(pointer) {
			return b.step
		}
	}
	return ""
}

// plain words what the API's schema says of a member as a person needs it; what rules say is in plain words already.
func plain(v Violation) []Violation {
	if v.Code != "" {
		return []Violation{v}
	}
	if lacking, ok := strings.CutPrefix(v.Detail, "lacks "); ok {
		var all []Violation
		for member := range strings.SplitSeq(lacking, ", ") {
			all = append(all, Violation{Pointer: v.Pointer + "/" + member, Detail: "Please answer this."})
		}
		return all
	}
	name := v.Pointer[strings.LastIndexByte(v.Pointer, '/')+1:]
	if text, ok := wanted[name]; ok {
		v.Detail = text
	} else if strings.Contains(strings.ToLower(name), "date") {
		v.Detail = "Enter a day, such as 05/15/1988."
	} else if strings.HasPrefix(v.Detail, "must") {
		v.Detail = "This cannot be right: it " + v.Detail + "."
	}
	return []Violation{v}
}

// wanted says what a member looks like.
var wanted = map[string]string{
	"vin":           "A VIN has 17 letters and digits, and neither I, O nor Q.",
	"garagingZip":   "A ZIP code has 5 digits.",
	"zip":           "A ZIP code has 5 digits.",
	"modelYear":     "A model year has four digits, such as 2022.",
	"annualMileage": "Enter miles as a whole number, such as 12000.",
	"oneWayMiles":   "Enter miles as a whole number, such as 8.",
	"msrp":          "Enter an amount in dollars, such as 28000.",
	"value":         "Enter an amount in dollars, such as 22000.",
	"amountPaid":    "Enter an amount in dollars, such as 1200.",
	"licenseNumber": "A license number has letters and digits, at most 30.",
	"email":         "Enter an e-mail address, such as ada@example.com.",
	"phone":         "Enter a number such as +16145550100.",
	"faultPct":      "Enter a share from 0 to 100.",
}
