package console

import (
	"context"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"golang.org/x/sync/errgroup"

	"milepost/internal/ops/deadletter"
	"milepost/internal/page"
)

// place is where something is that could not be handled.
type place struct {
	deadletter.Place
	Depth   int
	Machine bool
}

// failurePlaces are the stack's queues, all of which hold what failed, and the failed executions of its machines.
func (c *Console) failurePlaces(ctx context.Context) ([]place, error) {
	queues, err := c.resource.of(ctx, "AWS::SQS::Queue")
	if err != nil {
		return nil, err
	}
	machines, err := c.resource.of(ctx, "AWS::StepFunctions::StateMachine")
	if err != nil {
		return nil, err
	}
	var all []place
	for _, q := range queues {
		all = append(all, place{Place: &deadletter.Queue{SQS: c.sqs, URL: q.Physical}})
	}
	for _, m := range machines {
		all = append(all, place{Place: &deadletter.Executions{SFN: c.sfn, ARN: m.Physical}, Machine: true})
	}
	g, ctx := errgroup.WithContext(ctx)
	for i := range all {
		g.Go(func() (err error) {
			all[i].Depth, err = all[i].Place.Depth(ctx)
			return err
		})
	}
	return all, g.Wait()
}

// failures counts what failed.
func (c *Console) failures(w http.ResponseWriter, r *http.Request) error {
	all, err := c.failurePlaces(r.Context())
	if err != nil {
		return err
	}
	sum := 0
	for _, p := range all {
		sum += p.Depth
	}
	return c.render(w, r, http.StatusOK, "failures.html", page.Frame{Title: plural(sum, "failure"), Live: []string{"page"}}, map[string]any{"Places": all, "Sum": sum})
}

// failuresView is what a place holds.
type failuresView struct {
	Name    string
	Machine bool
	Depth   int
	Letters []*deadletter.Letter
	// Done is what a redrive did, or would do; nil if there was none.
	Done *redriven
}

// redriven is the report of a redrive.
type redriven struct {
	DryRun, Partly bool
	OK             []*deadletter.Letter
	Failed         []failedAgain
	NotFound       []string
}

type failedAgain struct {
	*deadletter.Letter
	Problem string
}

// looked is how many letters a page shows at most.
const looked = 50

func (c *Console) failurePlace(ctx context.Context, name string) (place, error) {
	all, err := c.failurePlaces(ctx)
	if err != nil {
		return place{}, err
	}
	for _, p := range all {
		if p.Name() == name {
			return p, nil
		}
	}
	return place{}, &refusal{http.StatusNotFound, "There is no such queue or machine", "The stack " + c.Stack + " has none named " + name + "."}
}

// failure shows what a place holds. The page is not live: to look at messages hides them from others for a moment.
func (c *Console) failure(w http.ResponseWriter, r *http.Request) error {
	p, err := c.failurePlace(r.Context(), r.PathValue("place"))
	if err != nil {
		return err
	}
	return c.showFailures(w, r, p, nil)
}

func (c *Console) showFailures(w http.ResponseWriter, r *http.Request, p place, done *redriven) error {
	letters, err := deadletter.Some(r.Context(), p.Place, min(p.Depth, looked))
	if err != nil {
		return err
	}
	v := &failuresView{Name: p.Name(), Machine: p.Machine, Depth: p.Depth, Letters: letters, Done: done}
	return c.render(w, r, http.StatusOK, "failure.html", page.Frame{Title: v.Name + ", " + plural(p.Depth, "failure")}, v)
}

// redriveLetters redrives the letters that were chosen, or all, or only asks whether that could be done.
func (c *Console) redriveLetters(w http.ResponseWriter, r *http.Request) error {
	p, err := c.failurePlace(r.Context(), r.PathValue("place"))
	if err != nil {
		return err
	}
	ids, do := r.PostForm["id"], r.PostFormValue("do")
	if !strings.HasSuffix(do, "all") && len(ids) == 0 {
		return &refusal{http.StatusUnprocessableEntity, "Nothing is chosen", "Choose what to redrive, or all of it."}
	}
	if strings.HasSuffix(do, "all") {
		ids = nil
	}
	done := &redriven{DryRun: strings.HasPrefix(do, "try")}
	again := &deadletter.Redriver{Functions: c.lambda, Streams: dynamodbstreams.NewFromConfig(c.AWS), Executions: c.sfn, DryRun: done.DryRun}
	done.NotFound, err = again.Run(r.Context(), p.Place, ids, func(l *deadletter.Letter, err error) {
		if err != nil {
			done.Failed = append(done.Failed, failedAgain{l, asRefusal(err).detail})
			return
		}
		done.OK = append(done.OK, l)
	})
	if err != nil && len(done.OK)+len(done.Failed) == 0 {
		return err
	}
	done.Partly = err != nil // what was done is told all the same
	if p.Depth, err = p.Place.Depth(r.Context()); err != nil {
		return err
	}
	return c.showFailures(w, r, p, done)
}
