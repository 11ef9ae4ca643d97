// Package head is the function that signs once a day what was added to the archive.
package head

import (
	"context"
	"encoding/json"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"milepost/internal/log/head"
	"milepost/internal/platform"
	"milepost/internal/wiring"
)

// New makes the handler. It needs what wiring.System.Archive needs, and HEAD_KEY_ARN.
func New(env platform.Environment) (lambda.Handler, error) {
	s := wiring.Of(env)
	m := &head.Maker{Bucket: s.Archive(), KMS: s.KMS(), KeyID: s.Required("HEAD_KEY_ARN")}
	return platform.Handler(env, func(ctx context.Context, _ json.RawMessage) (head.Made, error) {
		made, err := m.Make(ctx, time.Now())
		if err == nil { // a log is another witness of the head
			env.Logger.InfoContext(ctx, "head signed", "day", made.Day, "hash", made.Hash, "objects", made.Objects, "streams", made.Streams)
		}
		return made, err
	}), s.Err()
}
