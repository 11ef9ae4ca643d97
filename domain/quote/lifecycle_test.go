package quote_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"

	"milepost/domain/accident"
	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/domain/rating"
	"milepost/domain/vehicle"
)

// edited is a deep copy of a request after a change.
func edited(t *testing.T, r quote.Request, change func(*quote.Request)) quote.Request {
	t.Helper()
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var copied quote.Request
	if err := json.Unmarshal(text, &copied); err != nil {
		t.Fatal(err)
	}
	change(&copied)
	return copied
}

// life is an example's quote at every stage, on the day of the example unless said otherwise.
type life struct {
	way
	offered, referred, declined []quote.Event
	day, lastDay, after         civil.Date
}

// mustLife takes E01, which is offered, and puts it to a referral and a decline as other quotes would be.
func mustLife(t *testing.T) life {
	t.Helper()
	l := life{way: mustWay(t, "E01")}
	l.day, l.lastDay = l.example.QuoteDate, l.example.Expected.ExpiresOn
	l.after = l.lastDay.AddDays(1)
	as := func(o rating.Outcome) rating.Result {
		r := l.example.Expected
		r.Outcome = o
		return r
	}
	l.offered = append(l.facts(), quote.QuoteOffered{QuoteID: quotetest.ID, Revision: 1, Rating: as(rating.Quoted)})
	l.referred = append(l.facts(), quote.QuoteReferred{QuoteID: quotetest.ID, Revision: 1, Rating: as(rating.Referred)})
	l.declined = append(l.facts(), quote.QuoteDeclined{QuoteID: quotetest.ID, Revision: 1, Rating: as(rating.Declined)})
	return l
}

// longer is the request for twelve months.
func (l life) longer(t *testing.T) quote.Request {
	return edited(t, l.example.Request, func(r *quote.Request) { r.TermMonths = 12 })
}

func (l life) amended(t *testing.T) quote.Event {
	return quote.QuoteAmended{QuoteID: quotetest.ID, Revision: 2, QuoteDate: l.day, Request: l.longer(t)}
}

var (
	accepted  = quote.QuoteAccepted{QuoteID: quotetest.ID, Revision: 1}
	withdrawn = quote.QuoteWithdrawn{QuoteID: quotetest.ID}
	reasoned  = quote.Decision{Underwriter: "employee-7", ReasonCode: "LOSS_FREE_SINCE", Text: "No loss since 2024"}
	approved  = quote.ReferralApproved{QuoteID: quotetest.ID, Revision: 1, Decision: reasoned}
	refused   = quote.ReferralDeclined{QuoteID: quotetest.ID, Revision: 1, Decision: reasoned}
)

func (l life) expired() quote.Event {
	return quote.QuoteExpired{QuoteID: quotetest.ID, Revision: 1, ExpiresOn: l.lastDay}
}

func with(events []quote.Event, more ...quote.Event) []quote.Event {
	return slices.Concat(events, more)
}

func TestAmendQuote(t *testing.T) {
	t.Parallel()
	l := mustLife(t)
	amend := quote.AmendQuote{QuoteDate: l.day, Request: l.longer(t)}
	to := func(change func(*quote.Request)) quote.AmendQuote {
		return quote.AmendQuote{QuoteDate: l.day, Request: edited(t, l.example.Request, change)}
	}
	want := []quote.Event{l.amended(t)}
	lastDay := quote.AmendQuote{QuoteDate: l.lastDay, Request: edited(t, l.longer(t), func(r *quote.Request) {
		r.EffectiveDate = l.lastDay
	})}
	often := []quote.Event{l.requested}
	for revision := 2; revision <= quote.MaxRevisions; revision++ {
		request := l.example.Request
		if revision%2 == 0 {
			request = l.longer(t)
		}
		often = append(often, quote.QuoteAmended{QuoteID: quotetest.ID, Revision: revision, QuoteDate: l.day, Request: request})
	}
	undone := quote.EventReversed{QuoteID: quotetest.ID, Version: len(often), EventID: "x", Type: quote.TypeQuoteAmended}
	assertDecisions(t, map[string]decision{
		"a quote is amended up to a maximum of revisions": {given: often[:len(often)-1], when: to(func(r *quote.Request) { r.TermMonths = 12 }), want: often[len(often)-1:]},
		"and no further":                                    {given: often, when: to(func(*quote.Request) {}), wantErr: &quote.TooManyRevisions{Max: quote.MaxRevisions}},
		"but to what it is already":                         {given: often, when: amend},
		"one that was undone counts":                        {given: with(often, undone), when: amend, wantErr: &quote.TooManyRevisions{Max: quote.MaxRevisions}},
		"a quote that waits for its facts is amended":       {given: []quote.Event{l.requested}, when: amend, want: want},
		"a quote with an offer is amended":                  {given: l.offered, when: amend, want: want},
		"a quote that was referred is amended":              {given: l.referred, when: amend, want: want},
		"a referral that was approved is amended":           {given: with(l.referred, approved), when: amend, want: want},
		"each amendment is a revision of its own":           {given: with(l.offered, l.amended(t)), when: to(func(*quote.Request) {}), want: []quote.Event{quote.QuoteAmended{QuoteID: quotetest.ID, Revision: 3, QuoteDate: l.day, Request: l.example.Request}}},
		"an amendment that changes nothing does nothing":    {given: l.offered, when: to(func(*quote.Request) {})},
		"on its last day a quote is amended":                {given: l.offered, when: lastDay, want: []quote.Event{quote.QuoteAmended{QuoteID: quotetest.ID, Revision: 2, QuoteDate: l.lastDay, Request: lastDay.Request}}},
		"after its last day a quote is amended no more":     {given: l.offered, when: quote.AmendQuote{QuoteDate: l.after, Request: amend.Request}, wantErr: &quote.NotOpen{Status: quote.StatusExpired}},
		"a quote that was accepted is amended no more":      {given: with(l.offered, accepted), when: amend, wantErr: &quote.NotOpen{Status: quote.StatusAccepted}},
		"a quote that was declined is amended no more":      {given: l.declined, when: amend, wantErr: &quote.NotOpen{Status: quote.StatusDeclined}},
		"a referral that was declined is amended no more":   {given: with(l.referred, refused), when: amend, wantErr: &quote.NotOpen{Status: quote.StatusDeclined}},
		"a quote that was withdrawn is amended no more":     {given: with(l.offered, withdrawn), when: amend, wantErr: &quote.NotOpen{Status: quote.StatusWithdrawn}},
		"not even to what a closed quote asks for anyway":   {given: with(l.offered, withdrawn), when: to(func(*quote.Request) {}), wantErr: &quote.NotOpen{Status: quote.StatusWithdrawn}},
		"a quote that does not exist is not amended":        {when: amend, wantErr: &quote.NotOpen{}},
		"what cannot be quoted is refused by its code":      {given: l.offered, when: to(func(r *quote.Request) { r.TermMonths = 7 }), wantErr: &quote.InvalidRequest{Codes: []rating.Code{rating.UnsupportedTerm}}},
		"the day of the amendment counts, not the first":    {given: l.offered, when: quote.AmendQuote{QuoteDate: l.example.Request.EffectiveDate.AddDays(1), Request: amend.Request}, wantErr: &quote.InvalidRequest{Codes: []rating.Code{rating.EffectiveDateRange}}},
		"two vehicles of one id are refused":                {given: l.offered, when: to(func(r *quote.Request) { r.Vehicles = append(r.Vehicles, r.Vehicles[0]) }), wantErr: &quote.RepeatedID{ID: "V1"}},
		"two drivers of one id are refused":                 {given: l.offered, when: to(func(r *quote.Request) { r.Drivers = append(r.Drivers, r.Drivers[0]) }), wantErr: &quote.RepeatedID{ID: "D1"}},
		"a fact of the revision before it is taken no more": {given: []quote.Event{l.requested, l.amended(t)}, when: l.vehicles, wantErr: &quote.Superseded{Revision: 1, Current: 2}},
		"nor is the revision before it rated":               {given: with(l.facts(), l.amended(t)), when: quote.RateQuote{Revision: 1}, wantErr: &quote.Superseded{Revision: 1, Current: 2}},
		"a quote that was withdrawn is not rated":           {given: with(l.facts(), withdrawn), when: quote.RateQuote{Revision: 1}},
		"what was asked before a withdrawal is recorded":    {given: []quote.Event{l.requested, withdrawn}, when: l.vehicles, want: []quote.Event{l.identified}},
	})
}

func TestAnAmendmentKeepsWhatIsKnownOfTheSame(t *testing.T) {
	t.Parallel()
	w := mustWay(t, "E02") // two drivers and two vehicles
	base := w.example.Request
	newcomer := base.Drivers[1]
	newcomer.DriverID, newcomer.FirstName, newcomer.LicenseNumber = "D9", "Newton", "N1"
	third := base.Vehicles[1]
	third.VehicleID, third.VIN = "V9", "1HGCV1F33NA000101"
	unavailable, pending := w.vehicles, w.histories
	unavailable.Vehicles = slices.Clone(unavailable.Vehicles)
	unavailable.Vehicles[0].Fact = rating.VehicleFact{Status: vehicle.Unavailable}
	pending.Drivers = slices.Clone(pending.Drivers)
	pending.Drivers[0].Pending = true
	pending.Drivers[1].History = accident.History{Status: accident.Unavailable, Incidents: []accident.Incident{}}

	for name, row := range map[string]struct {
		vehicles  *quote.RecordVehicles
		histories *quote.RecordAccidentHistory
		change    func(*quote.Request)
		// knownVehicles and knownDrivers are the ids under which something is known, and those of the request
		// before, in the order of the amended request; the missing ones are looked up.
		knownVehicles, knownDrivers     map[string]string
		missingVehicles, missingDrivers []string
	}{
		"another term: everything": {
			change:        func(r *quote.Request) { r.TermMonths = 6 },
			knownVehicles: map[string]string{"V1": "V1", "V2": "V2"}, knownDrivers: map[string]string{"D1": "D1", "D2": "D2"},
		},
		"other names for the same: everything, under the new names": {
			change: func(r *quote.Request) {
				r.Vehicles[0].VehicleID, r.Vehicles[1].VehicleID = "V2", "V1"
				r.Drivers[0].DriverID, r.Drivers[1].DriverID = "A", "B"
			},
			knownVehicles: map[string]string{"V2": "V1", "V1": "V2"}, knownDrivers: map[string]string{"A": "D1", "B": "D2"},
		},
		"other uses of the same car and other flags of the same person: everything": {
			change: func(r *quote.Request) {
				r.Vehicles[0].AnnualMileage, r.Vehicles[0].GaragingZIP = 4000, "77002"
				r.Drivers[0].MaritalStatus, r.Drivers[0].Incidents = rating.Single, nil
			},
			knownVehicles: map[string]string{"V1": "V1", "V2": "V2"}, knownDrivers: map[string]string{"D1": "D1", "D2": "D2"},
		},
		"a car and a driver less: the others": {
			change:        func(r *quote.Request) { r.Vehicles, r.Drivers = r.Vehicles[1:], r.Drivers[1:] },
			knownVehicles: map[string]string{"V2": "V2"}, knownDrivers: map[string]string{"D2": "D2"},
		},
		"a car and a driver more: they alone are looked up": {
			change: func(r *quote.Request) {
				r.Vehicles, r.Drivers = append(r.Vehicles, third), append(r.Drivers, newcomer)
			},
			knownVehicles: map[string]string{"V1": "V1", "V2": "V2"}, knownDrivers: map[string]string{"D1": "D1", "D2": "D2"},
			missingVehicles: []string{"V9"}, missingDrivers: []string{"D9"},
		},
		"another VIN under the same name is another car": {
			change:        func(r *quote.Request) { r.Vehicles[0].VIN = third.VIN },
			knownVehicles: map[string]string{"V2": "V2"}, knownDrivers: map[string]string{"D1": "D1", "D2": "D2"},
			missingVehicles: []string{"V1"},
		},
		"another model year is another question": {
			change:        func(r *quote.Request) { r.Vehicles[1].ModelYear-- },
			knownVehicles: map[string]string{"V1": "V1"}, knownDrivers: map[string]string{"D1": "D1", "D2": "D2"},
			missingVehicles: []string{"V2"},
		},
		"another license is another person": {
			change:        func(r *quote.Request) { r.Drivers[0].LicenseNumber = "X1" },
			knownVehicles: map[string]string{"V1": "V1", "V2": "V2"}, knownDrivers: map[string]string{"D2": "D2"},
			missingDrivers: []string{"D1"},
		},
		"another date of birth is another person": {
			change:        func(r *quote.Request) { r.Drivers[1].DateOfBirth = r.Drivers[1].DateOfBirth.AddDays(1) },
			knownVehicles: map[string]string{"V1": "V1", "V2": "V2"}, knownDrivers: map[string]string{"D1": "D1"},
			missingDrivers: []string{"D2"},
		},
		"a license of the request's state is another one when the state changes": {
			change: func(r *quote.Request) {
				r.State, r.Drivers[1].LicenseState = "OH", base.State // the second still has the old one
			},
			knownVehicles: map[string]string{"V1": "V1", "V2": "V2"}, knownDrivers: map[string]string{"D2": "D2"},
			missingDrivers: []string{"D1"},
		},
		"a driver who is rated no more needs no history": {
			change:        func(r *quote.Request) { r.Drivers[0].Excluded = true },
			knownVehicles: map[string]string{"V1": "V1", "V2": "V2"}, knownDrivers: map[string]string{"D2": "D2"},
		},
		"what had no answer is asked again": {
			vehicles: &unavailable, histories: &pending,
			change:        func(r *quote.Request) { r.TermMonths = 6 },
			knownVehicles: map[string]string{"V2": "V2"}, knownDrivers: map[string]string{},
			missingVehicles: []string{"V1"}, missingDrivers: []string{"D1", "D2"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			vehicles, histories := w.vehicles, w.histories
			if row.vehicles != nil {
				vehicles, histories = *row.vehicles, *row.histories
			}
			// Only names differ between the two drivers of the examples; their licenses must, too.
			before := edited(t, base, func(r *quote.Request) { r.Drivers[1].FirstName = "Second" })
			after := edited(t, before, row.change)
			first := quote.Fold(
				quote.QuoteRequested{QuoteID: quotetest.ID, Revision: 1, CustomerID: quotetest.Customer, QuoteDate: w.example.QuoteDate, Request: before},
				quote.VehiclesIdentified{QuoteID: quotetest.ID, Revision: 1, Vehicles: vehicles.Vehicles, Answers: vehicles.Answers},
				quote.AccidentHistoryRetrieved{QuoteID: quotetest.ID, Revision: 1, Drivers: histories.Drivers, Answers: histories.Answers})
			q := quote.Evolve(first, quote.QuoteAmended{QuoteID: quotetest.ID, Revision: 2, QuoteDate: w.example.QuoteDate, Request: after})
			facts, earlier := q.Facts(), first.Facts()
			if len(facts.VIN) != len(row.knownVehicles) || len(facts.History) != len(row.knownDrivers) {
				t.Errorf("known are %d vehicles and %d drivers, want %v and %v", len(facts.VIN), len(facts.History), row.knownVehicles, row.knownDrivers)
			}
			for now, then := range row.knownVehicles {
				if facts.VIN[now] != earlier.VIN[then] {
					t.Errorf("vehicle %s is known as %+v, want what was known of %s", now, facts.VIN[now], then)
				}
			}
			for now, then := range row.knownDrivers {
				if len(facts.History[now].Incidents) != len(earlier.History[then].Incidents) || facts.History[now].Status != earlier.History[then].Status {
					t.Errorf("driver %s is known as %+v, want what was known of %s", now, facts.History[now], then)
				}
			}
			var missingVehicles, missingDrivers []string
			for _, v := range q.MissingVehicles() {
				missingVehicles = append(missingVehicles, v.VehicleID)
			}
			for _, d := range q.MissingDrivers() {
				missingDrivers = append(missingDrivers, d.DriverID)
			}
			if !slices.Equal(missingVehicles, row.missingVehicles) || !slices.Equal(missingDrivers, row.missingDrivers) {
				t.Errorf("missing are %v and %v, want %v and %v", missingVehicles, missingDrivers, row.missingVehicles, row.missingDrivers)
			}
			if q.Knows(quote.FactVehicles) != (row.missingVehicles == nil) || q.Knows(quote.FactAccidentHistory) != (row.missingDrivers == nil) {
				t.Errorf("Knows says otherwise")
			}
			if q.Status != quote.StatusRequested || q.Rating != nil || q.Number != 2 || q.Earlier[0].Number != 1 {
				t.Errorf("Status=%s Number=%d", q.Status, q.Number)
			}
		})
	}
}

func TestAcceptQuote(t *testing.T) {
	t.Parallel()
	l := mustLife(t)
	accept := quote.AcceptQuote{Revision: 1, On: l.day}
	want := []quote.Event{accepted}
	conditional := slices.Clone(l.offered)
	held := conditional[3].(quote.QuoteOffered)
	held.Rating.Conditions = []rating.Condition{rating.HistoryPending}
	conditional[3] = held
	ahead := slices.Clone(l.offered)
	requested := l.requested.(quote.QuoteRequested)
	requested.Request.EffectiveDate = l.lastDay
	ahead[0] = requested
	assertDecisions(t, map[string]decision{
		"an offer is accepted":                              {given: l.offered, when: accept, want: want},
		"a referral that was approved is accepted":          {given: with(l.referred, approved), when: accept, want: want},
		"on its last day an offer is accepted":              {given: ahead, when: quote.AcceptQuote{Revision: 1, On: l.lastDay}, want: want},
		"after its last day it is not, noted or not":        {given: l.offered, when: quote.AcceptQuote{Revision: 1, On: l.after}, wantErr: &quote.NotOpen{Status: quote.StatusExpired}},
		"an offer that was noted as expired is not":         {given: with(l.offered, l.expired()), when: accept, wantErr: &quote.NotOpen{Status: quote.StatusExpired}},
		"an acceptance that comes again changes nothing":    {given: with(l.offered, accepted), when: accept},
		"nor does one that comes again after the last day":  {given: with(l.offered, accepted), when: quote.AcceptQuote{Revision: 1, On: l.after}},
		"an offer with a condition is not accepted":         {given: conditional, when: accept, wantErr: &quote.Conditional{Conditions: []rating.Condition{rating.HistoryPending}}},
		"a quote without a price is not accepted":           {given: l.facts(), when: accept, wantErr: &quote.NotOffered{Status: quote.StatusRequested}},
		"an indicative price is not accepted":               {given: l.referred, when: accept, wantErr: &quote.NotOffered{Status: quote.StatusReferred}},
		"a quote that was declined is not accepted":         {given: l.declined, when: accept, wantErr: &quote.NotOpen{Status: quote.StatusDeclined}},
		"a quote that was withdrawn is not accepted":        {given: with(l.offered, withdrawn), when: accept, wantErr: &quote.NotOpen{Status: quote.StatusWithdrawn}},
		"the offer of a revision of the past is not":        {given: with(l.offered, l.amended(t)), when: accept, wantErr: &quote.Superseded{Revision: 1, Current: 2}},
		"nor is the next one before it has a price":         {given: with(l.offered, l.amended(t)), when: quote.AcceptQuote{Revision: 2, On: l.day}, wantErr: &quote.NotOffered{Status: quote.StatusRequested}},
		"a revision that never was is not accepted":         {given: l.offered, when: quote.AcceptQuote{Revision: 2, On: l.day}, wantErr: &quote.NoSuchRevision{Revision: 2}},
		"a quote that does not exist is not accepted":       {when: accept, wantErr: &quote.NoSuchRevision{Revision: 1}},
		"a revision of nothing is not accepted":             {given: l.offered, when: quote.AcceptQuote{On: l.day}, wantErr: &quote.NoSuchRevision{}},
		"the expiry of the revision before it is forgotten": {given: with(l.offered, l.amended(t)), when: quote.AcceptQuote{Revision: 2, On: l.lastDay}, wantErr: &quote.NotOffered{Status: quote.StatusRequested}},
	})
}

func TestWithdrawQuote(t *testing.T) {
	t.Parallel()
	l := mustLife(t)
	withdraw := quote.WithdrawQuote{On: l.day}
	want := []quote.Event{withdrawn}
	assertDecisions(t, map[string]decision{
		"a quote that waits for its facts is withdrawn":    {given: []quote.Event{l.requested}, when: withdraw, want: want},
		"an offer is withdrawn":                            {given: l.offered, when: withdraw, want: want},
		"a referral is withdrawn":                          {given: l.referred, when: withdraw, want: want},
		"a quote that was amended is withdrawn whole":      {given: with(l.offered, l.amended(t)), when: withdraw, want: want},
		"the customer's own reason is kept":                {given: l.offered, when: quote.WithdrawQuote{Reason: "Sold the car", On: l.day}, want: []quote.Event{quote.QuoteWithdrawn{QuoteID: quotetest.ID, Reason: "Sold the car"}}},
		"a withdrawal that comes again changes nothing":    {given: with(l.offered, withdrawn), when: quote.WithdrawQuote{Reason: "Sold the car", On: l.day}},
		"a quote that was accepted is not withdrawn":       {given: with(l.offered, accepted), when: withdraw, wantErr: &quote.NotOpen{Status: quote.StatusAccepted}},
		"a quote that was declined is not withdrawn":       {given: l.declined, when: withdraw, wantErr: &quote.NotOpen{Status: quote.StatusDeclined}},
		"after its last day an offer is withdrawn no more": {given: l.offered, when: quote.WithdrawQuote{On: l.after}, wantErr: &quote.NotOpen{Status: quote.StatusExpired}},
		"a quote that does not exist is not withdrawn":     {when: withdraw, wantErr: &quote.NotOpen{}},
	})
}

func TestExpireQuote(t *testing.T) {
	t.Parallel()
	l := mustLife(t)
	sweep := quote.ExpireQuote{On: l.after}
	want := []quote.Event{l.expired()}
	assertDecisions(t, map[string]decision{
		"an offer expires on the day after its last":         {given: l.offered, when: sweep, want: want},
		"a referral expires too":                             {given: l.referred, when: sweep, want: want},
		"so does a referral that was approved":               {given: with(l.referred, approved), when: sweep, want: want},
		"a sweep that is weeks late finds the same last day": {given: l.offered, when: quote.ExpireQuote{On: l.after.AddDays(40)}, want: want},
		"on its last day nothing expires":                    {given: l.offered, when: quote.ExpireQuote{On: l.lastDay}},
		"a sweep that comes again changes nothing":           {given: with(l.offered, l.expired()), when: sweep},
		"a quote that nobody rated expires after a month": {given: l.facts(), when: sweep,
			want: []quote.Event{quote.QuoteExpired{QuoteID: quotetest.ID, Revision: 1, ExpiresOn: l.day.AddDays(quote.UnratedDays)}}},
		"so does an amendment that nobody rated": {given: with(l.offered, l.amended(t)), when: sweep,
			want: []quote.Event{quote.QuoteExpired{QuoteID: quotetest.ID, Revision: 2, ExpiresOn: l.day.AddDays(quote.UnratedDays)}}},
		"a quote that was accepted does not expire":   {given: with(l.offered, accepted), when: sweep},
		"a quote that was declined does not expire":   {given: l.declined, when: sweep},
		"a quote that was withdrawn does not expire":  {given: with(l.offered, withdrawn), when: sweep},
		"a quote that does not exist does not expire": {when: sweep},
	})
}

func TestDecideReferral(t *testing.T) {
	t.Parallel()
	l := mustLife(t)
	approve := quote.DecideReferral{Revision: 1, Approve: true, Decision: reasoned, On: l.day}
	decline := quote.DecideReferral{Revision: 1, Decision: reasoned, On: l.day}
	unanswered := []quote.Event{l.requested, quote.QuoteReferred{QuoteID: quotetest.ID, Revision: 1, Rating: l.example.Expected, Unanswered: []quote.Fact{quote.FactVehicles}}}
	assertDecisions(t, map[string]decision{
		"a referral is approved":                           {given: l.referred, when: approve, want: []quote.Event{approved}},
		"a referral is declined":                           {given: l.referred, when: decline, want: []quote.Event{refused}},
		"a referral for want of an answer is approved":     {given: unanswered, when: approve, want: []quote.Event{approved}},
		"an offer needs no decision":                       {given: l.offered, when: approve, wantErr: &quote.NotReferred{Status: quote.StatusQuoted}},
		"a quote without a price needs no decision yet":    {given: l.facts(), when: decline, wantErr: &quote.NotReferred{Status: quote.StatusRequested}},
		"a referral is approved once":                      {given: with(l.referred, approved), when: approve, wantErr: &quote.NotReferred{Status: quote.StatusQuoted}},
		"a referral that was approved is not declined":     {given: with(l.referred, approved), when: decline, wantErr: &quote.NotReferred{Status: quote.StatusQuoted}},
		"a referral that was declined is not approved":     {given: with(l.referred, refused), when: approve, wantErr: &quote.NotOpen{Status: quote.StatusDeclined}},
		"what rating declined is not approved":             {given: l.declined, when: approve, wantErr: &quote.NotOpen{Status: quote.StatusDeclined}},
		"after its last day a referral is decided no more": {given: l.referred, when: quote.DecideReferral{Revision: 1, Approve: true, Decision: reasoned, On: l.after}, wantErr: &quote.NotOpen{Status: quote.StatusExpired}},
		"a referral that was withdrawn is decided no more": {given: with(l.referred, withdrawn), when: approve, wantErr: &quote.NotOpen{Status: quote.StatusWithdrawn}},
		"a referral of the past is decided no more":        {given: with(l.referred, l.amended(t)), when: approve, wantErr: &quote.Superseded{Revision: 1, Current: 2}},
		"a revision that never was is not decided":         {given: l.referred, when: quote.DecideReferral{Revision: 2, On: l.day}, wantErr: &quote.NoSuchRevision{Revision: 2}},
	})
}

func TestStatusOn(t *testing.T) {
	t.Parallel()
	l := mustLife(t)
	for name, row := range map[string]struct {
		given      []quote.Event
		now, later quote.Status // on the last day, and after it
	}{
		"a quote that nobody rated expires":      {l.facts(), quote.StatusRequested, quote.StatusExpired},
		"an offer expires":                       {l.offered, quote.StatusQuoted, quote.StatusExpired},
		"a referral expires":                     {l.referred, quote.StatusReferred, quote.StatusExpired},
		"an approved referral expires":           {with(l.referred, approved), quote.StatusQuoted, quote.StatusExpired},
		"an amendment without a price expires":   {with(l.offered, l.amended(t)), quote.StatusRequested, quote.StatusExpired},
		"an acceptance stays":                    {with(l.offered, accepted), quote.StatusAccepted, quote.StatusAccepted},
		"a decline stays":                        {l.declined, quote.StatusDeclined, quote.StatusDeclined},
		"a withdrawal stays":                     {with(l.offered, withdrawn), quote.StatusWithdrawn, quote.StatusWithdrawn},
		"what is noted as expired is so at once": {with(l.offered, l.expired()), quote.StatusExpired, quote.StatusExpired},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := quote.Fold(row.given...)
			if now, later := q.StatusOn(l.lastDay), q.StatusOn(l.after); now != row.now || later != row.later {
				t.Errorf("Status=%s, then %s; want %s, then %s", now, later, row.now, row.later)
			}
		})
	}
}

func TestOutcomeOfARevision(t *testing.T) {
	t.Parallel()
	l := mustLife(t)
	unanswered := quote.QuoteReferred{Rating: l.example.Expected, Unanswered: []quote.Fact{quote.FactVehicles}}
	for name, row := range map[string]struct {
		given []quote.Event
		want  rating.Outcome
	}{
		"none before it is rated":                 {l.facts(), ""},
		"what rating says":                        {l.offered, rating.Quoted},
		"a referral for want of an answer is one": {[]quote.Event{l.requested, unanswered}, rating.Referred},
		"a decline is one":                        {l.declined, rating.Declined},
		"a quote's later outcome is not its own":  {with(l.offered, withdrawn), rating.Quoted},
		"none of a new revision":                  {with(l.offered, l.amended(t)), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := quote.Fold(row.given...).Outcome(); got != row.want {
				t.Errorf("Outcome=%q, want %q", got, row.want)
			}
		})
	}
}

func TestAdverseAction(t *testing.T) {
	t.Parallel()
	const accidentDay, duiDay = "2024-10-31", "2025-06-30"
	reported := func(kind accident.Type, day string) accident.Incident {
		return accident.Incident{Type: kind, Date: civil.MustParseDate(day)}
	}
	told := func(kind accident.Type, day string) quote.AdverseIncident {
		return quote.AdverseIncident{Type: kind, Date: civil.MustParseDate(day)}
	}
	notice := func(agencies []accident.Agency, incidents ...quote.AdverseIncident) *quote.AdverseAction {
		return &quote.AdverseAction{Agencies: agencies, Incidents: incidents}
	}
	known := func(id string, agency accident.Agency, incidents ...accident.Incident) quote.DriverLookup {
		return quote.DriverLookup{DriverID: id, Agency: &agency, Assessment: accident.Assessment{
			History: accident.History{Status: accident.Hit, Incidents: incidents},
		}}
	}
	example := func(id string) []quote.Event {
		return quotetest.MustEvents(t, quotetest.MustExample(t, id).Commands()...)
	}
	rated := func(r rating.Result, drivers ...quote.DriverLookup) []quote.Event {
		r.AdverseActionNotice = true
		return []quote.Event{quote.QuoteRequested{}, quote.AccidentHistoryRetrieved{Drivers: drivers}, quote.QuoteDeclined{Rating: r}}
	}
	charging := func(id string, kind accident.Type, day string) rating.DriverResult {
		return rating.DriverResult{DriverID: id, Charged: []rating.Charged{{Date: civil.MustParseDate(day), Type: kind, Points: 3}}}
	}
	other := accident.Agency{Name: "Other Reports", Address: "1 Main St", Phone: "800-555-0199"}
	one := []accident.Agency{quotetest.Agency}
	for name, row := range map[string]struct {
		given []quote.Event
		want  *quote.AdverseAction
	}{
		"no report did harm":                           {example("E01"), nil},
		"nothing is rated yet":                         {example("E12")[:3], nil},
		"a reported accident raised the price":         {example("E12"), notice(one, told(accident.AtFaultAccident, accidentDay))},
		"a reported violation led to a decline":        {example("E15"), notice(one, told(accident.DUI, duiDay))},
		"of one day's entries the one that is charged": {example("E18"), notice(one, told(accident.AtFaultAccident, "2024-12-24"))},
		"what a rule looks at counts without a charge, and nothing else": {
			rated(rating.Result{Outcome: rating.Declined, DeclaredOnly: &rating.DeclaredOnly{Outcome: rating.Quoted}},
				known("D1", quotetest.Agency, reported(accident.DUI, duiDay), reported(accident.MinorViolation, duiDay), reported(accident.Inquiry, duiDay))),
			notice(one, told(accident.DUI, duiDay)),
		},
		"without a worse outcome only charges count": {
			rated(rating.Result{Outcome: rating.Quoted, DeclaredOnly: &rating.DeclaredOnly{Outcome: rating.Quoted}, Drivers: []rating.DriverResult{charging("D1", accident.MinorViolation, duiDay)}},
				known("D1", quotetest.Agency, reported(accident.DUI, duiDay), reported(accident.MinorViolation, duiDay))),
			notice(one, told(accident.MinorViolation, duiDay)),
		},
		"an accident of two drivers is named once, and the newest entry first": {
			rated(rating.Result{Outcome: rating.Quoted, Drivers: []rating.DriverResult{charging("D1", accident.AtFaultAccident, accidentDay), charging("D2", accident.AtFaultAccident, accidentDay), charging("D3", accident.DUI, duiDay)}},
				known("D1", quotetest.Agency, reported(accident.AtFaultAccident, accidentDay)), known("D2", quotetest.Agency, reported(accident.AtFaultAccident, accidentDay)),
				known("D3", other, reported(accident.DUI, duiDay))),
			notice([]accident.Agency{quotetest.Agency, other}, told(accident.DUI, duiDay), told(accident.AtFaultAccident, accidentDay)),
		},
		"a charge of one driver is not looked for in another's report": {
			rated(rating.Result{Outcome: rating.Quoted, Drivers: []rating.DriverResult{charging("D1", accident.AtFaultAccident, accidentDay)}},
				known("D1", quotetest.Agency, reported(accident.AtFaultAccident, accidentDay)), known("D2", other, reported(accident.AtFaultAccident, accidentDay))),
			notice(one, told(accident.AtFaultAccident, accidentDay)),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := quote.Fold(row.given...).AdverseAction(); !reflect.DeepEqual(got, row.want) {
				t.Errorf("AdverseAction=%+v, want %+v", got, row.want)
			}
		})
	}
}
