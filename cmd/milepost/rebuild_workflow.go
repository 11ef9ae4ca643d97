package main

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"milepost/internal/ops/rebuild"
	"milepost/internal/quotes/readmodel"
)

// rebuildInput is the input of the state machine statemachines/rebuild.asl.json.
type rebuildInput struct {
	Projections []readmodel.Kind `json:"projections"`
	Way         rebuild.Way      `json:"way"`
	// Parts is in how many parts the log is gone through, and Workers how many at the same time.
	Parts   int `json:"parts"`
	Workers int `json:"workers"`
}

// runWorkflow has the stack rebuild.
func (c *rebuildCmd) runWorkflow(ctx context.Context, s streams) error {
	st, err := c.Endpoint.open(ctx, s)
	if err != nil {
		return err
	}
	w, err := st.workflow("REBUILD_WORKFLOW_ARN")
	if err != nil {
		return err
	}
	begun := c.start()
	arn, err := begin(ctx, w, rebuildInput{begun.Projections, begun.Way, rebuild.Parts, c.Workers}, equal)
	if err != nil {
		return err
	}
	fmt.Fprintln(s.err, arn)
	shown := ""
	var figures rebuild.Figures
	err = w.follow(ctx, arn, func() error {
		line, err := partsDone(ctx, w, arn)
		if line != "" && line != shown {
			shown = line
			fmt.Fprintln(s.err, line)
		}
		return err
	}, &figures)
	if err != nil {
		return err
	}
	return c.print(s, figures)
}

// partsDone says how many parts of the log are done, "" before the first is begun.
func partsDone(ctx context.Context, w *workflow, arn string) (string, error) {
	runs, err := w.client.ListMapRuns(ctx, &sfn.ListMapRunsInput{ExecutionArn: &arn})
	if err != nil || len(runs.MapRuns) == 0 {
		return "", err
	}
	run, err := w.client.DescribeMapRun(ctx, &sfn.DescribeMapRunInput{MapRunArn: runs.MapRuns[0].MapRunArn})
	if err != nil {
		return "", err
	}
	line := fmt.Sprintf("%d of %d parts done", run.ItemCounts.Succeeded, run.ItemCounts.Total)
	if failed := run.ItemCounts.Failed + run.ItemCounts.TimedOut + run.ItemCounts.Aborted; failed > 0 {
		line += fmt.Sprintf(", %d failed", failed)
	}
	return line, nil
}
