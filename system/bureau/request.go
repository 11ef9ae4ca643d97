package bureau

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// request is an order as it is sent.
type request struct {
	RequestID          string   `json:"requestId"`
	PermissiblePurpose string   `json:"permissiblePurpose"`
	QuoteRef           string   `json:"quoteRef"`
	Products           []string `json:"products"`
	LookbackYears      int      `json:"lookbackYears"`
	Subject            subject  `json:"subject"`
	VINs               []string `json:"vins"`
}

type subject struct {
	FirstName   string  `json:"firstName"`
	LastName    string  `json:"lastName"`
	DateOfBirth string  `json:"dateOfBirth"`
	License     License `json:"license"`
	// Address helps to distinguish people. It is not needed with a license; half an address is refused.
	Address *address `json:"address"`
}

type address struct {
	Line1 string `json:"line1"`
	City  string `json:"city"`
	State string `json:"state"`
	ZIP   string `json:"zip"`
}

var (
	uuid    = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
	state   = regexp.MustCompile(`^[A-Z]{2}$`)
	number  = regexp.MustCompile(`^[A-Z0-9]{1,25}$`)
	zipCode = regexp.MustCompile(`^[0-9]{5}(-[0-9]{4})?$`)
	vin     = regexp.MustCompile(`^[A-HJ-NPR-Z0-9]{17}$`)
)

// headers returns the idempotency key of an order, and refuses an order without the headers it needs.
func headers(r *http.Request) (key string, wrong *problem) {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch key = strings.ToLower(r.Header.Get("Idempotency-Key")); {
	case err != nil || mediaType != "application/json":
		return "", invalid("Content-Type", "the body has to be application/json")
	case !uuid.MatchString(key):
		return "", invalid("Idempotency-Key", "the key has to be a UUID")
	case r.Header.Get("X-Correlation-Id") == "":
		return "", invalid("X-Correlation-Id", "the correlation id is missing")
	}
	return key, nil
}

// parse reads an order and says what is wrong with it.
func parse(body []byte) (*request, *problem) {
	var req request
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&req); err != nil {
		return nil, invalid("", "the body is no order") // the cause could quote personal data
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, invalid("", "something follows the order")
	}
	return &req, req.check()
}

// check returns the first fault of an order: faults of the call before those of the subject.
func (r *request) check() *problem {
	insufficient := func(field string) *problem {
		return &problem{status: http.StatusUnprocessableEntity, code: "INSUFFICIENT_SUBJECT_DATA", field: field, message: "the subject cannot be found without this"}
	}
	badLicense := func(field string) *problem {
		return &problem{status: http.StatusUnprocessableEntity, code: "INVALID_LICENSE", field: field, message: "no license has this form"}
	}
	s := r.Subject
	switch {
	case r.RequestID == "":
		return invalid("requestId", "the request id is missing")
	case r.PermissiblePurpose == "":
		return invalid("permissiblePurpose", "the purpose is missing")
	case r.PermissiblePurpose != "INSURANCE_UNDERWRITING":
		return &problem{status: http.StatusForbidden, code: "PURPOSE_NOT_PERMITTED", field: "permissiblePurpose", message: "this purpose is not certified"}
	case r.QuoteRef == "":
		return invalid("quoteRef", "the quote is missing")
	case !validProducts(r.Products):
		return invalid("products", "the products have to be CLAIMS, MVR or both")
	case r.LookbackYears < 1 || r.LookbackYears > 7:
		return invalid("lookbackYears", "the years have to be 1 to 7")
	case slices.ContainsFunc(r.VINs, func(v string) bool { return !vin.MatchString(v) }):
		return invalid("vins", "a VIN has 17 characters")
	case s.LastName == "":
		return insufficient("subject.lastName")
	case s.FirstName == "":
		return insufficient("subject.firstName")
	case !isDate(s.DateOfBirth):
		return insufficient("subject.dateOfBirth")
	case s.Address != nil && (s.Address.Line1 == "" || s.Address.City == "" || !state.MatchString(s.Address.State) || !zipCode.MatchString(s.Address.ZIP)):
		return insufficient("subject.address")
	case !state.MatchString(s.License.State):
		return badLicense("subject.license.state")
	case !number.MatchString(s.License.Number):
		return badLicense("subject.license.number")
	}
	return nil
}

func validProducts(products []string) bool {
	switch len(products) {
	case 1:
		return products[0] == "CLAIMS" || products[0] == "MVR"
	case 2:
		return slices.Contains(products, "CLAIMS") && slices.Contains(products, "MVR")
	}
	return false
}

func isDate(text string) bool {
	_, err := time.Parse(time.DateOnly, text)
	return err == nil
}
