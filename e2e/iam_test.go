package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	ebtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/smithy-go"
	"github.com/oklog/ulid/v2"

	"milepost/domain/quote"
	"milepost/domain/quote/quotetest"
	"milepost/handlers"
	"milepost/internal/platform"
	"milepost/internal/platform/stored"
	"milepost/internal/quotes/draft"
	"milepost/internal/session"
	"milepost/internal/stacktest"
	"milepost/local/awsapi"
	"milepost/local/fault"
	"milepost/local/iam"
	"milepost/local/lambda"
	"milepost/local/stack"
	"milepost/local/template"
	"milepost/system"
)

// unused returns the permissions that were never used as "role: action on resource".
func (s *running) unused() []string {
	var all []string
	for role, grants := range s.Unused() {
		for _, g := range grants {
			all = append(all, role+": "+g.Action+" on "+g.Resource)
		}
	}
	slices.Sort(all)
	return all
}

func TestEveryPermissionIsUsed(t *testing.T) {
	t.Parallel()
	// On AWS, Step Functions itself sends traces with these.
	var onAWS []string
	for _, role := range []string{"ErasureWorkflowRole", "PlaybackWorkflowRole", "QuoteWorkflowRole", "RebuildWorkflowRole"} {
		for _, action := range []string{"GetSamplingRules", "GetSamplingTargets", "PutTelemetryRecords", "PutTraceSegments"} {
			onAWS = append(onAWS, role+": xray:"+action+" on *")
		}
	}
	type invoke = func(ctx context.Context, name string, payload []byte, next func(context.Context, []byte) ([]byte, error)) ([]byte, error)
	// jam makes the rating fail while it is set.
	jam := func(jammed *atomic.Bool) invoke {
		return func(ctx context.Context, name string, payload []byte, next func(context.Context, []byte) ([]byte, error)) ([]byte, error) {
			if jammed.Load() && strings.Contains(name, "RateFunction") {
				return nil, errors.New("jammed")
			}
			return next(ctx, payload)
		}
	}
	// tell causes notifications and alerts of all kinds, and an outcome that is overdue.
	tell := func(s *running, jammed *atomic.Bool) {
		s.submit("cyd", referred()) // and nobody decides
		id := s.submit("bob", example())
		dan := s.submit("dan", example(`"email": true`, `"email": false`)) // who gets texts
		s.call("", "POST", signedConfirmation(s.t, linkKeyBefore, dan, "+16145550100", time.Hour), "")
		jammed.Store(true)
		s.submit("fay", example()) // whose workflow fails twice
		time.Sleep(4 * time.Hour)
		jammed.Store(false)
		s.settle()
		s.change(s.token("eve", "staff"), id, "reversals", reversal(4))
		s.settle()
	}
	alertAll := map[string]string{"QuotesPerDay": "20", "LinkKeyBefore": linkKeyBefore, "PremiumAlertAbove": "1"}
	slices.Sort(onAWS)
	// liveOn amends a quote until it has a snapshot, reads it in all ways, lets it expire, and requests another when
	// the customer's key is no longer cached. Then its projections are rebuilt in all ways, its events are played, the
	// log of another is imported, and the customer submits while the key is missing.
	liveOn := func(s *running, id string) {
		s.submit("ada", example())
		s.watch(id)
		for i := range 28 {
			license := "RS000001"
			if i == 27 {
				license = "PENDING1" // and is requested again
			}
			s.change(s.token("ada", "quotes"), id, "amendments", example("RS000001", license, "NA000101", fmt.Sprintf("NA%06d", 200+i), "1988-03-10", fmt.Sprintf("1988-04-%02d", 1+i)))
			s.settle()
		}
		time.Sleep(32 * 24 * time.Hour)
		for _, table := range []string{quotesTable, customerQuotesTable} {
			for _, item := range s.scan(table) {
				if strings.HasSuffix(text(item, "quoteKey"), id) || text(item, "quoteId") == id {
					s.damage(table, item, "document", nil)
				}
			}
		}
		s.read("ada", id)
		s.call(s.token("ada", "quotes"), "GET", "/quotes/"+id+"/explanation", "")
		s.call(s.token("ada", "quotes"), "GET", "/quotes/"+id+"/request", "")
		s.call(s.token("eve", "staff"), "POST", "/quotes/"+id+"/accesses", `{"purpose":"COMPLAINT"}`)
		s.call(s.token("eve", "staff"), "GET", "/quotes/"+id+"/accesses", "")
		s.call(s.token("ada", "quotes"), "GET", "/customers/ada/quotes", "")
		s.call("", "GET", signedOffer(s.t, linkKeyBefore, id, time.Hour), "")
		s.call(s.token("eve", "staff"), "GET", "/quotes/"+id+"/letters", "")
		pages := s.browser()
		pages.signIn("ben") // whose key nobody misses later
		made := pages.quotes().At.Path
		pages.post(made+"/lookups", nil)
		pages.do("POST", "/app/live/ticket", nil)
		offer := strings.Replace(signedOffer(s.t, linkKeyBefore, id, time.Hour), "/offers", "/app/offers", 1)
		pages.get(offer)
		pages.get(offer + "/confirmation")
		for range 3 { // until the issuer is asked again
			time.Sleep(session.Idle - time.Minute)
			pages.get("/app/quotes")
		}
		pages.post("/app/sign-out", nil)
		for range draft.Most + 1 { // and one is too many
			s.call(s.token("gus", "quotes"), "PUT", "/drafts/"+ulid.Make().String(), `{"step":"a","request":{}}`, "If-None-Match", "*")
		}
		s.call(s.token("gus", "quotes"), "GET", "/drafts/"+id, "")
		s.call(s.token("eve", "staff"), "GET", "/quotes", "")
		s.call(s.token("eve", "staff"), "GET", "/quotes?vin=1HGCV1F33NA000101", "")
		s.rebuildSearch()
		s.rebuild("wipe")
		s.stranger()
		s.rebuild("prune")
		s.play(time.Now())
		s.set(id, 1, "note", "somebody changed it")
		s.mustStore(quotetest.Logs[0], func(int) int { return 2 }) // whose events arrive long after they occurred
		time.Sleep(2 * time.Minute)
		s.call(s.token("bob", "quotes"), "PUT", "/drafts/"+ulid.Make().String(), `{"step":"a","request":{}}`, "If-None-Match", "*")
		for _, item := range s.scan(notificationsTable) { // from before letters were sealed
			if text(item, "sealedFor") == "bob" {
				delete(item, "sealedFor")
				s.damage(notificationsTable, item, "letter", stored.Text("{}"))
			}
		}
		s.submit("fay", example()) // in the span of the log that an erasure searches
		s.eraseByTwo("bob")
		s.withoutKey("ada")
	}
	t.Run("by an ordinary quote, but for those of the failures", func(t *testing.T) {
		onDay(t, today, func(t *testing.T) {
			plan := oneFactLate()
			jammed := &atomic.Bool{}
			plan.Invoke = jam(jammed)
			s := mustRun(t, system.Options{Faults: plan, Parameters: alertAll})
			tell(s, jammed)
			id := s.submit("ada", example())
			s.settle()
			liveOn(s, id)
			want := slices.Concat(onAWS, failures(t), []string{
				"RebuildWorkflowRole: states:RedriveExecution on " + awsapi.ARN("states", "execution:milepost-rebuild/*:*"),
			})
			slices.Sort(want)
			if got := s.unused(); !slices.Equal(got, want) {
				t.Errorf("unused permissions:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	})
	t.Run("by the failures, when everything that hears of the next quote fails", func(t *testing.T) {
		onDay(t, today, func(t *testing.T) {
			broken, jammed := false, &atomic.Bool{}
			plan := oneFactLate()
			plan.Invoke = func(ctx context.Context, name string, payload []byte, next func(context.Context, []byte) ([]byte, error)) ([]byte, error) {
				if broken && !strings.Contains(name, "Publish") {
					return nil, errors.New("broken")
				}
				return jam(jammed)(ctx, name, payload, next)
			}
			s := mustRun(t, system.Options{Faults: plan, Parameters: alertAll})
			tell(s, jammed)
			id := s.submit("ada", example())
			s.settle()
			liveOn(s, id)
			broken = true
			put := func(key, version string, item stored.Item) {
				item["streamId"] = stored.Text(key)
				item["version"] = &types.AttributeValueMemberN{Value: version}
				if _, err := s.db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(eventsTable), Item: item}); err != nil {
					t.Fatal(err)
				}
			}
			events := s.scan(eventsTable)
			for eventType, version := range map[string]string{quote.TypeQuoteRequested: "1", quote.TypeVehiclesIdentified: "50", quote.TypeQuoteOffered: "4"} {
				of := slices.IndexFunc(events, func(e stored.Item) bool { return text(e, "eventType") == eventType })
				put("quote-copy-"+eventType, version, maps.Clone(events[of]))
			}
			put("poison", "1", stored.Item{})
			s.redrive(*s.rebuilt("over").ExecutionArn)
			time.Sleep(24 * time.Hour) // and the next sweep
			s.settle()
			if got := s.unused(); !slices.Equal(got, onAWS) {
				t.Errorf("unused permissions:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(onAWS, "\n"))
			}
		})
	})
}

// failures are the permissions of all functions to report their failures, as the template configures them.
func failures(t *testing.T) (grants []string) {
	t.Helper()
	loaded := stacktest.Template(t)
	roles := map[string]string{}
	for _, r := range loaded.OfType("AWS::Lambda::Function") {
		roles[r.PhysicalID] = r.LogicalID + "Role"
	}
	for _, resourceType := range []string{"AWS::Lambda::EventInvokeConfig", "AWS::Lambda::EventSourceMapping"} {
		for _, r := range loaded.OfType(resourceType) {
			destinations, _ := r.Properties["DestinationConfig"].(map[string]any)
			failure, _ := destinations["OnFailure"].(map[string]any)
			name, _ := r.Properties["FunctionName"].(string)
			if role := roles[name]; role != "" {
				grants = append(grants, fmt.Sprintf("%s: sqs:SendMessage on %v", role, failure["Destination"]))
			} else {
				t.Errorf("%s is of no function: %s", r.LogicalID, name)
			}
		}
	}
	return grants
}

// oneFactLate is a plan under which one fact is known before the workflow waits for it, and one arrives after.
func oneFactLate() *fault.Plan {
	return delayed(map[string]time.Duration{"StartWorkflow": time.Minute, "AccidentHistory": 2 * time.Minute})
}

// identities returns a system, and what each of its functions finds around it, by its name in the registry.
func identities(t *testing.T) (*running, map[string]stack.Function) {
	t.Helper()
	found := map[string]stack.Function{}
	s := mustRun(t, system.Options{Code: func(f stack.Function) (lambda.Handler, error) {
		found[f.Handler] = f
		return platform.HandlerFunc(func(context.Context, []byte) ([]byte, error) { return nil, errors.New("never called") }), nil
	}})
	return s, found
}

// denial is that a function is denied an action.
func denial(f stack.Function, action, resource string) stack.Denial {
	return stack.Denial{Caller: strings.TrimPrefix(f.Name, "milepost-") + "Role", Action: action, Resource: resource}
}

func TestFunctionsMayDoNothingElse(t *testing.T) {
	onDay(t, today, func(t *testing.T) {
		s, functions := identities(t)
		var denied []stack.Denial
		if len(functions) != len(handlers.Registry) {
			t.Errorf("%d functions, want one for each of %d handlers", len(functions), len(handlers.Registry))
		}
		key := stored.Item{"streamId": stored.Text("quote-1"), "version": &types.AttributeValueMemberN{Value: "1"}}
		table := aws.String(eventsTable)
		ctx := t.Context()
		forbidden := map[string]func(*dynamodb.Client) error{
			"dynamodb:DeleteItem": func(db *dynamodb.Client) error {
				_, err := db.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: table, Key: key})
				return err
			},
			"dynamodb:UpdateItem": func(db *dynamodb.Client) error {
				_, err := db.UpdateItem(ctx, &dynamodb.UpdateItemInput{TableName: table, Key: key})
				return err
			},
			"dynamodb:BatchWriteItem": func(db *dynamodb.Client) error {
				_, err := db.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{eventsTable: {{DeleteRequest: &types.DeleteRequest{Key: key}}}}})
				return err
			},
			"dynamodb:DeleteItem in a transaction": func(db *dynamodb.Client) error {
				_, err := db.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{{Delete: &types.Delete{TableName: table, Key: key}}}})
				return err
			},
		}
		log := awsapi.ARN("dynamodb", "table/"+eventsTable)
		for name, f := range functions {
			db := dynamodb.NewFromConfig(f.AWS)
			for action, try := range forbidden {
				assertDenied(t, name+" "+action, try(db), "dynamodb:")
				action, _, _ = strings.Cut(action, " ")
				denied = append(denied, denial(f, action, log))
			}
		}
		err := forbidden["dynamodb:DeleteItem"](dynamodb.NewFromConfig(functions["publish"].AWS))
		want := "User: arn:aws:sts::000000000000:assumed-role/milepost-PublishFunctionRole/milepost-PublishFunction is not authorized to perform: " +
			"dynamodb:DeleteItem on resource: arn:aws:dynamodb:us-east-1:000000000000:table/milepost-events " +
			"because no identity-based policy allows the dynamodb:DeleteItem action"
		if denied, ok := errors.AsType[smithy.APIError](err); !ok || denied.ErrorMessage() != want {
			t.Errorf("error=%v, want %s", err, want)
		}

		_, err = eventbridge.NewFromConfig(functions["submit"].AWS).PutEvents(ctx, &eventbridge.PutEventsInput{Entries: []ebtypes.PutEventsRequestEntry{{
			EventBusName: aws.String("milepost-events"), Source: aws.String("milepost.quote"), DetailType: aws.String("QuoteOffered"), Detail: aws.String("{}"),
		}}})
		assertDenied(t, "submit events:PutEvents", err, "events:PutEvents")
		_, err = sfn.NewFromConfig(functions["resumeworkflow"].AWS).StartExecution(ctx, &sfn.StartExecutionInput{
			StateMachineArn: aws.String(awsapi.ARN("states", "stateMachine:milepost-quote")),
		})
		assertDenied(t, "resumeworkflow states:StartExecution", err, "states:StartExecution")
		stacktest.Denied(t, s.Stack, append(denied,
			denial(functions["submit"], "events:PutEvents", awsapi.ARN("events", "event-bus/milepost-events")),
			denial(functions["resumeworkflow"], "states:StartExecution", awsapi.ARN("states", "stateMachine:milepost-quote")))...)
	})
}

func assertDenied(t *testing.T, what string, err error, action string) {
	t.Helper()
	denied, ok := errors.AsType[smithy.APIError](err)
	if !ok || denied.ErrorCode() != "AccessDeniedException" || !strings.Contains(denied.ErrorMessage(), "is not authorized to perform: "+action) {
		t.Errorf("%s: error=%v, want AccessDeniedException for %s", what, err, action)
	}
}

func TestNoRoleMayChangeTheLog(t *testing.T) {
	t.Parallel()
	tmpl := stacktest.Template(t)
	roles := tmpl.OfType("AWS::IAM::Role")
	functions, machines := len(tmpl.OfType("AWS::Lambda::Function")), len(tmpl.OfType("AWS::StepFunctions::StateMachine"))
	if len(roles) != functions+machines {
		t.Errorf("%d roles, want one for each of %d functions and %d state machines", len(roles), functions, machines)
	}
	log := awsapi.ARN("dynamodb", "table/"+eventsTable)
	var appenders []string
	for _, r := range roles {
		role := mustRole(t, r)
		for _, action := range []string{"UpdateItem", "DeleteItem", "BatchWriteItem", "PartiQLInsert", "PartiQLUpdate", "PartiQLDelete",
			"DeleteTable", "UpdateTable", "UpdateTimeToLive", "RestoreTableToPointInTime", "ImportTable"} {
			for _, resource := range []string{log, log + "/index/by-time"} {
				if role.Authorize("dynamodb:"+action, resource) == nil {
					t.Errorf("%s allows dynamodb:%s on %s", r.LogicalID, action, resource)
				}
			}
		}
		if role.Authorize("dynamodb:PutItem", log) == nil {
			appenders = append(appenders, strings.ToLower(strings.TrimSuffix(r.LogicalID, "FunctionRole")))
		}
	}
	slices.Sort(appenders)
	if want := appendingFunctions(t); !slices.Equal(appenders, want) {
		t.Errorf("the roles of %q may append, and the code of %q does", appenders, want)
	}
}

// appendingFunctions are those that append events as docs/events.md has it, which is made from the code.
func appendingFunctions(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../docs/events.md")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, row := range regexp.MustCompile(`(?m)^\| \[[^|]*\| ([^|]*) \|`).FindAllStringSubmatch(string(text), -1) {
		for _, name := range regexp.MustCompile("`([a-z]+)`").FindAllStringSubmatch(row[1], -1) { // the command line has no role
			found[name[1]] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// mustRole makes a session of a role of the template.
func mustRole(t *testing.T, r *template.Resource) *iam.Role {
	t.Helper()
	var in struct {
		RoleName, Description, Path string
		AssumeRolePolicyDocument    any
		ManagedPolicyArns           []string
		Policies                    []struct {
			PolicyName     string
			PolicyDocument json.RawMessage
		}
		MaxSessionDuration int
		Tags               any
	}
	if err := r.Decode(&in); err != nil {
		t.Fatal(err)
	}
	var policies []*iam.Policy
	for _, arn := range in.ManagedPolicyArns {
		p, err := iam.ManagedPolicy(arn)
		if err != nil {
			t.Fatal(err)
		}
		policies = append(policies, p)
	}
	for _, inline := range in.Policies {
		p, err := iam.ParsePolicy(inline.PolicyName, inline.PolicyDocument)
		if err != nil {
			t.Fatal(err)
		}
		policies = append(policies, p)
	}
	return iam.NewRole(r.ARN, "test", policies...)
}
