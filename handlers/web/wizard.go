package web

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
)

// maxForm is how many bytes a form may have.
const maxForm = 256 << 10

// wizard is what a step of a new quote shows.
type wizard struct {
	*form
	Draft   draft
	Step    step
	Number  int
	Steps   []step
	Options *options
	Problem *problemView
	// Decoded is what each VIN says, in order.
	Decoded []*decodedVIN
	Price   *indication
}

// problemView is what is wrong, above a form.
type problemView struct {
	Title, Detail string
	Errors        []problemLine
}

// problemLine is one thing that is wrong; Anchor leads to its field.
type problemLine struct{ Anchor, Text string }

// newQuote begins a draft.
func (h *web) newQuote(w http.ResponseWriter, r *http.Request) error {
	if err := h.mustSignIn(r, "quotes", "broker"); err != nil {
		return err
	}
	http.Redirect(w, r, "/app/drafts/"+ulid.Make().String()+"/vehicles", http.StatusSeeOther)
	return nil
}

// showStep shows a step of a draft.
func (h *web) showStep(w http.ResponseWriter, r *http.Request) error {
	d, err := h.loadDraft(r, r.PathValue("draft"))
	if err != nil {
		return err
	}
	return h.step(w, r, http.StatusOK, d, &form{doc: d.Request}, nil)
}

// step renders a step.
func (h *web) step(w http.ResponseWriter, r *http.Request, status int, d draft, f *form, p *problemView) error {
	i := indexOf(r.PathValue("step"))
	if i < 0 {
		return notFound
	}
	if len(f.List("/vehicles")) == 0 {
		f.set("/vehicles/0/vehicleId", "V1")
	}
	if len(f.List("/drivers")) == 0 {
		f.set("/drivers/0/driverId", "D1")
	}
	o, err := h.optionsFor(r, f.Text("/state"), "")
	if err != nil {
		return err
	}
	v := &wizard{form: f, Draft: d, Step: steps[i], Number: i + 1, Steps: steps, Options: o, Problem: p}
	if v.Step.Name == "vehicles" {
		v.Decoded = h.decodeAll(r, f)
	}
	if v.Price, err = h.indicate(r, f, o); err != nil {
		return err
	}
	frame := h.frame(r, v.Step.Title+" · New quote")
	frame.Wide = v.Step.Name == "coverages"
	return h.render(w, r, status, "wizard.html", frame, v)
}

// saveStep takes what was entered in a step and goes where the pressed button leads.
func (h *web) saveStep(w http.ResponseWriter, r *http.Request) error {
	i := indexOf(r.PathValue("step"))
	if i < 0 {
		return notFound
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return &Problem{Title: "The form cannot be read", Status: http.StatusBadRequest, Detail: "It is too large, or damaged. Go back and send it again."}
	}
	d, err := h.loadDraft(r, r.PathValue("draft"))
	if err != nil {
		return err
	}
	f := &form{doc: d.Request}
	f.enter(only(r.PostForm, steps[i].Name))
	enterAges(f, r.PostForm)
	o, err := h.optionsFor(r, f.Text("/state"), "")
	if err != nil {
		return err
	}
	tidy(f, o)
	action, argument, _ := strings.Cut(r.PostForm.Get("do"), ":")
	to := steps[i].Name
	var p *problemView
	switch action {
	case "back":
		to = steps[max(i-1, 0)].Name
	case "add", "remove":
		change(f, o, action, argument)
	case "package":
		choosePackage(f, o, argument)
	case "decode":
		h.prefill(r, f, false)
	case "later":
		to = ""
	case "submit":
		d.Request, d.Step = f.doc, steps[i].Name
		return h.submitDraft(w, r, d, f, o)
	default:
		if steps[i].Name == "vehicles" {
			h.prefill(r, f, false)
		}
		if p, err = h.check(r, f, o, steps[i].Name); err != nil {
			return err
		}
		if p == nil && i+1 < len(steps) {
			to = steps[i+1].Name
		}
	}
	d.Request, d.Step = f.doc, cmp.Or(to, steps[i].Name)
	if err := h.saveDraft(r, &d); err != nil {
		return h.draftConflict(w, r, d, f, err)
	}
	if p != nil {
		return h.step(w, r, http.StatusUnprocessableEntity, d, f, p)
	}
	address := "/app/quotes"
	if to != "" {
		address = "/app/drafts/" + d.ID + "/" + to
	}
	if action == "add" || action == "remove" || action == "decode" || action == "package" {
		address += "#" + r.PostForm.Get("at")
	}
	http.Redirect(w, r, address, http.StatusSeeOther)
	return nil
}

// draftConflict keeps what was typed when the draft was changed elsewhere in the meantime.
func (h *web) draftConflict(w http.ResponseWriter, r *http.Request, d draft, f *form, err error) error {
	p, ok := errors.AsType[*Problem](err)
	if !ok || p.Status != http.StatusPreconditionFailed {
		return err
	}
	newer, err := h.loadDraft(r, d.ID)
	if err != nil {
		return err
	}
	newer.Request = d.Request
	return h.step(w, r, http.StatusConflict, newer, f, &problemView{Title: "You changed this quote in another window",
		Detail: "What you see is what you just entered here. Send it again to keep it, or load the page anew to see the other one."})
}

// only are the values that a step asks for.
func only(values url.Values, name string) url.Values {
	of := url.Values{}
	for pointer, v := range values {
		if strings.HasPrefix(pointer, "/") && stepOf(pointer) == name {
			of[pointer] = v
		}
	}
	return of
}

// tidy makes the document fit: cars and drivers have ids, and a question that is not asked has the answer that means
// so.
func tidy(f *form, o *options) {
	for _, list := range []struct{ pointer, id, prefix string }{{"/vehicles", "vehicleId", "V"}, {"/drivers", "driverId", "D"}} {
		used := map[string]bool{}
		for _, i := range f.List(list.pointer) {
			used[f.Text(fmt.Sprintf("%s/%d/%s", list.pointer, i, list.id))] = true
		}
		next := 1
		for _, i := range f.List(list.pointer) {
			at := fmt.Sprintf("%s/%d/%s", list.pointer, i, list.id)
			for f.Text(at) == "" && used[list.prefix+strconv.Itoa(next)] {
				next++
			}
			if f.Text(at) == "" {
				f.set(at, list.prefix+strconv.Itoa(next))
				used[list.prefix+strconv.Itoa(next)] = true
			}
		}
	}
	if !f.True("/policy/priorInsurance/hasPrior") {
		f.set("/policy/priorInsurance/expirationDate", nil)
		f.set("/policy/priorInsurance/biLimit", nil)
	}
	for _, i := range f.List("/vehicles") {
		at := fmt.Sprintf("/vehicles/%d", i)
		if f.Text(at+"/use") != "COMMUTE" {
			f.set(at+"/oneWayMiles", nil)
		}
		if f.get(at+"/coverages") == nil {
			f.set(at+"/coverages", map[string]any{})
		}
	}
	if f.get("/coverages") == nil {
		f.set("/coverages", map[string]any{})
	}
	for _, i := range f.List("/drivers") {
		at := fmt.Sprintf("/drivers/%d", i)
		if f.get(at) != nil && f.Text(at+"/gender") == "" && o.Offering != nil && !o.Offering.GenderRated {
			f.set(at+"/gender", "X")
		}
	}
}

// change adds to a list or removes from it: "add:/drivers", "remove:/drivers/1".
func change(f *form, o *options, action, pointer string) {
	switch action {
	case "add":
		switch n := len(f.List(pointer)); {
		case n >= most:
		case strings.HasSuffix(pointer, "/incidents"):
			f.set(fmt.Sprintf("%s/%d/type", pointer, n), "AT_FAULT_ACCIDENT")
		default:
			f.set(fmt.Sprintf("%s/%d", pointer, n), map[string]any{})
			tidy(f, o)
		}
	case "remove":
		i := strings.LastIndexByte(pointer, '/')
		if i <= 0 {
			return
		}
		if n, err := strconv.Atoi(pointer[i+1:]); err == nil && slices.Contains([]string{"vehicles", "drivers", "incidents"}, pointer[strings.LastIndexByte(pointer[:i], '/')+1:i]) {
			f.remove(pointer[:i], n)
		}
	}
}

// choosePackage takes the coverages of a package, for the policy and each car.
func choosePackage(f *form, o *options, name string) {
	if o.Offering == nil {
		return // without a state there are none
	}
	for _, b := range o.Offering.Packages {
		if b.Name == name {
			apply(f, b)
		}
	}
}

func apply(f *form, b bundle) {
	f.set("/coverages", maps.Clone(b.Coverages))
	for _, i := range f.List("/vehicles") {
		f.set(fmt.Sprintf("/vehicles/%d/coverages", i), maps.Clone(b.VehicleCoverages))
	}
}

// check asks the API about what a step asked for. What later steps will ask for is made up for that, since a request is
// checked as a whole; what the API says of these is passed over.
func (h *web) check(r *http.Request, f *form, o *options, name string) (*problemView, error) {
	if name == "contact" {
		return nil, nil // the submission checks it
	}
	complete := f.clone()
	fill(complete, o, name)
	_, err := h.api.Call(r, Request{Route: "POST /estimates", Body: estimateOf(complete)})
	if err == nil {
		return nil, nil
	}
	p, ok := errors.AsType[*Problem](err)
	if !ok || p.Status != http.StatusUnprocessableEntity {
		return nil, err
	}
	return told(f, p, func(pointer string) bool { return stepOf(pointer) == name }), nil
}

// told puts what is wrong beside the fields of a step, and returns what stands above the form; nil if nothing of it is
// the step's.
func told(f *form, p *Problem, here func(pointer string) bool) *problemView {
	worded := &Problem{Errors: slices.Concat(slices.Collect(func(yield func([]Violation) bool) {
		for _, v := range p.Errors {
			if !yield(plain(v)) {
				return
			}
		}
	})...)}
	rest := f.refuse(worded, here)
	view := &problemView{Title: "Please look at this again"}
	for _, pointer := range slices.Sorted(maps.Keys(f.errors)) {
		view.Errors = append(view.Errors, problemLine{pointer, f.errors[pointer]})
	}
	for _, v := range rest {
		if v.Pointer == "" {
			view.Errors = append(view.Errors, problemLine{Text: v.Detail})
		}
	}
	if len(view.Errors) == 0 {
		return nil
	}
	return view
}

// fill makes up what the steps after one ask for, so that a request can be checked before it is whole.
func fill(f *form, o *options, after string) {
	has := func(name string) bool { return indexOf(name) <= indexOf(after) }
	missing := func(pointer string, value any) {
		if f.get(pointer) == nil {
			f.set(pointer, value)
		}
	}
	if !has("drivers") {
		f.set("/drivers", []any{map[string]any{"driverId": "D1", "dateOfBirth": "1980-01-02", "licensedDate": "1998-01-02",
			"licenseStatus": "VALID", "gender": "X", "maritalStatus": "SINGLE"}})
	}
	if !has("history") {
		missing("/policy/priorInsurance/hasPrior", false)
	}
	if !has("coverages") {
		missing("/policy/homeowner", false)
		missing("/policy/paymentPlan", "INSTALLMENTS")
		missing("/termMonths", 6)
		if list, _ := f.get("/coverages").(map[string]any); len(list) == 0 && o.Offering != nil && len(o.Offering.Packages) > 0 {
			apply(f, o.Offering.Packages[0])
		}
	}
}

// estimateOf is a request without what an estimate does not take.
func estimateOf(f *form) map[string]any {
	request := maps.Clone(f.doc)
	delete(request, "address")
	delete(request, "contact")
	return request
}

// submitDraft turns a draft into a quote.
func (h *web) submitDraft(w http.ResponseWriter, r *http.Request, d draft, f *form, o *options) error {
	request := maps.Clone(f.doc)
	if f.Text("/contact/email") == "" && f.Text("/contact/phone") == "" {
		delete(request, "contact")
	}
	if f.Text("/address/line1") == "" {
		delete(request, "address")
	}
	view := &problemView{Title: "One more thing"}
	f.errors = map[string]string{}
	var acknowledged []map[string]string
	for _, c := range o.Consents {
		if name := "consent:" + c.Code; c.Required && c.Member == "" && r.PostForm.Get(name) != "true" {
			f.errors[name] = "We cannot give you an offer without this. Please tick the box, or save the quote for later."
			view.Errors = append(view.Errors, problemLine{name, f.errors[name]})
		} else if c.Required && c.Member == "" {
			acknowledged = append(acknowledged, map[string]string{"code": c.Code, "version": c.Version})
		}
	}
	if view.Errors != nil {
		if err := h.saveDraft(r, &d); err != nil {
			return h.draftConflict(w, r, d, f, err)
		}
		return h.step(w, r, http.StatusUnprocessableEntity, d, f, view)
	}
	request["acknowledged"] = acknowledged
	q := Request{Route: "POST /quotes", Body: request, Header: map[string]string{"idempotency-key": "draft-" + d.ID}}
	if d.Client != "" {
		q.Header["on-behalf-of"] = d.Client
	}
	if d.QuoteID != "" { // it changes one
		q.Route, q.Path = "POST /quotes/{quoteId}/amendments", map[string]string{"quoteId": d.QuoteID}
		q.Header = map[string]string{"idempotency-key": r.PostForm.Get("key"), "if-match": d.QuoteETag}
	}
	answer, err := h.api.Call(r, q)
	if err != nil {
		p, ok := errors.AsType[*Problem](err)
		if !ok || p.Status >= http.StatusInternalServerError {
			return err
		}
		if err := h.saveDraft(r, &d); err != nil {
			return h.draftConflict(w, r, d, f, err)
		}
		view := told(f, p, func(string) bool { return true })
		if view == nil {
			view = &problemView{Title: p.Title, Detail: p.Detail}
		}
		for i, line := range view.Errors {
			if to := stepOf(line.Anchor); to != "" && to != "contact" {
				view.Errors[i].Anchor = ""
				view.Errors[i].Text = steps[indexOf(to)].Title + ": " + line.Text
			}
		}
		return h.step(w, r, http.StatusUnprocessableEntity, d, f, view)
	}
	if err := h.deleteDraft(r, d); err != nil {
		return err
	}
	http.Redirect(w, r, "/app/quotes/"+cmp.Or(d.QuoteID, strings.TrimPrefix(answer.Header["location"], "/quotes/")), http.StatusSeeOther)
	return nil
}

// decodedVIN is what a VIN says.
type decodedVIN struct {
	VIN, Status                         string
	CheckDigitValid                     bool
	SuggestedVIN                        string `json:"suggestedVin"`
	ModelYear                           int
	Make, Model, Series, Trim           string
	BodyClass, VehicleType, FuelPrimary string
}

// decodeAll decodes the VINs of a form, as far as they are VINs.
func (h *web) decodeAll(r *http.Request, f *form) []*decodedVIN {
	var all []*decodedVIN
	for _, i := range f.List("/vehicles") {
		all = append(all, h.decode(r, f.Text(fmt.Sprintf("/vehicles/%d/vin", i))))
	}
	return all
}

// decode decodes a VIN; nil if it is not one.
func (h *web) decode(r *http.Request, vin string) *decodedVIN {
	if len(vin) != 17 || strings.Trim(strings.ToUpper(vin), "ABCDEFGHJKLMNPRSTUVWXYZ0123456789") != "" {
		return nil
	}
	d := &decodedVIN{}
	if _, err := h.api.Get(r, Request{Route: "GET /vehicles/{vin}", Path: map[string]string{"vin": vin}}, d); err != nil {
		return nil // the submission decodes it again, and says what is wrong
	}
	return d
}

// prefill enters what the VINs say where nothing was entered.
func (h *web) prefill(r *http.Request, f *form, overwrite bool) {
	for i, d := range h.decodeAll(r, f) {
		if d == nil || d.Status != "DECODED" {
			continue
		}
		for name, value := range map[string]any{"modelYear": d.ModelYear, "make": d.Make, "model": d.Model, "bodyClass": d.BodyClass} {
			at := fmt.Sprintf("/vehicles/%d/%s", i, name)
			if (overwrite || f.Text(at) == "") && value != "" && value != 0 {
				f.set(at, value)
			}
		}
	}
}

// indication is what a quote will about cost, before reports are ordered.
type indication struct {
	// Total is the price of the chosen coverages; "" until they are chosen.
	Total string
	// Packages are prices of whole packages.
	Packages []packagePrice
	// Outcome is what the answers lead to, with Reasons.
	Outcome string
	Reasons []struct{ Code, Text string }
	Notes   []struct{ Code, Text, Pointer string }
	// Vehicles have the prices of each coverage.
	Vehicles []pricedVehicle
}

type pricedVehicle struct {
	VehicleID string
	Total     string
	Coverages []struct {
		Code      string
		Selection any
		Premium   string
	}
}

type packagePrice struct {
	bundle
	Total, Outcome string
	Chosen         bool
}

// estimate is what the API answers.
type estimate struct {
	Outcome      string
	TotalPremium string
	Reasons      []struct{ Code, Text string }
	Notes        []struct{ Code, Text, Pointer string }
	Vehicles     []pricedVehicle
	Alternatives []struct{ Estimate estimate }
}

// indicate prices a form as far as it can be: each package, and what was chosen. It is nil while too little is known.
func (h *web) indicate(r *http.Request, f *form, o *options) (*indication, error) {
	if o.Offering == nil || f.Text("/drivers/0/dateOfBirth") == "" {
		return nil, nil
	}
	base := f.clone()
	fill(base, o, "drivers")
	chosen, _ := f.get("/coverages").(map[string]any)
	request := estimateOf(base)
	var alternatives []map[string]any
	for _, b := range o.Offering.Packages {
		alternatives = append(alternatives, map[string]any{"name": b.Name, "coverages": b.Coverages, "vehicleCoverages": b.VehicleCoverages})
	}
	request["alternatives"] = alternatives
	e := &estimate{}
	_, err := h.api.Get(r, Request{Route: "POST /estimates", Body: request}, e)
	if p, ok := errors.AsType[*Problem](err); ok && p.Status < http.StatusInternalServerError {
		return nil, nil // too little is known, or it is wrong: the step says so
	}
	if err != nil {
		return nil, err
	}
	in := &indication{Outcome: e.Outcome, Reasons: e.Reasons, Notes: e.Notes}
	if len(chosen) > 0 {
		in.Total, in.Vehicles = e.TotalPremium, e.Vehicles
	}
	for i, b := range o.Offering.Packages {
		if i < len(e.Alternatives) {
			priced := e.Alternatives[i].Estimate
			in.Packages = append(in.Packages, packagePrice{b, priced.TotalPremium, priced.Outcome, len(chosen) > 0 && is(f, b)})
		}
	}
	if len(in.Packages) == 0 && in.Total == "" && in.Outcome == "" {
		return nil, nil
	}
	return in, nil
}

// is reports whether a package is what was chosen for all cars.
func is(f *form, b bundle) bool {
	same := func(pointer string, want map[string]any) bool {
		have, _ := f.get(pointer).(map[string]any)
		return maps.EqualFunc(have, want, func(x, y any) bool { return fmt.Sprint(x) == fmt.Sprint(y) })
	}
	return same("/coverages", b.Coverages) && !slices.ContainsFunc(f.List("/vehicles"), func(i int) bool {
		return !same(fmt.Sprintf("/vehicles/%d/coverages", i), b.VehicleCoverages)
	})
}

// Level returns the coverages of a level: POLICY or VEHICLE.
func (v *wizard) Level(level string) []coverage {
	if v.Options.Offering == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(v.Options.Offering.Coverages), func(c coverage) bool { return c.Level != level })
}

// Coverage returns a coverage in words.
func (v *wizard) Coverage(code string) coverage { return v.Options.coverage(code) }

// Words returns what a choice of a coverage means.
func (c coverage) Words(selection any) string {
	for _, choice := range c.Choices {
		if fmt.Sprint(choice.Selection) == fmt.Sprint(selection) {
			return choice.Words
		}
	}
	return fmt.Sprint(selection)
}

// Selections are the choices of a coverage for a field.
func (c coverage) Selections() (all []choice) {
	for _, s := range c.Choices {
		all = append(all, choice{Value: fmt.Sprint(s.Selection), Label: s.Words})
	}
	return all
}

// AsksGender reports whether the form asks for the gender, which not all states' rates use.
func (v *wizard) AsksGender() bool {
	return v.Options.Offering == nil || v.Options.Offering.GenderRated
}

// Ask is the field of a member, in the API's words.
func (v *wizard) Ask(pointer string, more ...any) (map[string]any, error) {
	ask, help := v.Options.question(pointer)
	return v.Field(pointer, ask, append([]any{"Hint", help}, more...)...)
}

// Box is the checkbox of a member, in the API's words.
func (v *wizard) Box(pointer string) map[string]any {
	ask, help := v.Options.question(pointer)
	return map[string]any{"Name": pointer, "Label": ask, "Hint": help, "On": v.True(pointer)}
}

// Car names a car of the form.
func (v *wizard) Car(i int) string {
	at := fmt.Sprintf("/vehicles/%d", i)
	name := strings.TrimSpace(v.Text(at+"/modelYear") + " " + v.Text(at+"/make") + " " + v.Text(at+"/model"))
	return cmp.Or(name, fmt.Sprintf("Car %d", i+1))
}

// Person names a driver of the form.
func (v *wizard) Person(i int) string {
	at := fmt.Sprintf("/drivers/%d", i)
	return cmp.Or(strings.TrimSpace(v.Text(at+"/firstName")+" "+v.Text(at+"/lastName")), fmt.Sprintf("Driver %d", i+1))
}

// Terms are the terms that are offered, as choices.
func (v *wizard) Terms() (all []choice) {
	if v.Options.Offering == nil {
		return nil
	}
	for _, months := range v.Options.Offering.TermMonths {
		all = append(all, choice{Value: strconv.Itoa(months), Label: strconv.Itoa(months) + " months"})
	}
	return all
}

// PriorLimits are limits that a policy before may have had: those that are offered here.
func (v *wizard) PriorLimits() []choice { return v.Coverage("BI").Selections() }

// LicensedAt is the field for when a driver was first licensed. People misread the question for a date and enter the day
// on which the card was issued, so it asks for the age and shows the month that follows.
func (v *wizard) LicensedAt(i int) (map[string]any, error) {
	at := fmt.Sprintf("/drivers/%d", i)
	f, err := v.Field(at+"/licensedDate", "Age when first licensed to drive alone", "Mode", "numeric", "Max", 3, "Width", "s",
		"Hint", "In any state or in Canada. A learner's permit does not count; leave it empty for somebody who never was.")
	if err != nil {
		return nil, err
	}
	born, licensed := v.Text(at+"/dateOfBirth"), v.Text(at+"/licensedDate")
	f["Name"], f["Value"] = ageOf+at, ""
	if b, l, err := dates(born, licensed); err == nil {
		age := l.Year() - b.Year()
		if l.Month() < b.Month() || l.Month() == b.Month() && l.Day() < b.Day() {
			age--
		}
		f["Value"], f["Hint"] = strconv.Itoa(age), "That is "+l.Format("January 2006")+". A learner's permit does not count."
	}
	return f, nil
}

// ageOf begins the names of the fields that ask for an age at a licensing.
const ageOf = "age:"

// enterAges turns ages at a licensing into dates. A date at the same age is kept: it may be exact.
func enterAges(f *form, values url.Values) {
	for name, v := range values {
		at, ok := strings.CutPrefix(name, ageOf)
		if !ok || stepOf(at) != "drivers" || f.get(at) == nil {
			continue
		}
		text := strings.TrimSpace(v[len(v)-1])
		if text == "" {
			f.set(at+"/licensedDate", nil)
			continue
		}
		age, err := strconv.Atoi(text)
		born, bad := time.Parse(time.DateOnly, f.Text(at+"/dateOfBirth"))
		if err != nil || bad != nil || age < 0 || age > 150 {
			f.set(at+"/licensedDate", text)
			continue
		}
		old, bad := time.Parse(time.DateOnly, f.Text(at+"/licensedDate"))
		first := born.AddDate(age, 0, 0)
		if bad != nil || old.Before(first) || !old.Before(first.AddDate(1, 0, 0)) {
			f.set(at+"/licensedDate", first.Format(time.DateOnly))
		}
	}
}

func dates(a, b string) (x, y time.Time, err error) {
	if x, err = time.Parse(time.DateOnly, a); err == nil {
		y, err = time.Parse(time.DateOnly, b)
	}
	return x, y, err
}

// price renders what the entered answers would cost, for the script: nothing is kept.
func (h *web) price(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return err
	}
	d, err := h.loadDraft(r, r.PathValue("draft"))
	if err != nil {
		return err
	}
	f := &form{doc: d.Request}
	f.enter(r.PostForm)
	enterAges(f, r.PostForm)
	o, err := h.optionsFor(r, f.Text("/state"), "")
	if err != nil {
		return err
	}
	tidy(f, o)
	v := &wizard{form: f, Draft: d, Options: o}
	if v.Price, err = h.indicate(r, f, o); err != nil {
		return err
	}
	return pages.Part(w, "_price", v)
}

// showVIN renders what a VIN says, for the script, with what it enters.
func (h *web) showVIN(w http.ResponseWriter, r *http.Request) error {
	if err := h.mustSignIn(r, "quotes", "broker", "staff"); err != nil {
		return err
	}
	d := h.decode(r, r.PathValue("vin"))
	if d == nil {
		return notFound
	}
	return pages.Part(w, "_vin", d)
}
