package platform_test

import (
	"testing"

	"milepost/internal/platform"
)

func TestNamesInARNs(t *testing.T) {
	t.Parallel()
	for arn, want := range map[string]string{
		"arn:aws:lambda:us-east-1:000000000000:function:submit":            "submit",
		"arn:aws:lambda:us-east-1:000000000000:function:submit:$LATEST":    "submit",
		"arn:aws:lambda:us-east-1:000000000000:function:submit:live":       "submit",
		"arn:aws:states:us-east-1:000000000000:stateMachine:quote":         "quote",
		"arn:aws:states:us-east-1:000000000000:execution:quote:01KXAMPE-1": "quote",
		"arn:aws:events:us-east-1:000000000000:rule/daily":                 "daily",
		"arn:aws-cn:events:cn-north-1:000000000000:rule/events/QuoteEvent": "QuoteEvent",
		"arn:aws:sqs:us-east-1:000000000000:letters":                       "letters",
		"submit":         "submit",
		"":               "",
		"arn:aws:lambda": "arn:aws:lambda",
	} {
		if got := platform.NameIn(arn); got != want {
			t.Errorf("NameIn(%q)=%q, want %q", arn, got, want)
		}
	}
}
