package xray_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/xray"
	"github.com/aws/aws-sdk-go-v2/service/xray/types"

	"milepost/local/awsapi"
	"milepost/local/storage"
	"milepost/local/xray"
)

func TestGroupsSelectTraces(t *testing.T) {
	t.Parallel()
	s := newService(t, xray.Config{})
	c := newClient(s)
	from := time.Now()
	until := from.Add(time.Minute)
	tell(s, "q-1", false)
	failed := tell(s, "q-2", true)
	made, err := c.CreateGroup(t.Context(), &sdk.CreateGroupInput{GroupName: aws.String("failed"), FilterExpression: aws.String("fault")})
	if err != nil {
		t.Fatal(err)
	}
	arn := made.Group.GroupARN
	if !strings.HasPrefix(aws.ToString(arn), "arn:aws:xray:us-east-1:000000000000:group/failed/") || aws.ToString(made.Group.FilterExpression) != "fault" ||
		made.Group.InsightsConfiguration == nil || aws.ToBool(made.Group.InsightsConfiguration.InsightsEnabled) {
		t.Errorf("made %+v", made.Group)
	}
	for _, in := range []*sdk.GetServiceGraphInput{{GroupName: aws.String("failed")}, {GroupARN: arn}, {}, {GroupName: aws.String("Default")}} {
		in.StartTime, in.EndTime = &from, &until
		graph, err := c.GetServiceGraph(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		want := int64(2)
		if aws.ToString(in.GroupName) == "failed" || in.GroupARN != nil {
			want = 1
		}
		i := slices.IndexFunc(graph.Services, func(n types.Service) bool { return aws.ToString(n.Name) == "submit" })
		if i < 0 || aws.ToInt64(graph.Services[i].SummaryStatistics.TotalCount) != want {
			t.Errorf("group %s: %+v, want %d calls of submit", aws.ToString(in.GroupName), graph.Services, want)
		}
	}
	for _, expression := range []string{`group.name = "failed"`, `group.arn = "` + aws.ToString(arn) + `" AND service("submit")`} {
		out, err := c.GetTraceSummaries(t.Context(), &sdk.GetTraceSummariesInput{StartTime: &from, EndTime: &until, FilterExpression: &expression})
		if err != nil || len(out.TraceSummaries) != 1 || aws.ToString(out.TraceSummaries[0].Id) != failed {
			t.Errorf("%s: %+v, %v", expression, out, err)
		}
	}
	changed, err := c.UpdateGroup(t.Context(), &sdk.UpdateGroupInput{GroupARN: arn, FilterExpression: aws.String(`duration > 100`)})
	if err != nil || aws.ToString(changed.Group.GroupARN) != aws.ToString(arn) {
		t.Errorf("changed %+v, %v", changed, err)
	}
	graph, err := c.GetServiceGraph(t.Context(), &sdk.GetServiceGraphInput{StartTime: &from, EndTime: &until, GroupName: aws.String("failed")})
	if err != nil || len(graph.Services) != 0 {
		t.Errorf("%+v, %v", graph, err)
	}
	if _, err := c.DeleteGroup(t.Context(), &sdk.DeleteGroupInput{GroupName: aws.String("failed")}); err != nil {
		t.Error(err)
	}
	all, err := c.GetGroups(t.Context(), &sdk.GetGroupsInput{})
	if err != nil || len(all.Groups) != 1 {
		t.Errorf("after the deletion %+v, %v", all, err)
	}
}

func TestGroupsThatAreRefused(t *testing.T) {
	t.Parallel()
	c := newClient(newService(t, xray.Config{}))
	create := func(in *sdk.CreateGroupInput) error {
		_, err := c.CreateGroup(t.Context(), in)
		return err
	}
	slow := aws.String("slow")
	if err := create(&sdk.CreateGroupInput{GroupName: slow, FilterExpression: aws.String("duration > 5")}); err != nil {
		t.Fatal(err)
	}
	for what, in := range map[string]*sdk.CreateGroupInput{
		"already exists":        {GroupName: slow},
		"exists":                {GroupName: aws.String("Default")},
		"1 to 32":               {GroupName: aws.String(strings.Repeat("é", 33))},
		"not a keyword":         {GroupName: aws.String("g"), FilterExpression: aws.String(`"a"`)},
		`"group.name"`:          {GroupName: aws.String("g"), FilterExpression: aws.String(`group.name = "slow"`)},
		"support insights":      {GroupName: aws.String("g"), InsightsConfiguration: &types.InsightsConfiguration{InsightsEnabled: aws.Bool(true)}},
		"tags of X-Ray's group": {GroupName: aws.String("g"), Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}},
	} {
		if err := create(in); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%+v: error %v, want %s", in, err, what)
		}
	}
	_, update := c.UpdateGroup(t.Context(), &sdk.UpdateGroupInput{GroupName: aws.String("Default"), FilterExpression: aws.String("ok")})
	_, expression := c.UpdateGroup(t.Context(), &sdk.UpdateGroupInput{GroupName: slow, FilterExpression: aws.String("(")})
	_, remove := c.DeleteGroup(t.Context(), &sdk.DeleteGroupInput{GroupName: aws.String("Default")})
	_, absent := c.DeleteGroup(t.Context(), &sdk.DeleteGroupInput{GroupName: aws.String("absent")})
	for _, err := range []error{update, expression, remove, absent} {
		if _, ok := errors.AsType[*types.InvalidRequestException](err); !ok {
			t.Errorf("error %v", err)
		}
	}
	for i := range 24 {
		if err := create(&sdk.CreateGroupInput{GroupName: aws.String(fmt.Sprint("g", i))}); err != nil {
			t.Fatal(err)
		}
	}
	if err := create(&sdk.CreateGroupInput{GroupName: aws.String("g")}); err == nil || !strings.Contains(err.Error(), "at most 25") {
		t.Errorf("the 26th group: %v", err)
	}
}

// asking denies everything, and keeps what it was asked.
type asking struct{ asked *[]string }

func (a asking) Authorize(action, resource string) error {
	*a.asked = append(*a.asked, action+" "+resource)
	return awsapi.Errorf("AccessDeniedException", "not authorized")
}

func TestIAMDecidesAboutEachGroup(t *testing.T) {
	t.Parallel()
	s := newService(t, xray.Config{})
	if _, err := newClient(s).CreateGroup(t.Context(), &sdk.CreateGroupInput{GroupName: aws.String("slow")}); err != nil {
		t.Fatal(err)
	}
	server := awsapi.NewServer()
	for _, path := range xray.Paths() {
		server.HandleREST(path, s)
	}
	var asked []string
	c := sdk.NewFromConfig(aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String("http://local"), Credentials: aws.AnonymousCredentials{}, RetryMaxAttempts: 1,
		HTTPClient: &awsapi.Transport{Server: server, Caller: &awsapi.Caller{ARN: "arn:aws:sts::000000000000:assumed-role/r/f", Policy: asking{&asked}}},
	})
	_, create := c.CreateGroup(t.Context(), &sdk.CreateGroupInput{GroupName: aws.String("other")})
	_, get := c.GetGroup(t.Context(), &sdk.GetGroupInput{GroupName: aws.String("slow")})
	_, remove := c.DeleteGroup(t.Context(), &sdk.DeleteGroupInput{GroupARN: aws.String("arn:aws:xray:us-east-1:000000000000:group/a/B")})
	for _, err := range []error{create, get, remove} {
		if err == nil || !strings.Contains(err.Error(), "not authorized") {
			t.Errorf("error %v", err)
		}
	}
	if len(asked) != 3 || asked[0] != "xray:CreateGroup arn:aws:xray:us-east-1:000000000000:group/other/*" ||
		!strings.HasPrefix(asked[1], "xray:GetGroup arn:aws:xray:us-east-1:000000000000:group/slow/") || strings.HasSuffix(asked[1], "*") ||
		asked[2] != "xray:DeleteGroup arn:aws:xray:us-east-1:000000000000:group/a/B" {
		t.Errorf("asked %q", asked)
	}
}

func TestGroupsSurviveARestart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state")
	for run := range 3 {
		store, err := storage.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		s, err := xray.New(xray.Config{Store: store})
		if err != nil {
			t.Fatal(err)
		}
		c := newClient(s)
		all, err := c.GetGroups(t.Context(), &sdk.GetGroupsInput{})
		if err != nil || len(all.Groups) != []int{1, 2, 1}[run] {
			t.Errorf("run %d: %+v, %v", run, all, err)
		}
		switch run {
		case 0:
			_, err = c.CreateGroup(t.Context(), &sdk.CreateGroupInput{GroupName: aws.String("slow")})
		case 1:
			_, err = c.DeleteGroup(t.Context(), &sdk.DeleteGroupInput{GroupName: aws.String("slow")})
		}
		if err := errors.Join(err, s.Close(), store.Close()); err != nil {
			t.Fatal(err)
		}
	}
}
