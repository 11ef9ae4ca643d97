package api

import (
	"errors"
	"net/http"
	"time"

	"milepost/internal/notify/link"
)

// LinkProblem says why a link does not lead anywhere.
func LinkProblem(err error) *Problem {
	if expired, ok := errors.AsType[*link.Expired](err); ok {
		return NewProblem(http.StatusGone, "link-expired", "The link is too old",
			"It was good until %s. Sign in to see the quote, or ask for another message.", expired.At.UTC().Format(time.RFC3339))
	}
	return NewProblem(http.StatusNotFound, "not-found", "No such link", "Use the link as it is in the message.")
}
