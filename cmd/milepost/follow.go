package main

import (
	"context"
	"errors"
	"fmt"

	"milepost/internal/ops/workflow"
)

// workflow is a state machine, by the variable that has its ARN. It does a command's work in the stack.
func (st *stack) workflow(variable string) (*workflow.Machine, error) {
	return &workflow.Machine{SFN: st.StepFunctions(), ARN: st.Required(variable)}, st.Err()
}

// follow waits for the end of an execution and decodes its output. Meanwhile it calls show.
func follow(ctx context.Context, w *workflow.Machine, arn string, show func() error, output any) error {
	err := w.Follow(ctx, arn, show, output)
	if ended, ok := errors.AsType[*workflow.Ended](err); ok {
		return fmt.Errorf("%w; start again with the same command, or continue where it stopped with aws stepfunctions redrive-execution --execution-arn %s",
			ended, arn)
	}
	if ctx.Err() != nil && err != nil {
		return fmt.Errorf("the workflow continues: the same command follows it again, and aws stepfunctions stop-execution --execution-arn %s stops it", arn)
	}
	return plainly(err)
}
