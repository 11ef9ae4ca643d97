package web

import (
	"fmt"
	"net/http"

	"milepost/internal/page"
	"milepost/internal/page/paper"
)

// offerPDF is a quote with a price as a document to keep and print.
func (h *web) offerPDF(w http.ResponseWriter, r *http.Request) error {
	if err := h.mustSignIn(r, "quotes", "staff", "broker"); err != nil {
		return err
	}
	v, err := h.loadQuote(r, r.PathValue("quote"))
	if err != nil {
		return err
	}
	if v.TotalPremium == "" {
		return &Problem{Type: "/problems/no-offer", Title: "There is no offer to print", Status: http.StatusConflict, Detail: "This quote has no price yet, or will get none."}
	}
	text, err := paper.Write(v.paper())
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/pdf")
	w.Header().Set("Content-Disposition", fmt.Sprintf(`inline; filename="milepost-%s-%d.pdf"`, v.QuoteID, v.Revision))
	w.Header().Set("ETag", v.ETag)
	_, err = w.Write(text)
	return err
}

// paper is what the document says: the same as the page.
func (v *quoteView) paper() paper.Document {
	d := paper.Document{Title: v.Title(), Under: fmt.Sprintf("Quote %s, revision %d, version %d", v.QuoteID, v.Revision, v.Version), Made: v.UpdatedAt}
	facts := [][2]string{{"Total", fmt.Sprintf("%s for %d months", page.Money(v.TotalPremium), v.TermMonths)}, {"Cover begins", page.Day(v.EffectiveDate) + ", 12:01 a.m."}}
	if v.AcceptBy != "" {
		facts = append(facts, [2]string{"Can be accepted through", page.Day(v.AcceptBy) + ", 11:59 p.m. " + v.TimeZoneName})
	}
	for _, i := range v.List("/drivers") {
		at := fmt.Sprintf("/drivers/%d", i)
		facts = append(facts, [2]string{"Driver", v.Text(at+"/firstName") + " " + v.Text(at+"/lastName")})
	}
	d.Sections = append(d.Sections, paper.Section{Facts: facts, Text: v.Words})
	for _, car := range v.Vehicles {
		s := paper.Section{Title: v.Car(car.VehicleID), Head: []string{"Coverage", "Limit or deductible", "Price"}, Total: []string{"This car", "", page.Money(car.Total)}}
		for _, c := range car.Coverages {
			words := v.Coverage(c.Code)
			s.Rows = append(s.Rows, []string{words.Name, words.Words(c.Selection), page.Money(c.Premium)})
		}
		d.Sections = append(d.Sections, s)
	}
	sum := paper.Section{Title: "Together", Rows: [][]string{{"Coverages", page.Money(v.CoverageTotal)}}, Total: []string{"Total", page.Money(v.TotalPremium)}}
	if v.MinimumPremiumAdjustment != "" && v.MinimumPremiumAdjustment != "0.00" {
		sum.Rows = append(sum.Rows, []string{"Up to the minimum premium", page.Money(v.MinimumPremiumAdjustment)})
	}
	for _, fee := range v.Fees {
		sum.Rows = append(sum.Rows, []string{v.Options.Fee(fee.Code), page.Money(fee.Amount)})
	}
	if v.Assessment != "" && v.Assessment != "0.00" {
		sum.Rows = append(sum.Rows, []string{"State assessment", page.Money(v.Assessment)})
	}
	d.Sections = append(d.Sections, sum)
	for _, c := range v.ConditionWords {
		d.Sections = append(d.Sections, paper.Section{Title: "Before it can be accepted", Text: []string{c.Means, c.Todo}})
	}
	if v.Acceptable() {
		d.Sections = append(d.Sections, paper.Section{Title: "How to accept", Text: []string{
			"Sign in where you got this offer, open the quote " + v.QuoteID + ", and press Accept. Cover begins on " + page.Day(v.EffectiveDate) +
				", 12:01 a.m., and not before you accept.",
		}})
	}
	if left := v.leftOut(); left != nil {
		d.Sections = append(d.Sections, paper.Section{Title: "Not covered", Rows: nil, Text: left})
	}
	for _, f := range v.WrittenOffers {
		d.Sections = append(d.Sections, paper.Section{Title: "What else we offer", Text: []string{f.Text}})
	}
	for _, f := range v.Rejections {
		d.Sections = append(d.Sections, paper.Section{Title: "In writing", Text: []string{f.Text, f.Signature}})
	}
	if a := v.AdverseAction; a != nil && v.AdverseActionNotice {
		s := paper.Section{Title: "Notice about consumer reports", Text: append(append([]string{a.Text}, a.Reasons...), a.Rights)}
		for _, agency := range a.Agencies {
			s.Facts = append(s.Facts, [2]string{agency.Name, agency.Address + ", " + agency.Phone})
		}
		d.Sections = append(d.Sections, s)
	}
	return d
}

// leftOut says for each coverage that no car has what that means.
func (v *quoteView) leftOut() (all []string) {
	if v.Options.Offering == nil {
		return nil
	}
	has := map[string]bool{}
	for _, car := range v.Vehicles {
		for _, c := range car.Coverages {
			has[c.Code] = true
		}
	}
	for _, c := range v.Options.Offering.Coverages {
		if !has[c.Code] && c.Without != "" {
			all = append(all, c.Name+": "+c.Without)
		}
	}
	return all
}
