package web

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// referral is a quote that waits for an underwriter, as a row of the desk.
type referral struct {
	line
	// Reasons are why, with the facts behind each; nil if they could not be read.
	Reasons []causedReason
}

// deskView is what the desk shows.
type deskView struct {
	State, Reason string
	Referrals     []*referral
	// Reasons are the codes that occur, for the filter, and States likewise.
	Reasons, States []string
	// Hidden counts the referrals that the filters leave out.
	Hidden int
	// More is set if there are more than the desk shows.
	More bool
	Now  time.Time
}

// The desk reads as many pages of referrals at most, and as many quotes at once.
const (
	deskPages   = 5
	deskAtATime = 8
)

// desk lists the referrals, the oldest first. The filters are in its address.
func (h *web) desk(w http.ResponseWriter, r *http.Request) error {
	if err := h.mustSignIn(r, "staff"); err != nil {
		return err
	}
	v := &deskView{State: r.URL.Query().Get("state"), Reason: r.URL.Query().Get("reason"), Now: time.Now()}
	all, err := h.referrals(r, v)
	if err != nil {
		return err
	}
	for _, q := range all {
		v.States = append(v.States, q.State)
		for _, why := range q.Reasons {
			v.Reasons = append(v.Reasons, why.Code)
		}
		if v.State != "" && q.State != v.State || v.Reason != "" && !slices.ContainsFunc(q.Reasons, func(why causedReason) bool { return why.Code == v.Reason }) {
			v.Hidden++
			continue
		}
		v.Referrals = append(v.Referrals, q)
	}
	for _, list := range []*[]string{&v.States, &v.Reasons} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	f := h.frame(r, "Desk")
	f.Wide, f.Live = true, []string{"desk"}
	return h.render(w, r, http.StatusOK, "desk.html", f, v)
}

// referrals reads the referrals with their reasons.
func (h *web) referrals(r *http.Request, v *deskView) ([]*referral, error) {
	var all []*referral
	query := url.Values{"status": {"REFERRED"}, "order": {"oldest"}}
	for range deskPages {
		var page struct {
			Quotes []line
			Next   string
		}
		if _, err := h.api.Get(r, Request{Route: "GET /quotes", Query: query}, &page); err != nil {
			return nil, err
		}
		for _, q := range page.Quotes {
			all = append(all, &referral{line: q})
		}
		if v.More = page.Next != ""; !v.More {
			break
		}
		query.Set("cursor", page.Next)
	}
	slices.SortFunc(all, func(a, b *referral) int {
		return cmp.Or(a.RequestedAt.Compare(b.RequestedAt), strings.Compare(a.QuoteID, b.QuoteID))
	})
	failures := make([]error, len(all))
	turns := make(chan struct{}, deskAtATime)
	var asked sync.WaitGroup
	for i, q := range all {
		turns <- struct{}{}
		asked.Go(func() {
			defer func() { <-turns }()
			reasons, err := h.causes(r, q.QuoteID, "", cover(false))
			if _, refused := errors.AsType[*Problem](err); refused {
				return // it is damaged, or gone; its row stands without reasons
			}
			q.Reasons, failures[i] = reasons, err
		})
	}
	asked.Wait()
	return all, errors.Join(failures...)
}

// Waited is for how long a referral has waited, in words.
func (v *deskView) Waited(since time.Time) string {
	switch d := v.Now.Sub(since); {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return plural(int(d.Minutes()), "minute")
	case d < 48*time.Hour:
		return plural(int(d.Hours()), "hour")
	default:
		return plural(int(d.Hours()/24), "day")
	}
}

func plural(n int, unit string) string {
	if n == 1 {
		return "1 " + unit
	}
	return strconv.Itoa(n) + " " + unit + "s"
}
