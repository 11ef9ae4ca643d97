package console

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"milepost/internal/page"
)

// decisionsView is what IAM decided about calls, the newest first.
type decisionsView struct {
	// Function, Action and Outcome are the filters, "" for all.
	Function, Action, Outcome string
	Denied, Allowed           []decision
	// Many is set if there are more.
	Many     bool
	Commands []string
}

// decision is about one call.
type decision struct {
	At time.Time
	// Caller is the session of a role, which for a function is its name, a service, or "root".
	Caller, Action, Resource string
	// Why is the statement that decided, in words.
	Why   string
	Trace string
	// Function is set if the caller is one of the stack's.
	Function bool
	denied   bool
}

// Its bounds. An account answers two lookups a second.
const (
	decisionsShown     = 100
	lookupsOfAll       = 60
	lookupsOfAnAccount = 2
)

// decisions shows the newest.
func (c *Console) decisions(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	v := &decisionsView{Function: strings.TrimSpace(q.Get("function")), Action: strings.TrimSpace(q.Get("action")), Outcome: q.Get("outcome")}
	if v.Outcome != "" && v.Outcome != "denied" && v.Outcome != "allowed" {
		return &refusal{http.StatusBadRequest, "There is no such outcome", "A call is allowed or denied."}
	}
	in := &cloudtrail.LookupEventsInput{}
	words := []string{"cloudtrail", "lookup-events"}
	by := func(key types.LookupAttributeKey, value string) { // a lookup has one attribute
		if value != "" && in.LookupAttributes == nil {
			in.LookupAttributes = []types.LookupAttribute{{AttributeKey: key, AttributeValue: &value}}
			words = append(words, "--lookup-attributes", "AttributeKey="+string(key)+",AttributeValue="+value)
		}
	}
	by(types.LookupAttributeKeyUsername, v.Function)
	v.Commands = []string{c.command(words...)}
	functions := map[string]bool{}
	for _, kind := range []string{"AWS::Lambda::Function", "AWS::Serverless::Function"} {
		found, err := c.resource.of(r.Context(), kind)
		if err != nil {
			return err
		}
		for _, f := range found {
			functions[f.Physical] = true
		}
	}
	if err := c.lookUp(r, v, in, functions); err != nil {
		return err
	}
	return c.render(w, r, http.StatusOK, "decisions.html", page.Frame{Title: "Decisions, " + plural(len(v.Denied), "denial"), Live: []string{"page"}}, v)
}

// lookUp reads events until enough are found. Unless they are asked for, calls of a local account itself are left out:
// those are this console's own.
func (c *Console) lookUp(r *http.Request, v *decisionsView, in *cloudtrail.LookupEventsInput, functions map[string]bool) error {
	most := lookupsOfAll
	if c.Real {
		most = lookupsOfAnAccount
	}
	pages := cloudtrail.NewLookupEventsPaginator(c.cloudTrail, in)
	for n := 0; pages.HasMorePages(); n++ {
		if n == most {
			v.Many = true
			return nil
		}
		found, err := pages.NextPage(r.Context())
		if err != nil {
			return err
		}
		for _, e := range found.Events {
			d := decisionOf(e)
			d.Function = functions[d.Caller]
			if !c.Real && d.Caller == "root" && v.Function == "" || !v.wants(d) {
				continue
			}
			switch {
			case d.denied && len(v.Denied) < decisionsShown:
				v.Denied = append(v.Denied, d)
			case !d.denied && len(v.Allowed) < decisionsShown:
				v.Allowed = append(v.Allowed, d)
			default:
				v.Many = true
			}
		}
	}
	return nil
}

// wants reports whether a decision is as the filters say. An action is compared with its service, or without it.
func (v *decisionsView) wants(d decision) bool {
	_, name, _ := strings.Cut(d.Action, ":")
	return (v.Action == "" || strings.EqualFold(v.Action, d.Action) || strings.EqualFold(v.Action, name)) &&
		(v.Function == "" || v.Function == d.Caller) && (v.Outcome == "" || (v.Outcome == "denied") == d.denied)
}

func decisionOf(e types.Event) decision {
	service, _, _ := strings.Cut(aws.ToString(e.EventSource), ".")
	d := decision{At: aws.ToTime(e.EventTime), Caller: aws.ToString(e.Username), Action: service + ":" + aws.ToString(e.EventName)}
	if len(e.Resources) > 0 {
		d.Resource = aws.ToString(e.Resources[0].ResourceName)
	}
	var text struct {
		ErrorCode           string
		UserIdentity        struct{ InvokedBy string }
		AdditionalEventData struct {
			Decision, TraceID string
			Statement         *struct {
				Kind, Policy, Sid string
				Index             int
			}
		}
	}
	if json.Unmarshal([]byte(aws.ToString(e.CloudTrailEvent)), &text) != nil {
		return d // its own words are missing, and what CloudTrail says beside them is shown
	}
	more := text.AdditionalEventData
	d.denied = strings.HasPrefix(text.ErrorCode, "AccessDenied") || strings.HasSuffix(text.ErrorCode, "UnauthorizedOperation")
	d.Trace = more.TraceID
	if d.Caller == "" {
		d.Caller = text.UserIdentity.InvokedBy
	}
	switch by := more.Statement; {
	case by != nil:
		d.Why = "policy " + tail(by.Policy)
		if by.Kind == "resource-based" {
			d.Why = "the resource's own policy"
		}
		d.Why += ", statement " + cmp.Or(by.Sid, strconv.Itoa(by.Index))
		if d.denied {
			d.Why = "forbidden: " + d.Why
		}
	case more.Decision == "implicitDeny":
		d.Why = "no statement allows it"
	case more.Decision == "allowed":
		d.Why = "the account itself may do everything"
	}
	return d
}
