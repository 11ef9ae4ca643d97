package main

import (
	"context"
	"fmt"

	"milepost/internal/ops/rebuild"
	"milepost/internal/ops/workflow"
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
	arn, err := workflow.Begin(ctx, w, rebuildInput{begun.Projections, begun.Way, rebuild.Parts, c.Workers}, workflow.Equal)
	if err != nil {
		return plainly(err)
	}
	fmt.Fprintln(s.err, arn)
	shown := ""
	var figures rebuild.Figures
	err = follow(ctx, w, arn, func() error {
		parts, err := w.Parts(ctx, arn)
		if line := parts.String(); line != "" && line != shown {
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
