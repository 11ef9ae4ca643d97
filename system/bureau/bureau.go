// Package bureau plays the consumer reporting agency that accident histories are ordered from. A Bureau answers orders
// about the People it knows; everyone else is a NO_HIT. The people in people.json, whom it always knows, are invented.
// It is an outside party: it shares nothing with the client that asks it.
//
// These license numbers make it answer in a certain way whatever the state and the date of birth,
// so that each outcome can be tried by hand:
//
//	number      answer
//	NOHIT001    200, NO_HIT
//	CLEAR001    200, HIT without incidents
//	PARTIAL1    200, PARTIAL: one claim, and no motor vehicle record
//	PARTIAL0    200, PARTIAL: neither product answered
//	PENDING1    202, PARTIAL: one claim; the motor vehicle record follows at Location after 30 seconds
//	INVALID1    422, INVALID_LICENSE
//	THINFILE    422, INSUFFICIENT_SUBJECT_DATA
//	LIMITED1    429, RATE_LIMITED at the first request of each key with Retry-After: 1, then as CLEAR001
//	LIMITED9    429, RATE_LIMITED with Retry-After: 60
//	FLAKY503    503, SOURCE_UNAVAILABLE at the first request of each key, then as CLEAR001
//	DOWN0503    503, SOURCE_UNAVAILABLE
//	LATE0504    504, TIMEOUT
//	SLOW0010    as CLEAR001, after 10 seconds
//	GARBLED1    200 with a body that breaks the contract
//
// An order is POST /v1/accident-history/reports; the rest of a pending report is
// GET /v1/accident-history/reports/{reportId}.
package bureau

import (
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Person is a person whom the bureau knows, by license and date of birth.
type Person struct {
	About       string  `json:"about"` // for readers of the data
	License     License `json:"license"`
	DateOfBirth string  `json:"dateOfBirth"` // 2006-01-02
	// LicenseStatus is VALID, SUSPENDED and so on.
	LicenseStatus string     `json:"licenseStatus"`
	Incidents     []Incident `json:"incidents"`
}

// License is a driver's license.
type License struct {
	State  string `json:"state"`
	Number string `json:"number"`
}

// Incident is one entry of a report.
type Incident struct {
	IncidentID      string   `json:"incidentId"`
	Source          string   `json:"source"` // CLAIMS or MVR
	Type            string   `json:"type"`
	Date            string   `json:"date"`       // 2006-01-02
	AmountPaid      string   `json:"amountPaid"` // dollars, with cents
	BodilyInjury    bool     `json:"bodilyInjury"`
	FaultPct        *int     `json:"faultPct"` // null if unknown
	ClaimStatus     string   `json:"claimStatus"`
	VIN             *string  `json:"vin"`
	CoverageCodes   []string `json:"coverageCodes"`
	MatchConfidence string   `json:"matchConfidence"`
	Disputed        bool     `json:"disputed"`
}

// Options change what a Bureau knows and accepts.
type Options struct {
	// Reports has further people, who come before those of people.json.
	Reports []Person
	// Key is the bearer key that orders need; "" accepts any.
	Key string
}

// Bureau is the agency's service. It is safe for concurrent use.
type Bureau struct {
	key    string
	people map[License][]Person

	mu      sync.Mutex
	orders  map[string]*order // by idempotency key
	pending map[string]*order // by report id
	ages    []string          // the keys of orders, the oldest first
}

// order is what the bureau remembers of an idempotency key.
type order struct {
	body     [sha256.Size]byte
	requests int
	at       time.Time
	request  *request // of a pending report only
}

// maxOrders bounds the memory for idempotency keys. The oldest are forgotten first.
const maxOrders = 100_000

// pendingFor is how long the motor vehicle record of PENDING1 takes.
const pendingFor = 30 * time.Second

//go:embed people.json
var peopleJSON []byte

var knownPeople = sync.OnceValue(func() (people []Person) {
	if err := json.Unmarshal(peopleJSON, &people); err != nil {
		panic("bureau: people.json: " + err.Error())
	}
	return people
})

// New makes a bureau.
func New(options Options) *Bureau {
	b := &Bureau{key: options.Key, people: map[License][]Person{}, orders: map[string]*order{}, pending: map[string]*order{}}
	for _, p := range slices.Concat(options.Reports, knownPeople()) {
		b.people[p.License] = append(b.people[p.License], p)
	}
	return b
}

const reportsPath = "/v1/accident-history/reports"

// ServeHTTP answers a request to the agency.
func (b *Bureau) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if problem := b.unauthorized(r); problem != nil {
		problem.write(w, r)
		return
	}
	id, isReport := strings.CutPrefix(r.URL.Path, reportsPath+"/")
	switch {
	case r.URL.Path == reportsPath && r.Method == http.MethodPost:
		b.serveOrder(w, r)
	case isReport && r.Method == http.MethodGet:
		b.servePending(w, r, id)
	default:
		(&problem{status: http.StatusNotFound, code: "INVALID_REQUEST", message: "there is no such resource"}).write(w, r)
	}
}

func (b *Bureau) unauthorized(r *http.Request) *problem {
	key, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || key == "" || b.key != "" && key != b.key {
		return &problem{status: http.StatusUnauthorized, code: "INVALID_REQUEST", field: "Authorization", message: "the key is missing or wrong"}
	}
	return nil
}

// maxOrder is the size of the largest order, in bytes.
const maxOrder = 64 << 10

func (b *Bureau) serveOrder(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxOrder))
	if err != nil {
		invalid("", "the body cannot be read").write(w, r)
		return
	}
	key, wrong := headers(r)
	if wrong != nil {
		wrong.write(w, r)
		return
	}
	req, wrong := parse(body)
	if wrong != nil {
		wrong.write(w, r)
		return
	}
	o, requests, wrong := b.remember(key, body)
	if wrong == nil {
		wrong = refused(req, requests)
	}
	if wrong != nil {
		wrong.write(w, r)
		return
	}

	switch req.Subject.License.Number {
	case "SLOW0010":
		select {
		case <-time.After(10 * time.Second):
		case <-r.Context().Done():
			return
		}
	case "GARBLED1":
		writeJSON(w, http.StatusOK, map[string]string{"status": "PERHAPS"})
		return
	case "PENDING1":
		if !slices.Contains(req.Products, "MVR") {
			break
		}
		id := reportID(key)
		b.mu.Lock()
		o.request, b.pending[id] = req, o
		b.mu.Unlock()
		b.writePending(w, id, o)
		return
	}
	writeJSON(w, http.StatusOK, b.report(reportID(key), o.at, req))
}

// remember notes that an order came under a key, and how often it has. The same key with another
// body is refused.
func (b *Bureau) remember(key string, body []byte) (o *order, requests int, wrong *problem) {
	sum := sha256.Sum256(body)
	b.mu.Lock()
	defer b.mu.Unlock()
	o = b.orders[key]
	if o == nil {
		o = &order{body: sum, at: time.Now().UTC()}
		b.orders[key] = o
		b.ages = append(b.ages, key)
		if len(b.ages) > maxOrders {
			delete(b.pending, reportID(b.ages[0]))
			delete(b.orders, b.ages[0])
			b.ages = b.ages[1:]
		}
	}
	if o.body != sum {
		return nil, 0, &problem{status: http.StatusConflict, code: "IDEMPOTENCY_CONFLICT", field: "Idempotency-Key", message: "the key was used for another order"}
	}
	o.requests++
	return o, o.requests, nil
}

// refused is the failure that the license number selects, nil if it selects none. requests counts those under the same
// key, with this one.
func refused(req *request, requests int) *problem {
	limited := func(after int) *problem {
		return &problem{status: http.StatusTooManyRequests, code: "RATE_LIMITED", message: "too many orders", retryAfter: after}
	}
	down := &problem{status: http.StatusServiceUnavailable, code: "SOURCE_UNAVAILABLE", message: "a source does not answer"}
	switch req.Subject.License.Number {
	case "INVALID1":
		return &problem{status: http.StatusUnprocessableEntity, code: "INVALID_LICENSE", field: "subject.license.number", message: "the state does not know this license"}
	case "THINFILE":
		return &problem{status: http.StatusUnprocessableEntity, code: "INSUFFICIENT_SUBJECT_DATA", field: "subject.address", message: "the subject cannot be distinguished from others"}
	case "LIMITED1":
		if requests == 1 {
			return limited(1)
		}
	case "LIMITED9":
		return limited(60)
	case "FLAKY503":
		if requests == 1 {
			return down
		}
	case "DOWN0503":
		return down
	case "LATE0504":
		return &problem{status: http.StatusGatewayTimeout, code: "TIMEOUT", message: "a source took too long"}
	}
	return nil
}

func (b *Bureau) servePending(w http.ResponseWriter, r *http.Request, id string) {
	b.mu.Lock()
	o := b.pending[id]
	b.mu.Unlock()
	if o == nil {
		(&problem{status: http.StatusNotFound, code: "INVALID_REQUEST", message: "there is no such report"}).write(w, r)
		return
	}
	b.writePending(w, id, o)
}

// writePending answers with a report that was pending at first.
func (b *Bureau) writePending(w http.ResponseWriter, id string, o *order) {
	ready := o.at.Add(pendingFor)
	if time.Now().Before(ready) {
		w.Header().Set("Location", reportsPath+"/"+id)
		writeJSON(w, http.StatusAccepted, b.report(id, o.at, o.request))
		return
	}
	rep := b.report(id, ready, o.request)
	rep.Status = "HIT"
	for product, status := range rep.Products {
		if status == "PENDING" {
			rep.Products[product] = "HIT"
		}
	}
	writeJSON(w, http.StatusOK, rep)
}

// reportID makes the same report of the same order.
func reportID(key string) string {
	sum := sha256.Sum256([]byte(key))
	return "r-" + hex.EncodeToString(sum[:8])
}

// problem is an answer without a report.
type problem struct {
	status               int
	code, message, field string
	retryAfter           int // seconds
}

func invalid(field, message string) *problem {
	return &problem{status: http.StatusBadRequest, code: "INVALID_REQUEST", field: field, message: message}
}

func (p *problem) write(w http.ResponseWriter, r *http.Request) {
	type failure struct {
		Code          string  `json:"code"`
		Message       string  `json:"message"`
		Retryable     bool    `json:"retryable"`
		Field         *string `json:"field"`
		CorrelationID string  `json:"correlationId"`
	}
	f := failure{Code: p.code, Message: p.message, CorrelationID: r.Header.Get("X-Correlation-Id"),
		Retryable: p.status == http.StatusTooManyRequests || p.status >= http.StatusInternalServerError}
	if p.field != "" {
		f.Field = &p.field
	}
	if p.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(p.retryAfter))
	}
	writeJSON(w, p.status, map[string]failure{"error": f})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// byDate orders incidents, the newest first.
func byDate(a, b Incident) int {
	return cmp.Or(cmp.Compare(b.Date, a.Date), cmp.Compare(a.IncidentID, b.IncidentID))
}
