// Package api is what the functions behind the HTTP API share: who calls, Problem documents, and
// JSON answers.
package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"milepost/domain/quote"
	"milepost/domain/rating"
	"milepost/internal/api/quota"
	"milepost/internal/log/eventstore"
	"milepost/internal/log/seal"
	"milepost/internal/quotes/draft"
	"milepost/internal/quotes/quotestore"
	"milepost/schemas"
)

// Problem is an error as the API answers it (RFC 9457). It holds no personal data.
type Problem struct {
	// Type identifies the kind of problem; it is a path in the API's documentation.
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	// Detail says what is wrong this time and what to do about it.
	Detail string `json:"detail,omitempty"`
	// Errors are the single places that are wrong.
	Errors []Violation `json:"errors,omitempty"`
	// Meanwhile are the events that changed the quote since the version which a command is about, for employees.
	Meanwhile []Change `json:"meanwhile,omitempty"`
	// Headers are further headers of the answer.
	Headers map[string]string `json:"-"`
}

// Violation is one thing that is wrong in a request.
type Violation struct {
	// Code is the validation rule, such as V01_STATE_NOT_SUPPORTED.
	Code string `json:"code,omitempty"`
	// Pointer is the JSON pointer of the member.
	Pointer string `json:"pointer,omitempty"`
	// Parameter is the name of the query parameter.
	Parameter string `json:"parameter,omitempty"`
	// Version and EventType are those of an event of the quote that prevents the command.
	Version   int    `json:"version,omitempty"`
	EventType string `json:"eventType,omitempty"`
	Detail    string `json:"detail"`
}

// Change says which event changed a quote, when, and who caused it.
type Change struct {
	Version    int       `json:"version"`
	EventType  string    `json:"eventType"`
	OccurredAt time.Time `json:"occurredAt"`
	Actor      string    `json:"actor"`
}

func (p *Problem) Error() string { return fmt.Sprintf("%d %s: %s", p.Status, p.Title, p.Detail) }

// NewProblem makes a problem with a kind, for instance "not-found".
func NewProblem(status int, kind, title, format string, args ...any) *Problem {
	return &Problem{Type: "/problems/" + kind, Title: title, Status: status, Detail: fmt.Sprintf(format, args...)}
}

// problemOf is the one table from errors to problems. Whatever it does not know is the system's own
// fault; its text is for the log alone.
func problemOf(err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	if malformed, ok := errors.AsType[*schemas.Malformed](err); ok {
		detail := malformed.Err.Error()
		switch {
		case errors.Is(malformed.Err, io.EOF):
			detail = "The body is empty."
		case errors.Is(malformed.Err, io.ErrUnexpectedEOF):
			detail = "The body ends too early."
		}
		return NewProblem(http.StatusBadRequest, "malformed", "The body is not JSON", "%s", detail)
	}
	if twice, ok := errors.AsType[*schemas.Repeated](err); ok {
		p := NewProblem(http.StatusBadRequest, "repeated-member", "The body has a member twice",
			"Send the member under errors once.")
		p.Errors = []Violation{{Pointer: twice.Pointer, Detail: "is in its object twice"}}
		return p
	}
	if invalid, ok := errors.AsType[*schemas.Invalid](err); ok {
		p := NewProblem(http.StatusUnprocessableEntity, "invalid-body", "The body does not fit its schema",
			"Correct the members under errors; the schema is in the OpenAPI document.")
		for _, v := range invalid.Violations {
			p.Errors = append(p.Errors, Violation{Pointer: v.Pointer, Detail: v.Detail})
		}
		return p
	}
	if invalid, ok := errors.AsType[*quote.InvalidRequest](err); ok {
		p := NewProblem(http.StatusUnprocessableEntity, "not-quotable", "The request cannot be quoted",
			"Each rule under errors says what has to change.")
		for _, f := range invalid.Faults {
			p.Errors = append(p.Errors, Violation{Code: string(f.Code), Pointer: f.Pointer, Detail: f.Text})
		}
		if len(p.Errors) > 0 {
			return p
		}
		for _, code := range invalid.Codes {
			p.Errors = append(p.Errors, Violation{Code: string(code), Detail: rating.Text("", code)})
		}
		return p
	}
	if repeated, ok := errors.AsType[*quote.RepeatedID](err); ok {
		return NewProblem(http.StatusUnprocessableEntity, "repeated-id", "Two drivers or two vehicles have the same id",
			"Give each driver and each vehicle a unique id; %q is used twice.", repeated.ID)
	}
	if illegible, ok := errors.AsType[*quote.IllegibleText](err); ok {
		p := NewProblem(http.StatusUnprocessableEntity, "illegible-text", "A text has control characters", "Correct the text under errors.")
		p.Errors = []Violation{{Code: "F33_TEXT", Pointer: illegible.Pointer,
			Detail: "Enter visible characters. Line breaks and tabs may stand between them."}}
		return p
	}
	if bad, ok := errors.AsType[*quote.BadRejections](err); ok {
		p := NewProblem(http.StatusUnprocessableEntity, "rejections", "The offer needs other signatures",
			"It is accepted with the rejections that the quote has under rejections, each signed in the words of its version, and no others.")
		for _, f := range bad.Faults {
			p.Errors = append(p.Errors, Violation{Code: string(f.Code), Pointer: f.Pointer, Detail: f.Text})
		}
		return p
	}
	if only, ok := errors.AsType[*quote.NotTheSigner](err); ok {
		return NewProblem(http.StatusForbidden, "not-the-signer", "Only the customer signs",
			"The offer needs %v signed, and nobody signs for the customer, who accepts it with their own token.", only.Needed)
	}
	if _, ok := errors.AsType[*quote.UnknownTimeZone](err); ok {
		return NewProblem(http.StatusUnprocessableEntity, "unknown-time-zone", "The contact's time zone does not exist",
			"Give its name in the IANA database, such as America/New_York, or leave it out.")
	}
	if _, ok := errors.AsType[*seal.NoKey](err); ok {
		return NewProblem(http.StatusServiceUnavailable, "key-missing", "The customer's key is not here",
			"What was stored for this customer cannot be opened until the insurer brings the key; until then nothing is changed. Try it again later.")
	}
	if used, ok := errors.AsType[*quota.Exceeded](err); ok {
		return exceeded(used)
	}
	if _, ok := errors.AsType[*quota.Contended](err); ok {
		p := NewProblem(http.StatusServiceUnavailable, "busy", "Too many requests of yours run at once",
			"Others of your requests came first at every try, and nothing was done. Send it again, with an Idempotency-Key.")
		p.Headers = map[string]string{"retry-after": "1"}
		return p
	}
	if p := conflictOf(err); p != nil {
		return p
	}
	if p := reversalOf(err); p != nil {
		return p
	}
	if _, ok := errors.AsType[*draft.Damaged](err); ok {
		return NewProblem(http.StatusInternalServerError, "unreadable", "The draft cannot be read",
			"What is stored of it is damaged, and trying again does not help. Delete it, and begin again.")
	}
	_, unreadable := errors.AsType[*eventstore.Unreadable](err)
	if _, badKey := errors.AsType[*seal.BadKey](err); badKey || unreadable {
		return NewProblem(http.StatusInternalServerError, "unreadable", "The quote cannot be read",
			"What is stored of it is damaged, or newer than this program. Nothing was changed, and trying again does not help: staff have to see to it.")
	}
	return NewProblem(http.StatusInternalServerError, "internal", "Something went wrong here",
		"The request was not carried out. Try it again; with an Idempotency-Key it cannot be carried out twice.")
}

// exceeded says which quota is used up, and when to try again.
func exceeded(used *quota.Exceeded) *Problem {
	p := NewProblem(http.StatusTooManyRequests, "quotes-per-day", "The quotes of the day are used up",
		"You may ask for %d quotes on a day (UTC). Amend one of them, or try again tomorrow.", used.Usage.PerDay)
	switch used.Policy {
	case quota.LookupsPolicy:
		p = NewProblem(http.StatusTooManyRequests, "lookups-per-day", "The lookups of the day are used up",
			"You may have the providers asked again %d times on a day (UTC), by amendments or lookups. Try again tomorrow.", used.Usage.Lookups)
	case quota.OpenPolicy:
		p = NewProblem(http.StatusTooManyRequests, "open-quotes", "Too many quotes are open",
			"You may have %d quotes open at once. Withdraw one of them, or amend it.", used.Usage.Open)
	}
	p.Headers = used.Usage.Headers()
	// A quote that is open may expire at the end of the day.
	p.Headers["retry-after"] = strconv.Itoa(int(math.Ceil(used.Usage.Resets.Seconds())))
	return p
}

// conflictOf returns the problems of commands that do not fit the quote's status.
func conflictOf(err error) *Problem {
	if _, ok := errors.AsType[*quotestore.NotFound](err); ok {
		return NotFound
	}
	if _, ok := errors.AsType[*quotestore.KeyReused](err); ok {
		return KeyReused
	}
	if many, ok := errors.AsType[*quote.TooManyRevisions](err); ok {
		return NewProblem(http.StatusConflict, "too-many-revisions", "The quote was amended too often",
			"A quote has at most %d revisions. Withdraw it, and submit a new one.", many.Max)
	}
	if mismatch, ok := errors.AsType[*quotestore.VersionMismatch](err); ok {
		return Mismatch(mismatch)
	}
	if _, ok := errors.AsType[*quote.Erased](err); ok {
		return NewProblem(http.StatusConflict, "erased", "The personal data of the quote were erased",
			"What came of it can still be read; nothing can be done with it any more.")
	}
	if _, ok := errors.AsType[*seal.Erased](err); ok {
		return NewProblem(http.StatusConflict, "customer-erased", "The customer was erased",
			"No quote is made for this token's subject any more. A customer who comes back needs a new account.")
	}
	if _, ok := errors.AsType[*draft.Changed](err); ok {
		return NewProblem(http.StatusPreconditionFailed, "draft-changed", "The draft has changed",
			"Another window has saved it, or it is gone. Read it again, and save what still applies under its new ETag.")
	}
	if full, ok := errors.AsType[*draft.TooMany](err); ok {
		return NewProblem(http.StatusConflict, "too-many-drafts", "There are too many drafts",
			"You may have %d. Continue one of them, or delete one.", full.Most)
	}
	if _, ok := errors.AsType[*quote.PhoneChanged](err); ok {
		return NewProblem(http.StatusConflict, "phone-changed", "The quote has another phone",
			"The link confirms a number that is not the contact's any more. Use the link of a later message.")
	}
	if closed, ok := errors.AsType[*quote.NotOpen](err); ok {
		return NewProblem(http.StatusConflict, "not-open", "The quote is closed", "It is %s; submit a new one.", closed.Status)
	}
	if none, ok := errors.AsType[*quote.NotOffered](err); ok {
		return NewProblem(http.StatusConflict, "not-offered", "The quote has no offer", "It is %s; only a QUOTED one can be accepted.", none.Status)
	}
	if open, ok := errors.AsType[*quote.Conditional](err); ok {
		return NewProblem(http.StatusConflict, "conditional", "The offer is conditional", "These conditions have to be settled first: %v.", open.Conditions)
	}
	if passed, ok := errors.AsType[*quote.EffectiveDatePassed](err); ok {
		p := NewProblem(http.StatusConflict, "effective-date-passed", "The day on which the policy was to begin has passed",
			"No cover begins before it is accepted. Amend the quote with a later effectiveDate; it is priced again.")
		p.Errors = []Violation{{Code: "EFFECTIVE_DATE_PASSED", Pointer: "/effectiveDate",
			Detail: fmt.Sprintf("It is %s where the risk is: enter that day or a later one.", passed.On)}}
		return p
	}
	if none, ok := errors.AsType[*quote.NotReferred](err); ok {
		return NewProblem(http.StatusConflict, "not-referred", "The quote waits for no decision", "It is %s; only a REFERRED one is decided on.", none.Status)
	}
	if errors.Is(err, quote.ErrNothingPending) {
		return NewProblem(http.StatusConflict, "nothing-pending", "Nothing is pending", "All that can be looked up for the quote is known.")
	}
	if often, ok := errors.AsType[*quote.AskedTooOften](err); ok {
		return NewProblem(http.StatusConflict, "asked-too-often", "The providers were asked too often",
			"What is pending was asked for %d times. An underwriter may waive it, or the quote be amended.", often.Times)
	}
	if none, ok := errors.AsType[*quote.NoSuchCondition](err); ok {
		return NewProblem(http.StatusConflict, "no-such-condition", "The offer has no such condition", "It is not conditional on %s.", none.Condition)
	}
	if early, ok := errors.AsType[*quote.WaivedTooEarly](err); ok {
		return NewProblem(http.StatusConflict, "waived-too-early", "The condition cannot be waived yet",
			"%s is waived after three tries, and a day after it was asked for again for the first time; there were %d.", early.Condition, early.Tries)
	}
	if old, ok := errors.AsType[*quote.Superseded](err); ok {
		return NewProblem(http.StatusConflict, "superseded", "The revision is no longer in force", "The quote is at revision %d.", old.Current)
	}
	if none, ok := errors.AsType[*quote.NoSuchRevision](err); ok {
		return NewProblem(http.StatusConflict, "no-such-revision", "There is no such revision", "The quote has no revision %d.", none.Revision)
	}
	return nil
}

// reversalOf are the problems of undoing an event.
func reversalOf(err error) *Problem {
	if none, ok := errors.AsType[*quote.NoSuchEvent](err); ok {
		return NewProblem(http.StatusUnprocessableEntity, "no-such-event", "The quote has no such event",
			"It has no event %d; it is at version %d.", none.Version, none.Have)
	}
	if never, ok := errors.AsType[*quote.NotReversible](err); ok {
		return NewProblem(http.StatusConflict, "not-reversible", "The event cannot be undone",
			"Event %d is %s. Withdraw a quote that should not have been; do again what was undone wrongly.", never.Version, never.Type)
	}
	if twice, ok := errors.AsType[*quote.AlreadyReversed](err); ok {
		return NewProblem(http.StatusConflict, "already-reversed", "The event was undone before",
			"Event %d was undone by event %d.", twice.Version, twice.By)
	}
	if needed, ok := errors.AsType[*quote.DependedOn](err); ok {
		p := NewProblem(http.StatusConflict, "depended-on", "Later events rest on it",
			"Undo the events under errors too: name their versions in also.")
		for _, e := range needed.Events {
			p.Errors = append(p.Errors, Violation{Version: e.Version, EventType: e.Type, Detail: "rests on what is to be undone"})
		}
		return p
	}
	return nil
}

// NotFound is also the answer about another customer's quote: its existence is not disclosed.
var NotFound = NewProblem(http.StatusNotFound, "not-found", "No such quote",
	"There is no such quote for this token.")

// OwnQuote refuses an employee what only others may do with the employee's own quote.
var OwnQuote = NewProblem(http.StatusForbidden, "own-quote", "It is your own quote",
	"On their own quotes employees act as any customer does. Another employee has to do this.")

// KeyReused refuses a request under an Idempotency-Key that a different one was made under.
var KeyReused = NewProblem(http.StatusUnprocessableEntity, "key-reused", "The Idempotency-Key was used for another request",
	"Use a new key for a new request.")

// Respond answers with err as a problem document. A problem of the system's own is also given back as
// an error for the log.
func Respond(err error) (events.APIGatewayV2HTTPResponse, error) {
	p := problemOf(err)
	body, encodeErr := json.Marshal(p)
	if encodeErr != nil {
		return events.APIGatewayV2HTTPResponse{}, encodeErr
	}
	if p.Status < http.StatusInternalServerError {
		err = nil
	}
	headers := map[string]string{"content-type": "application/problem+json"}
	maps.Copy(headers, p.Headers)
	return events.APIGatewayV2HTTPResponse{StatusCode: p.Status, Headers: headers, Body: string(body)}, err
}

// JSON answers with v and extra headers. "<", ">" and "&" stay as they are, so that an event's data come out
// byte for byte as they are stored.
func JSON(status int, v any, headers map[string]string) (events.APIGatewayV2HTTPResponse, error) {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return Respond(err)
	}
	all := map[string]string{"content-type": "application/json"}
	maps.Copy(all, headers)
	return events.APIGatewayV2HTTPResponse{StatusCode: status, Headers: all, Body: strings.TrimSuffix(body.String(), "\n")}, nil
}

// Mismatch is the problem of a command about a version that the quote no longer has.
func Mismatch(m *quotestore.VersionMismatch) *Problem {
	return NewProblem(http.StatusPreconditionFailed, "version-mismatch", "The quote has changed",
		"It is at version %d. Read it again, and send the command with its new ETag if it still applies.", m.Have)
}
