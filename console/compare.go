package console

import (
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"golang.org/x/sync/errgroup"

	"milepost/console/states"
	"milepost/internal/page"
)

// side is one of two executions that are compared.
type side struct {
	executionLine
	Input, Output string
	run           *states.Run
}

// comparedState is a state in both.
type comparedState struct {
	Name string
	A, B comparedVisit
}

// comparedVisit is what a state did in one execution: its last visit, and how many there were.
type comparedVisit struct {
	Status          states.Status
	Visits, Retries int
	Took            time.Duration
	Error           string
	output          string
}

// Differs reports whether the state ended otherwise in one than in the other.
func (s comparedState) Differs() bool {
	return s.A.Status != s.B.Status || s.A.Visits != s.B.Visits || s.A.Retries != s.B.Retries || s.A.Error != s.B.Error
}

// Output reports whether it led to another output.
func (s comparedState) Output() bool { return s.A.output != s.B.output }

func compared(run *states.Run, state string, now time.Time) comparedVisit {
	visits := run.Of(state)
	if len(visits) == 0 {
		return comparedVisit{}
	}
	last := visits[len(visits)-1]
	return comparedVisit{last.Status, len(visits), last.Retries(), last.Duration(now), last.Error, last.Output}
}

// compare shows two executions of a machine side by side.
func (c *Console) compare(w http.ResponseWriter, r *http.Request) error {
	now, sides := time.Now(), [2]side{}
	var machines [2]*states.Machine
	g, ctx := errgroup.WithContext(r.Context())
	for i, name := range []string{"a", "b"} {
		g.Go(func() error {
			arn := strings.TrimSpace(r.URL.Query().Get(name))
			if arn == "" {
				return &refusal{http.StatusBadRequest, "Two executions are compared", "Give the ARN of each."}
			}
			e, m, h, err := c.load(ctx, arn)
			if err != nil {
				return err
			}
			h.mu.Lock()
			defer h.mu.Unlock()
			run := &states.Run{}
			run.Read(h.events)
			machines[i] = m
			sides[i] = side{c.described(e), pretty(aws.ToString(e.Input)), pretty(aws.ToString(e.Output)), run}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	var rows []comparedState
	seen := map[string]bool{}
	for _, m := range machines {
		for _, s := range m.All() {
			row := comparedState{s.Name, compared(sides[0].run, s.Name, now), compared(sides[1].run, s.Name, now)}
			if !seen[s.Name] && row.A.Visits+row.B.Visits > 0 {
				rows = append(rows, row)
			}
			seen[s.Name] = true
		}
	}
	return c.render(w, r, http.StatusOK, "compare.html", page.Frame{Title: "Two executions"}, map[string]any{"A": sides[0], "B": sides[1], "Rows": rows, "Now": now})
}
