package quote

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"milepost/domain/civil"
	"milepost/domain/plausible"
	"milepost/domain/rating"
)

// application is the request as plausibility is checked, as of a quote date.
func (r Request) application(quoteDate civil.Date) plausible.Application {
	a := plausible.Application{Request: r.Rating(quoteDate)}
	for _, d := range r.Drivers {
		a.People = append(a.People, plausible.Person{
			FirstName: d.FirstName, LastName: d.LastName, LicenseState: r.LicenseStateOf(d), LicenseNumber: d.LicenseNumber,
		})
	}
	if r.Address != nil {
		a.Texts = []plausible.Text{{Pointer: "/address/line1", Value: r.Address.Line1}, {Pointer: "/address/city", Value: r.Address.City}}
	}
	if c := r.Contact; c != nil && c.Consents.Text {
		a.TextedPhone = c.Phone
	}
	return a
}

// Notes are the rare but accepted answers in a request. They are worth a question to the customer.
func (r Request) Notes(quoteDate civil.Date) []plausible.Finding {
	return plausible.Notes(r.application(quoteDate), nil)
}

// contradictions are those within a revision, or with what the VIN decoder says about its vehicles.
func (r Revision) contradictions() []plausible.Finding {
	return plausible.Contradictions(r.Request.application(r.QuoteDate), r.Facts().VIN)
}

// checkPlausible refuses what cannot be quoted or cannot be. All of it is reported together, in the order of the
// request.
func checkPlausible(a plausible.Application) error {
	faults := plausible.Faults(a)
	codes := rating.Validate(ratingDespite(faults, a.Request))
	if len(codes)+len(faults) == 0 {
		return nil
	}
	for _, code := range codes {
		faults = append(faults, plausible.Finding{Code: code, Pointer: rating.Locate(a.Request, code), Text: rating.Text("", code)})
	}
	slices.SortStableFunc(faults, func(a, b plausible.Finding) int { return comparePointers(a.Pointer, b.Pointer) })
	return &InvalidRequest{Codes: codes, Faults: faults}
}

// ratingDespite is the request as if the impossible dates of birth were right: a person who is not born yet is not also
// reported as too young.
func ratingDespite(faults []plausible.Finding, request rating.Request) rating.Request {
	request.Drivers = slices.Clone(request.Drivers)
	for i := range request.Drivers {
		at := fmt.Sprintf("/drivers/%d/dateOfBirth", i)
		if slices.ContainsFunc(faults, func(f plausible.Finding) bool { return f.Pointer == at }) {
			request.Drivers[i].DateOfBirth = request.QuoteDate.AddYears(-40)
		}
	}
	return request
}

// members are those of a request, in order.
var members = []string{"", "state", "effectiveDate", "termMonths", "policy", "coverages", "drivers", "vehicles", "address", "contact"}

// comparePointers orders JSON pointers as the request orders what they are about: by member, then by the numbers of
// drivers and vehicles. Members of one driver or vehicle stay in the order of their rules.
func comparePointers(a, b string) int {
	memberA, restA, _ := strings.Cut(strings.TrimPrefix(a, "/"), "/")
	memberB, restB, _ := strings.Cut(strings.TrimPrefix(b, "/"), "/")
	return cmp.Or(cmp.Compare(slices.Index(members, memberA), slices.Index(members, memberB)), cmp.Compare(number(restA), number(restB)))
}

// number is the number that a pointer begins with, 0 where it begins with none.
func number(pointer string) int {
	first, _, _ := strings.Cut(pointer, "/")
	n, err := strconv.Atoi(first)
	if err != nil {
		return 0
	}
	return n
}
