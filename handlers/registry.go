// Package handlers names every Lambda function of the system. Registry is the one place where a name
// in template.yaml meets code: Lambda starts the handler that _HANDLER names, and the local runtime
// the one that a function's Handler property names.
package handlers

import (
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-lambda-go/lambda"

	"milepost/handlers/accidenthistory"
	"milepost/handlers/archive"
	"milepost/handlers/commands"
	"milepost/handlers/confirmations"
	"milepost/handlers/drafts"
	"milepost/handlers/erasures"
	"milepost/handlers/estimates"
	"milepost/handlers/expire"
	"milepost/handlers/head"
	"milepost/handlers/live"
	"milepost/handlers/notify"
	"milepost/handlers/offers"
	"milepost/handlers/openapi"
	"milepost/handlers/overdue"
	"milepost/handlers/project"
	"milepost/handlers/publish"
	"milepost/handlers/push"
	"milepost/handlers/quotes"
	"milepost/handlers/remind"
	"milepost/handlers/senddue"
	"milepost/handlers/snapshot"
	"milepost/handlers/submit"
	"milepost/handlers/vinlookup"
	"milepost/handlers/web"
	"milepost/internal/platform"
	"milepost/workflows/erase"
	"milepost/workflows/playback"
	workflow "milepost/workflows/quote"
	"milepost/workflows/rebuild"
)

// Constructor makes a handler. It fails when the environment lacks what the handler needs.
type Constructor func(platform.Environment) (lambda.Handler, error)

// Registry has every handler by its name in the template.
var Registry = map[string]Constructor{
	"submit":          submit.New,
	"quotes":          quotes.New,
	"commands":        commands.New,
	"offers":          offers.New,
	"confirmations":   confirmations.New,
	"openapi":         openapi.New,
	"estimates":       estimates.New,
	"drafts":          drafts.New,
	"erasures":        erasures.New,
	"erase":           erase.New,
	"web":             web.New,
	"live":            live.New,
	"push":            push.New,
	"publish":         publish.New,
	"archive":         archive.New,
	"head":            head.New,
	"vinlookup":       vinlookup.New,
	"accidenthistory": accidenthistory.New,
	"startworkflow":   workflow.NewStartWorkflow,
	"resumeworkflow":  workflow.NewResumeWorkflow,
	"project":         project.New,
	"snapshot":        snapshot.New,
	"expire":          expire.New,
	"notify":          notify.New,
	"senddue":         senddue.New,
	"remind":          remind.New,
	"rebuild":         rebuild.New,
	"overdue":         overdue.New,
	"playback":        playback.New,
	"askagain":        workflow.NewAskAgain,
	"await":           workflow.NewAwait,
	"rate":            workflow.NewRate,
}

// Names lists the registry in order.
func Names() []string { return slices.Sorted(maps.Keys(Registry)) }

// Known refuses a name that has no handler.
func Known(name string) error {
	if Registry[name] == nil {
		return fmt.Errorf("no handler is registered under %q; there are %v", name, Names())
	}
	return nil
}

// New makes the handler that env.Function names.
func New(env platform.Environment) (lambda.Handler, error) {
	if err := Known(env.Function); err != nil {
		return nil, err
	}
	h, err := Registry[env.Function](env)
	if err != nil {
		return nil, fmt.Errorf("handler %s: %w", env.Function, err)
	}
	return h, nil
}
