package main

import (
	"context"
	"errors"
	"fmt"

	"milepost/internal/ops/progress"
)

// resume returns where a command begins: where an earlier run of it stopped, or at the beginning. It says so if the
// file cannot be read.
func resume[P any](s streams, f progress.File, work string, begin P, whole, same func(P) bool) (P, error) {
	p, aside, err := progress.Resume(f, begin, whole, same)
	if errors.Is(err, progress.ErrOther) {
		return p, fmt.Errorf("%s belongs to another %s: run that command again to finish it, or remove the file", f, work)
	}
	if err == nil && aside != "" {
		_, err = fmt.Fprintf(s.err, "%s cannot be read, and is now %s; the work starts again\n", f, aside)
	}
	return p, err
}

// finish removes the progress file of a command that has run to its end. Otherwise it says how the command is taken up.
func finish(ctx context.Context, f progress.File, events int, err error) error {
	if ctx.Err() != nil {
		how := "; the same command continues from there"
		if f == "" {
			how = "; with --progress FILE it can continue from there"
		}
		return fmt.Errorf("interrupted after %d events%s", events, how)
	}
	if err != nil {
		return plainly(err)
	}
	return f.Remove()
}
