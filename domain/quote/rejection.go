package quote

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"milepost/domain/plausible"
	"milepost/domain/rating"
	"milepost/domain/rejection"
)

// SignedRejection is a signed document: the customer goes without a coverage, or with less of it, or excludes drivers, as
// the state wants in writing. Who signed it, and from where, is personal data.
type SignedRejection struct {
	Code rejection.Code `json:"code"`
	// Coverage is "" if it is about drivers.
	Coverage rating.Coverage `json:"coverage,omitempty"`
	Version  string          `json:"version"`
	// Text is what was signed, word for word.
	Text string `json:"text"`
	// Signature is the name that the customer typed.
	Signature string    `json:"signature"`
	SignedAt  time.Time `json:"signedAt"`
	// SourceIP is where the request came from.
	SourceIP string `json:"sourceIp,omitempty"`
}

// LogValue leaves out who signed it.
func (s SignedRejection) LogValue() slog.Value {
	return slog.StringValue(string(s.Code) + " " + s.Version)
}

// RejectionsNeeded are the forms that have to be signed to accept the offer of the revision, and the offers that the
// state wants in writing without a signature.
func (r Revision) RejectionsNeeded() (sign, offers []rejection.Form) {
	return rejection.Needed(rejection.Choice{
		State: r.Request.State, Effective: r.Request.EffectiveDate, Coverages: r.Request.Coverages,
		Excludes: len(r.Request.ExcludedDrivers()) > 0,
	})
}

// ExcludedDrivers are the ids of the drivers whom the request excludes.
func (r Request) ExcludedDrivers() (ids []string) {
	for _, d := range r.Drivers {
		if d.Excluded {
			ids = append(ids, d.DriverID)
		}
	}
	return ids
}

// NotTheSigner refuses an acceptance with signatures that the customer does not send: nobody signs for somebody else.
type NotTheSigner struct{ Needed []rejection.Code }

func (e *NotTheSigner) Error() string {
	return fmt.Sprintf("only the customer signs %v", e.Needed)
}

// BadRejections refuses an acceptance without exactly the rejections that the offer needs, each in the words of its
// version.
type BadRejections struct{ Faults []plausible.Finding }

func (e *BadRejections) Error() string {
	places := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		places[i] = string(f.Code) + " " + f.Pointer
	}
	return "the rejections are not those that the offer needs: " + strings.Join(places, ", ")
}

// checkSigned returns the rejections of an acceptance in the order of the forms, if they are those that are needed.
func (q Quote) checkSigned(c AcceptQuote) ([]SignedRejection, error) {
	needed, _ := q.RejectionsNeeded()
	bad := &BadRejections{}
	fault := func(code rejection.Code, pointer, format string, args ...any) {
		bad.Faults = append(bad.Faults, plausible.Finding{Code: rating.Code(code), Pointer: pointer, Text: fmt.Sprintf(format, args...)})
	}
	var signed []SignedRejection
	for _, f := range needed {
		i := slices.IndexFunc(c.Rejections, func(s SignedRejection) bool { return s.Code == f.Code })
		if i < 0 {
			what := "goes without " + string(f.Coverage)
			switch f.When {
			case rejection.BelowBI:
				what = "has a limit of " + string(f.Coverage) + " below that of BI"
			case rejection.DriverExcluded:
				what = "excludes a driver"
			}
			fault(f.Code, "/rejections", "The offer %s. Sign version %s of this form, or amend the quote.", what, f.Version)
			continue
		}
		s := c.Rejections[i]
		s.Coverage = f.Coverage
		signed = append(signed, s)
	}
	for i, s := range c.Rejections {
		at := fmt.Sprintf("/rejections/%d", i)
		n := slices.IndexFunc(needed, func(f rejection.Form) bool { return f.Code == s.Code })
		switch {
		case n < 0:
			fault(s.Code, at, "The offer does not need this rejection. Leave it out.")
		case slices.ContainsFunc(c.Rejections[:i], func(before SignedRejection) bool { return before.Code == s.Code }):
			fault(s.Code, at+"/code", "This rejection is there twice. Send it once.")
		case s.Version != needed[n].Version:
			fault(s.Code, at+"/version", "Version %s is in force. Show its text and let it be signed.", needed[n].Version)
		case s.Text != needed[n].Text:
			fault(s.Code, at+"/text", "These are not the words of version %s. Show them as the quote has them.", s.Version)
		}
		if !plausible.Name(s.Signature) {
			fault(s.Code, at+"/signature", "Sign with your name: letters, and at most 100 characters in one line.")
		}
	}
	if len(bad.Faults) > 0 {
		return nil, bad
	}
	if len(signed) > 0 && !c.BySigner {
		e := &NotTheSigner{}
		for _, s := range signed {
			e.Needed = append(e.Needed, s.Code)
		}
		return nil, e
	}
	return signed, nil
}
