package differential

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"milepost/local/awsapi"
	"milepost/local/dynamodb"
)

// perRound is how many requests are sent to one set of tables.
const perRound = 100

// ours answers as a server of the local runtime does.
type ours struct{ service *dynamodb.Service }

func (o ours) call(operation string, body []byte) (*answer, error) {
	got, err := o.service.Call(context.Background(), operation, body)
	if err != nil {
		e := awsapi.AsError(err)
		fault := map[string]any{"__type": e.Code, "message": e.Message}
		maps.Copy(fault, e.Fields)
		text, err := json.Marshal(fault)
		if err != nil {
			return nil, err
		}
		return parseAnswer(e.StatusCode(), text)
	}
	text, err := json.Marshal(got)
	if err != nil {
		return nil, err
	}
	return parseAnswer(200, text)
}

// TestDifferential sends the same requests to this DynamoDB and to Amazon's DynamoDB Local and compares what they
// answer. A difference is named with its seed and the number of the request, and ends its round, because the tables
// differ from then on. known lists the differences in which this one is right.
func TestDifferential(t *testing.T) {
	folder := os.Getenv("DYNAMODB_LOCAL")
	if folder == "" {
		t.Skip("DYNAMODB_LOCAL names no folder with Amazon's DynamoDB Local; make differential installs it and runs this test")
	}
	if jars, err := filepath.Glob(filepath.Join(folder, "DynamoDBLocal-*.jar")); err != nil || len(jars) == 0 {
		t.Fatalf("%s has no DynamoDB Local (%v)", folder, err)
	}
	requests, seed := number(t, "DIFFERENTIAL_REQUESTS", 10_000), number(t, "DIFFERENTIAL_SEED", 1)
	service, err := dynamodb.New(dynamodb.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(service.Close)
	c := &comparison{t: t, ours: ours{service}, amazons: startAmazons(t, folder), known: map[string]int{}, differences: map[string]int{}}
	for ; c.sent < requests; seed++ {
		c.round(uint64(seed), min(perRound, requests-c.sent))
	}
	t.Logf("%d requests, %d of them refused by both; %d differences", c.sent, c.refused, len(c.differences))
	for why, n := range sorted(c.known) {
		t.Logf("%d times: %s", n, why)
	}
	for what, n := range sorted(c.differences) {
		t.Logf("DIFFERENCE %d times: %s", n, what)
	}
}

func number(t *testing.T, variable string, otherwise int) int {
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return n
}

// comparison is a run over many rounds.
type comparison struct {
	t             *testing.T
	ours          ours
	amazons       *amazons
	sent, refused int
	known         map[string]int // by reason
	differences   map[string]int
}

// round makes tables and sends requests until they are done or one is answered differently.
func (c *comparison) round(seed uint64, requests int) {
	g := newGenerator(seed)
	defer func() {
		for _, table := range g.tables {
			c.both(request{"DeleteTable", object{"TableName": table.name}})
		}
		for _, name := range []string{"other-1", "other-2", "other-3"} {
			c.both(request{"DeleteTable", object{"TableName": name}})
		}
	}()
	for _, r := range g.create() {
		if mine, theirs, _ := c.both(r); mine.code != "" || theirs.code != "" {
			c.t.Fatalf("seed %d: CreateTable: ours %v, theirs %v", seed, mine, theirs)
		}
	}
	for i := range requests {
		r := g.next()
		mine, theirs, text := c.both(r)
		c.sent++
		what := difference(r, mine, theirs)
		if what == "" {
			if mine.code != "" {
				c.refused++
			}
			continue
		}
		if why := c.knownBy(r, mine, theirs); why != "" {
			c.known[why]++
			if !r.reads() {
				return // DynamoDB Local may have written before it refused
			}
			continue
		}
		c.differences[what]++
		if c.differences[what] <= 3 {
			c.t.Errorf("seed %d, request %d: %s\n  %s\n  ours:   %v\n  theirs: %v", seed, i, r.operation+": "+what, shortened(text), mine, theirs)
		}
		if !r.reads() {
			return
		}
	}
}

func (c *comparison) both(r request) (mine, theirs *answer, text []byte) {
	text, err := json.Marshal(r.body)
	if err != nil {
		c.t.Fatal(err)
	}
	if mine, err = c.ours.call(r.operation, text); err != nil {
		c.t.Fatalf("ours: %s %s: %v", r.operation, shortened(text), err)
	}
	if theirs, err = c.amazons.call(r.operation, text); err != nil {
		c.t.Fatalf("DynamoDB Local: %s %s: %v", r.operation, shortened(text), err)
	}
	return mine, theirs, text
}

func (c *comparison) knownBy(r request, mine, theirs *answer) string {
	for _, k := range known {
		if k.is(r, mine, theirs) {
			return k.why
		}
	}
	return ""
}

func shortened(text []byte) string {
	const most = 1500
	if len(text) <= most {
		return string(text)
	}
	return fmt.Sprintf("%s … (%d bytes)", text[:most], len(text))
}
