package sqs

import (
	"encoding/json"
	"maps"
	"strconv"
	"strings"
	"time"

	"milepost/local/awsapi"
)

// settings are the attributes of a queue that can be chosen.
type settings struct {
	given         map[string]string
	visibility    time.Duration
	retention     time.Duration
	delay         time.Duration
	wait          time.Duration
	maxSize       int
	deadLetterARN string
	maxReceives   int // 0 without a dead-letter queue
}

// ranges are the numeric attributes with their ranges and defaults.
var ranges = map[string]struct{ least, most, byDefault int }{
	"VisibilityTimeout":             {0, 43_200, 30},
	"MessageRetentionPeriod":        {60, 1_209_600, 345_600},
	"DelaySeconds":                  {0, 900, 0},
	"ReceiveMessageWaitTimeSeconds": {0, 20, 0},
	"MaximumMessageSize":            {1024, 1_048_576, 1_048_576},
}

// configuration are the attributes that change nothing of how a local queue works: encryption at
// rest, and policies for other accounts and services.
var configuration = map[string]bool{
	"SqsManagedSseEnabled": true, "KmsMasterKeyId": true, "KmsDataKeyReusePeriodSeconds": true,
	"Policy": true, "RedriveAllowPolicy": true,
}

func parseSettings(attributes map[string]string) (settings, error) {
	s := settings{given: maps.Clone(attributes)}
	values := map[string]int{}
	for name, r := range ranges {
		values[name] = r.byDefault
	}
	for name, text := range attributes {
		switch r, numeric := ranges[name]; {
		case numeric:
			n, err := strconv.Atoi(text)
			if err != nil || n < r.least || n > r.most {
				return s, awsapi.Errorf("InvalidAttributeValue", "Invalid value for the parameter %s.", name)
			}
			values[name] = n
		case name == "RedrivePolicy":
			if err := s.parseRedrivePolicy(text); err != nil {
				return s, err
			}
		case name == "FifoQueue", name == "ContentBasedDeduplication", name == "DeduplicationScope", name == "FifoThroughputLimit":
			return s, awsapi.Unsupported("the queue attribute " + name)
		case !configuration[name]:
			return s, awsapi.Errorf("InvalidAttributeName", "Unknown Attribute %s.", name)
		}
	}
	seconds := func(name string) time.Duration { return time.Duration(values[name]) * time.Second }
	s.visibility, s.retention, s.delay = seconds("VisibilityTimeout"), seconds("MessageRetentionPeriod"), seconds("DelaySeconds")
	s.wait, s.maxSize = seconds("ReceiveMessageWaitTimeSeconds"), values["MaximumMessageSize"]
	return s, nil
}

func (s *settings) parseRedrivePolicy(text string) error {
	if text == "" {
		return nil
	}
	var policy struct {
		DeadLetterTargetArn string
		MaxReceiveCount     any // a number or its digits
	}
	bad := func(reason string) error {
		return invalidValue("Value %s for parameter RedrivePolicy is invalid. Reason: %s", text, reason)
	}
	if err := json.Unmarshal([]byte(text), &policy); err != nil {
		return bad("Redrive policy is not a valid JSON map.")
	}
	switch n := policy.MaxReceiveCount.(type) {
	case float64:
		s.maxReceives = int(n)
	case string:
		s.maxReceives, _ = strconv.Atoi(n) // what is not a number is out of range, below
	}
	if s.maxReceives < 1 || s.maxReceives > 1000 {
		return bad("Invalid value for maxReceiveCount: must be between 1 and 1000.")
	}
	if !strings.HasPrefix(policy.DeadLetterTargetArn, queueARN("")) {
		return bad("Invalid value for deadLetterTargetArn.")
	}
	s.deadLetterARN = policy.DeadLetterTargetArn
	return nil
}

// describe returns all attributes as GetQueueAttributes does.
func (s *settings) describe() map[string]string {
	all := map[string]string{"SqsManagedSseEnabled": "true"}
	for name, r := range ranges {
		all[name] = strconv.Itoa(r.byDefault)
	}
	maps.Copy(all, s.given)
	return all
}
