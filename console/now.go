package console

import (
	"net/http"

	"milepost/internal/page"
)

// now shows what the stack does.
func (c *Console) now(w http.ResponseWriter, r *http.Request) error {
	machines, err := c.machineLines(r.Context())
	if err != nil {
		return err
	}
	return c.render(w, r, http.StatusOK, "now.html", page.Frame{Title: c.Stack, Live: []string{"page"}}, map[string]any{"Machines": machines})
}
