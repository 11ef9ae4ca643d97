package console

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"golang.org/x/sync/errgroup"
)

// Runs are the executions of a machine that goes through the whole log for an operator.
type Runs struct {
	// What they are, such as "playback"; Machine is the output of the stack that has the machine's ARN.
	What, Machine string
	// Progress says how far one is, or what it came to; "" while it has not begun.
	Progress func(ctx context.Context, client *sfn.Client, execution string) (string, error)
}

// runLine is a run in the list.
type runLine struct {
	executionLine
	What, Progress string
}

const runsShown = 5

// runs lists the newest runs of each kind.
func (c *Console) runs(ctx context.Context) ([]runLine, error) {
	var all []runLine
	for _, kind := range c.Seam.Runs {
		arn, err := c.resource.output(ctx, kind.Machine)
		if err != nil {
			return nil, err
		}
		if arn == "" {
			continue
		}
		found, err := c.sfn.ListExecutions(ctx, &sfn.ListExecutionsInput{StateMachineArn: &arn, MaxResults: runsShown})
		if err != nil {
			return nil, err
		}
		lines := make([]runLine, len(found.Executions))
		g, ctx := errgroup.WithContext(ctx)
		for i, e := range found.Executions {
			g.Go(func() (err error) {
				lines[i] = runLine{executionLine: c.line(e), What: kind.What}
				lines[i].Progress, err = kind.Progress(ctx, c.sfn, aws.ToString(e.ExecutionArn))
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return nil, err
		}
		all = append(all, lines...)
	}
	return all, nil
}
