package console

import (
	"net/http"

	"golang.org/x/sync/errgroup"

	"milepost/console/flow"
	"milepost/internal/page"
)

// now shows what the stack does, what is wrong first.
func (c *Console) now(w http.ResponseWriter, r *http.Request) error {
	var machines []machineLine
	var failures, wrong []place
	var notes map[string]flow.Note
	var refused string
	g, ctx := errgroup.WithContext(r.Context())
	g.Go(func() (err error) { machines, err = c.machineLines(ctx); return err })
	g.Go(func() (err error) { failures, err = c.failurePlaces(ctx); return err })
	g.Go(func() (err error) { notes, refused, err = c.ratesOf(ctx); return err })
	if err := g.Wait(); err != nil {
		return err
	}
	for _, p := range failures {
		if p.Depth > 0 {
			wrong = append(wrong, p)
		}
	}
	drawn, err := c.stackMap(r.Context(), failures, machines, notes)
	if err != nil {
		return err
	}
	return c.render(w, r, http.StatusOK, "now.html", page.Frame{Title: "Now", Live: []string{"page"}}, map[string]any{
		"Machines": machines, "Wrong": wrong, "Map": drawn, "Refused": refused, "Stack": c.Stack, "What": c.Seam.What,
	})
}

// find leads to the stream of an id.
func (c *Console) find(w http.ResponseWriter, r *http.Request) error {
	http.Redirect(w, r, "/streams/"+pathOf(r.URL.Query().Get("id")), http.StatusSeeOther)
	return nil
}
