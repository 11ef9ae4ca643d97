// Package wiring opens the parts of a system: clients of AWS, and the stores that use them.
//
// What the system calls its tables, keys, queues and workflows comes from Names, a function. A name is that of the
// environment variable by which template.yaml tells a function, such as EVENTS_TABLE_NAME. On Lambda, Of looks it up
// in the environment. Everywhere else Outputs looks it up in the outputs of the stack, here EventsTableName:
//
//	s := wiring.New(cfg, logger, wiring.Outputs(find))
//	quotes, outbox := s.Quotes(), s.Outbox()
//	if err := s.Err(); err != nil {
//		return err // a *wiring.Missing names all that was not found
//	}
//
// A part is opened when it is requested, and nothing is called before it is used. A part with state exists once in a
// System: the client of each service, the cache of the customers' keys, the key of the search. Stores have none, so
// each caller gets its own and may change its fields.
package wiring

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/govalues/decimal"

	"milepost/internal/log/seal"
	"milepost/internal/platform"
	"milepost/internal/quotes/readmodel"
)

// Names returns the value that a system has under a name; ok is false if it has none.
type Names func(name string) (value string, ok bool)

// Outputs looks names up in the outputs of a stack, which find returns by their own names.
func Outputs(find func(output string) (value string, ok bool)) Names {
	return func(name string) (string, bool) { return find(Output(name)) }
}

// Output returns the output of the stack that has what functions find in a variable: EventsTableName for
// EVENTS_TABLE_NAME.
func Output(name string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(name, "_") {
		if word != "" {
			b.WriteString(word[:1] + strings.ToLower(word[1:]))
		}
	}
	return b.String()
}

// System opens parts. One goroutine opens them; the parts themselves are safe for concurrent use.
type System struct {
	// Logger receives what is damaged.
	Logger *slog.Logger

	aws     aws.Config
	names   Names
	missing []string
	invalid []error

	dynamoDB      *dynamodb.Client
	gateway       *apigatewaymanagementapi.Client
	eventBridge   *eventbridge.Client
	kms           *kms.Client
	lambda        *lambda.Client
	s3            *s3.Client
	sqs           *sqs.Client
	stepFunctions *sfn.Client
	keys          *seal.Keys
	tokens        *readmodel.Tokens
}

// New returns the system that has these names. cfg makes the clients, and logger receives what is damaged.
func New(cfg aws.Config, logger *slog.Logger, names Names) *System {
	return &System{Logger: logger, aws: cfg, names: names}
}

// Of returns the system around a function, which has its names in environment variables.
func Of(env platform.Environment) *System {
	return New(env.AWS, env.Logger, func(name string) (string, bool) {
		value := env.Getenv(name)
		return value, value != ""
	})
}

// Required returns the value of a name. It is "" if there is none, and Err names it then.
func (s *System) Required(name string) string {
	value, ok := s.names(name)
	if (!ok || value == "") && !slices.Contains(s.missing, name) {
		s.missing = append(s.missing, name)
	}
	return value
}

// Optional returns the value of a name, "" if there is none.
func (s *System) Optional(name string) string {
	value, _ := s.names(name)
	return value
}

// Number returns a Required value that is a whole number, not below 0. Err reports any other.
func (s *System) Number(name string) int {
	return parsed(s, name, func(text string) (int, error) {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return 0, fmt.Errorf("%q is not a whole number of 0 or more", text)
		}
		return n, nil
	})
}

// Share returns a Required value that is a share, from 0 to 1. Err reports any other.
func (s *System) Share(name string) float64 {
	return parsed(s, name, func(text string) (float64, error) {
		share, err := strconv.ParseFloat(text, 64)
		if err != nil || !(share >= 0 && share <= 1) {
			return 0, fmt.Errorf("%q is not a share from 0 to 1", text)
		}
		return share, nil
	})
}

// Amount returns a Required value that is an amount of dollars. Err reports any other.
func (s *System) Amount(name string) decimal.Decimal { return parsed(s, name, decimal.Parse) }

// ARN returns a Required value that is an ARN. Err reports any other.
func (s *System) ARN(name string) arn.ARN { return parsed(s, name, arn.Parse) }

func parsed[T any](s *System, name string, parse func(string) (T, error)) (value T) {
	text := s.Required(name)
	if text == "" {
		return value
	}
	value, err := parse(text)
	if err != nil {
		s.invalid = append(s.invalid, fmt.Errorf("%s: %w", name, err))
	}
	return value
}

// Err returns nil if everything that the parts needed so far was found and is valid. Otherwise it is a *Missing, or
// says what is invalid.
func (s *System) Err() error {
	if s.missing != nil {
		return &Missing{Names: s.missing}
	}
	return errors.Join(s.invalid...)
}

// Missing is the error of a system that lacks what its parts need.
type Missing struct{ Names []string }

func (e *Missing) Error() string {
	return "environment variables are not set: " + strings.Join(e.Names, ", ")
}
