// Package demo fills a running system with quotes to look at: of every outcome, in every state, with amendments,
// decisions, failed lookups, a reversal, a waiver and a correction. What is requested is in quotes.yaml.
//
// Customers and employees do it through the API. Only quotes that an earlier day or an earlier program would have to
// make are added to the log, as an import adds them.
package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"sync"
	"time"

	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/handlers/submit"
	"milepost/internal/ops/correct"
	"milepost/internal/quotes/quotestore"
)

// Demo fills a system. It is used once.
type Demo struct {
	API *API
	// Quotes is the log of the same system.
	Quotes *quotestore.Store
	// Engine is the version of the program that a correction records.
	Engine string
	// Report is called with each quote as soon as it is as it should be, never twice at the same time.
	Report func(Quote)
}

// Quote is a quote of the demonstration, as it is after Run.
type Quote struct {
	// Name is that in quotes.yaml, and Title says what the quote shows.
	Name     string `json:"name"`
	Title    string `json:"title"`
	QuoteID  string `json:"quoteId"`
	Customer string `json:"customerId"`
	State    string `json:"state"`

	Status       string   `json:"status"`
	TotalPremium string   `json:"totalPremium,omitempty"`
	Reasons      []string `json:"reasons"`
	Conditions   []string `json:"conditions"`
	// Adverse is set if a notice of adverse action is due, and Corrected if the price was corrected.
	Adverse   bool `json:"adverseActionNotice"`
	Corrected bool `json:"corrected"`
	// New is set if Run made the quote, and Changed if it did something to one that was there.
	New     bool `json:"new"`
	Changed bool `json:"changed"`

	entry entry
}

// Unexpected says in what the quote differs from what its entry says, because somebody has changed it since or because
// the rules have.
func (q Quote) Unexpected() (differences []string) {
	e := q.entry
	differs := func(what string, got, want any) {
		if !reflect.DeepEqual(got, want) {
			differences = append(differences, fmt.Sprintf("%s %v, not %v", what, got, want))
		}
	}
	sorted := func(codes []string) []string { return slices.Sorted(slices.Values(codes)) }
	differs("status", q.Status, e.Ends)
	differs("reasons", sorted(q.Reasons), sorted(e.Reasons))
	differs("conditions", sorted(q.Conditions), sorted(e.Conditions))
	differs("adverse action", q.Adverse, e.Adverse)
	differs("correction", q.Corrected, e.Corrected)
	return differences
}

// workers is how many quotes are made at the same time.
const workers = 8

// Run makes what is missing and returns all quotes in the order of quotes.yaml. Whatever an earlier Run did stays as it
// is, so a second one changes nothing, and one that follows an interrupted one continues.
func (d *Demo) Run(ctx context.Context) ([]Quote, error) {
	p, err := plans()
	if err != nil {
		return nil, err
	}
	made := make([]Quote, len(p.Quotes))
	// A quote with the same car as another one waits for that.
	for _, second := range []bool{false, true} {
		var todo []int
		for i, e := range p.Quotes {
			if (e.SameCarAs != "") == second {
				todo = append(todo, i)
			}
		}
		if err := d.all(ctx, p, todo, made); err != nil {
			return nil, err
		}
	}
	return made, nil
}

// Size is how many quotes Run makes.
func Size() (int, error) {
	p, err := plans()
	if err != nil {
		return 0, err
	}
	return len(p.Quotes), nil
}

// all makes the quotes of some entries at the same time.
func (d *Demo) all(ctx context.Context, p *plan, todo []int, made []Quote) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int, len(todo))
	for _, i := range todo {
		next <- i
	}
	close(next)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := range next {
				q, err := d.one(ctx, p, p.Quotes[i])
				if err != nil {
					cancel(fmt.Errorf("%s: %w", p.Quotes[i].ID, err)) // the first error is the one that counts
					return
				}
				mu.Lock()
				if made[i] = q; d.Report != nil {
					d.Report(q)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// key is the idempotency key of one step of a quote, 0 for its request.
func key(e entry, step int) string { return fmt.Sprintf("demo/%s/%d", e.ID, step) }

func (d *Demo) one(ctx context.Context, p *plan, e entry) (Quote, error) {
	id := submit.QuoteID(e.By, key(e, 0))
	before, there, err := d.API.read(ctx, id)
	if err != nil {
		return Quote{}, err
	}
	day := today()
	if there {
		if day, err = d.day(ctx, e, id); err != nil {
			return Quote{}, err
		}
	} else if err := d.make(ctx, p, e, id, day); err != nil {
		return Quote{}, err
	}
	if err := d.API.rated(ctx, id); err != nil {
		return Quote{}, err
	}
	for i := range e.Steps {
		if err := d.step(ctx, p, e, id, day, i); err != nil {
			return Quote{}, fmt.Errorf("%s: %w", e.Steps[i].Do, err)
		}
	}
	if e.Corrected {
		if err := d.correct(ctx, id); err != nil {
			return Quote{}, err
		}
	}
	after, _, err := d.API.read(ctx, id)
	return Quote{
		Name: e.ID, Title: e.Title, QuoteID: id, Customer: e.By, State: e.State,
		Status: after.Status, TotalPremium: after.TotalPremium, Reasons: after.codes(), Conditions: after.Conditions,
		Adverse: after.AdverseActionNotice, Corrected: after.Correction != nil,
		New: !there, Changed: there && after.Version != before.Version, entry: e,
	}, err
}

// day is the day on which an existing quote was requested, as its request says.
func (d *Demo) day(ctx context.Context, e entry, id string) (civil.Date, error) {
	var asked struct{ Request json.RawMessage }
	if err := d.API.call(ctx, e.By, http.MethodGet, "/quotes/"+id+"/request", "", &asked); err != nil {
		return civil.Date{}, err
	}
	return dayOf(asked.Request)
}

// make makes a quote that is not there yet.
func (d *Demo) make(ctx context.Context, p *plan, e entry, id string, day civil.Date) error {
	if e.SameCarAs != "" {
		if err := d.sameCar(ctx, p, e); err != nil {
			return err
		}
	}
	if e.Earlier != nil {
		return d.adopt(ctx, p, e, id)
	}
	request, err := p.request(e, day, nil)
	if err != nil {
		return err
	}
	text, err := body(request)
	if err != nil {
		return err
	}
	return d.API.call(ctx, e.By, http.MethodPost, "/quotes", text, nil, "Idempotency-Key", key(e, 0))
}

// sameCar waits until the search finds the other quote with the car of e.
func (d *Demo) sameCar(ctx context.Context, p *plan, e entry) error {
	i := slices.IndexFunc(p.Quotes, func(o entry) bool { return o.ID == e.SameCarAs })
	if i < 0 {
		return fmt.Errorf("quotes.yaml: there is no quote %s", e.SameCarAs)
	}
	other := p.Quotes[i]
	vin, err := p.vin(other, p.Cars[other.Cars[0]], 0)
	if err != nil {
		return err
	}
	return d.API.found(ctx, submit.QuoteID(other.By, key(other, 0)), vin)
}

// step carries out a step, or finds that it was carried out before: then its key leads to the first answer.
func (d *Demo) step(ctx context.Context, p *plan, e entry, id string, day civil.Date, n int) error {
	s := e.Steps[n]
	who, command, content := s.By, "", map[string]any(nil)
	if who == "" {
		who = e.By
	}
	var err error
	switch s.Do {
	case "amend":
		command = "amendments"
		content, err = p.request(e, day, e.Steps[:n+1])
	case "accept":
		command = "acceptance"
		content, err = d.acceptance(ctx, p, e, id)
	case "withdraw":
		command, content = "withdrawal", map[string]any{"reason": s.Text}
	case "lookups":
		command = "lookups"
	case "approve", "decline":
		command, content = "decision", map[string]any{"approve": s.Do == "approve", "reasonCode": s.Code, "text": s.Text}
	case "waive":
		command, content = "waivers", map[string]any{"condition": s.Condition, "reasonCode": s.Code, "text": s.Text}
	case "reverse":
		command = "reversals"
		var version int
		version, err = d.version(ctx, id, s.Event)
		content = map[string]any{"version": version, "reasonCode": s.Code, "text": s.Text}
	default:
		err = errors.New("quotes.yaml has no such step")
	}
	if err != nil {
		return err
	}
	text := ""
	if content != nil {
		if text, err = body(content); err != nil {
			return err
		}
	}
	err = d.API.call(ctx, who, http.MethodPost, "/quotes/"+id+"/"+command, text, nil,
		"Idempotency-Key", key(e, n+1), "If-Match", "*")
	if problem(err, http.StatusUnprocessableEntity, "key-reused") {
		return nil // it was carried out, and somebody has changed the quote since
	}
	if err != nil || s.Do != "amend" {
		return err
	}
	return d.API.rated(ctx, id)
}

// acceptance accepts an offer, with what has to be signed for it in the customer's name.
func (d *Demo) acceptance(ctx context.Context, p *plan, e entry, id string) (map[string]any, error) {
	v, _, err := d.API.read(ctx, id)
	if err != nil || len(v.Rejections) == 0 {
		return nil, err
	}
	name := p.People[e.drivers()[0]].Name
	var signed []any
	for _, r := range v.Rejections {
		signed = append(signed, map[string]any{
			"code": r.Code, "version": r.Version, "text": r.Text, "signature": name[0] + " " + name[1],
		})
	}
	return map[string]any{"rejections": signed}, nil
}

// version is that of the first event of a type.
func (d *Demo) version(ctx context.Context, id, eventType string) (int, error) {
	var log struct {
		Events []struct {
			Version   int
			EventType string
		}
	}
	err := d.API.call(ctx, reader, http.MethodGet, "/quotes/"+id+"/events?limit=100", "", &log)
	for _, e := range log.Events {
		if e.EventType == eventType {
			return e.Version, nil
		}
	}
	return 0, errors.Join(err, fmt.Errorf("there is no event %s", eventType))
}

// correct corrects a quote, under one id however often it is run.
func (d *Demo) correct(ctx context.Context, id string) error {
	c := &correct.Corrector{Quotes: d.Quotes, Workers: 1, Mandate: quote.Mandate{
		CorrectionID: "demo", ReasonCode: "TERRITORY_FACTOR", Text: "The factor of your territory was counted twice",
		Ticket: "RATE-7", By: "sam", Engine: d.Engine,
	}}
	found, _, err := c.These(ctx, correct.Window{Until: time.Now()}, []string{id})
	if err != nil {
		return err
	}
	for _, f := range found {
		if f.Result == correct.Refused {
			return fmt.Errorf("the correction is refused: %s", f.Reason)
		}
	}
	return await(ctx, "the corrected price", func() (bool, error) {
		v, _, err := d.API.read(ctx, id)
		return v.Correction != nil, err
	})
}
