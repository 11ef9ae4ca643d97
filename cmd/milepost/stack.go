package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/smithy-go"

	"milepost/internal/wiring"
)

// stack is the stack that a command works on. Its outputs say what it has.
type stack struct {
	*wiring.System
	aws     aws.Config
	name    string
	status  string
	outputs map[string]string
}

// open reads the outputs of the stack.
func (e *endpoint) open(ctx context.Context, s streams) (*stack, error) {
	cfg, err := e.config(ctx, s)
	if err != nil {
		return nil, err
	}
	return openStack(ctx, cfg, e.Stack)
}

func openStack(ctx context.Context, cfg aws.Config, name string) (*stack, error) {
	client := cloudformation.NewFromConfig(cfg)
	found, err := client.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &name})
	answer, ok := errors.AsType[smithy.APIError](err)
	if ok && answer.ErrorCode() == "ValidationError" && strings.HasSuffix(answer.ErrorMessage(), " does not exist") {
		return nil, fmt.Errorf("there is no stack %s; is --stack its name, and --endpoint its address?", name)
	}
	if err != nil {
		return nil, plainly(err)
	}
	st := &stack{aws: cfg, name: name, status: string(found.Stacks[0].StackStatus), outputs: map[string]string{}}
	for _, o := range found.Stacks[0].Outputs {
		st.outputs[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
	}
	st.System = wiring.New(cfg, slog.New(slog.DiscardHandler), wiring.Outputs(func(output string) (string, bool) {
		value, ok := st.outputs[output]
		return value, ok
	}))
	return st, nil
}

// Err names the outputs that the parts opened so far need and the stack lacks; it is nil if none is missing. It
// replaces the System's Err, which would call them variables.
func (st *stack) Err() error {
	err := st.System.Err()
	missing, ok := errors.AsType[*wiring.Missing](err)
	if !ok {
		return err
	}
	var outputs []string
	for _, name := range missing.Names {
		outputs = append(outputs, wiring.Output(name))
	}
	return fmt.Errorf("the stack %s (%s) has no outputs %s; deploy it with this version's template.yaml",
		st.name, st.status, strings.Join(outputs, ", "))
}

// outputsEnding returns the outputs whose names end in a suffix, in the order of their names. What precedes it is
// written as a person would write it: undelivered-events for UndeliveredEventsQueueUrl.
func (st *stack) outputsEnding(suffix string) (found []namedOutput) {
	for _, output := range slices.Sorted(maps.Keys(st.outputs)) {
		if name, ok := strings.CutSuffix(output, suffix); ok {
			found = append(found, namedOutput{hyphenated(name), st.outputs[output]})
		}
	}
	return found
}

type namedOutput struct{ name, value string }

// hyphenated writes UndeliveredEvents as undelivered-events.
func hyphenated(name string) string {
	var b strings.Builder
	for i, c := range name {
		if i > 0 && c >= 'A' && c <= 'Z' {
			b.WriteByte('-')
		}
		b.WriteRune(c)
	}
	return strings.ToLower(b.String())
}
