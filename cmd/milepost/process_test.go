package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"milepost/domain/civil"
	"milepost/domain/quote"
	"milepost/system"
)

// asProgram makes this test's binary the milepost program, so that the tests below have a real process
// of exactly the code that they were built with.
const asProgram = "MILEPOST_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

// patience is how long a test waits for what takes a moment, on a machine that has much else to do.
const patience = time.Minute

// program is a command line in its own process, which is killed when ctx ends.
func program(ctx context.Context, t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	return cmd
}

// result is how a command line ended.
type result struct {
	status   int
	out, err string
}

// mustEnd runs a command line to its end.
func mustEnd(t *testing.T, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := program(ctx, t, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		if _, ok := errors.AsType[*exec.ExitError](err); !ok {
			t.Fatal(err)
		}
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// served is a running milepost run, with what it printed at start.
type served struct {
	t                      *testing.T
	cmd                    *exec.Cmd
	greeting               string
	api, aws, bureau, xray string
	token                  string
	log                    *record
	ended                  chan struct{} // closed when the process has ended
}

// record collects what a process writes.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// anyPorts lets the system choose, and freePorts has this system's template take any number of quotes, too.
var (
	anyPorts  = []string{"--api=127.0.0.1:0", "--aws=127.0.0.1:0", "--bureau=127.0.0.1:0", "--xray=127.0.0.1:0", "--console=127.0.0.1:0"}
	freePorts = slices.Concat(anyPorts, []string{"--param=QuotesPerDay=0"})
)

// samePorts are those of an earlier run.
func (s *served) samePorts() []string {
	return []string{"--api=" + s.api, "--aws=" + s.aws, "--bureau=" + s.bureau, "--xray=" + s.xray, "--console=127.0.0.1:0", "--param=QuotesPerDay=0"}
}

// mustServe starts a milepost run and reads its greeting. It is killed when the test ends.
func mustServe(t *testing.T, args ...string) *served {
	t.Helper()
	if testing.Short() {
		t.Skip("it starts processes")
	}
	s := &served{t: t, log: &record{}, ended: make(chan struct{})}
	s.cmd = program(t.Context(), t, append([]string{"run", "--details", "--template=../../template.yaml"}, args...)...)
	s.cmd.Stderr = s.log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill() // unless the test has ended it
		<-s.ended
		if t.Failed() {
			t.Logf("%s\n%s", s.cmd, s.log)
		}
	})
	lines := bufio.NewReader(out)
	for err == nil && !strings.Contains(s.greeting, "Ctrl-C stops it.") {
		var line string
		line, err = lines.ReadString('\n')
		s.greeting += line
	}
	go func() {
		_, _ = io.Copy(s.log, lines) // until the process ends
		_ = s.cmd.Wait()             // the tests look at the state
		close(s.ended)
	}()
	if err != nil {
		t.Fatalf("no greeting: %v\n%s", err, s.greeting)
	}
	for _, found := range regexp.MustCompile(`(?m)^(API|AWS|Bureau) +http://(\S+)|^(X-Ray) +(\S+),|^ +(TOKEN)=(\S+)$`).FindAllStringSubmatch(s.greeting, -1) {
		found = slices.DeleteFunc(found[1:], func(s string) bool { return s == "" })
		*map[string]*string{"API": &s.api, "AWS": &s.aws, "Bureau": &s.bureau, "X-Ray": &s.xray, "TOKEN": &s.token}[found[0]] = found[1]
	}
	return s
}

func (s *served) signal(sig os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// mustEnd waits for the end of the process.
func (s *served) mustEnd() *os.ProcessState {
	s.t.Helper()
	select {
	case <-s.ended:
	case <-time.After(patience):
		s.t.Fatalf("the process is still running after %v", patience)
	}
	return s.cmd.ProcessState
}

// mustStop interrupts the process, which then ends well.
func (s *served) mustStop() {
	s.t.Helper()
	s.signal(os.Interrupt)
	if state := s.mustEnd(); state.ExitCode() != 0 {
		s.t.Fatalf("it ended with %v, want exit status 0", state)
	}
}

// mustKill ends the process as a power switch would.
func (s *served) mustKill() {
	s.t.Helper()
	s.signal(syscall.SIGKILL)
	if state := s.mustEnd(); state.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		s.t.Fatalf("it ended with %v before it was killed", state)
	}
}

// submit sends the example of today under an idempotency key.
func (s *served) submit(client *http.Client, key string) (string, error) {
	return s.send(client, s.token, key, system.Example(civil.DateOf(time.Now().UTC())))
}

// send sends a quote request and returns the quote's id if it is accepted, and otherwise the answer as an error that
// begins with its status. The key may be "".
func (s *served) send(client *http.Client, token, key, body string) (string, error) {
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, "http://"+s.api+"/quotes", strings.NewReader(body))
	if err != nil {
		return "", err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	answer, err := client.Do(r)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return "", err
	}
	if answer.StatusCode != http.StatusAccepted {
		return "", fmt.Errorf("%s %s", answer.Status, text)
	}
	var accepted struct{ QuoteID string }
	err = json.Unmarshal(text, &accepted)
	return accepted.QuoteID, err
}

func (s *served) mustSubmit(key string) string {
	s.t.Helper()
	id, err := s.submit(http.DefaultClient, key)
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

// status is the status of a quote in the API, "" while it is unknown there.
func (s *served) status(token, id string) string {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://"+s.api+"/quotes/"+id, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusNotFound {
		return ""
	}
	if answer.StatusCode != http.StatusOK {
		s.t.Fatalf("read %s: %s", id, answer.Status)
	}
	var q struct{ Status, TotalPremium string }
	if err := json.NewDecoder(answer.Body).Decode(&q); err != nil {
		s.t.Fatal(err)
	}
	if q.Status == "QUOTED" && q.TotalPremium != "486.00" {
		s.t.Errorf("quote %s costs %s, want 486.00", id, q.TotalPremium)
	}
	return q.Status
}

// awaitQuoted waits until quotes have reached their end.
func (s *served) awaitQuoted(ids ...string) {
	s.t.Helper()
	deadline := time.Now().Add(patience)
	for _, id := range ids {
		for s.status(s.token, id) != "QUOTED" {
			if time.Now().After(deadline) {
				s.t.Fatalf("quote %s is %q after %v", id, s.status(s.token, id), patience)
			}
			time.Sleep(5 * time.Millisecond) // another process: there is nothing to wait on
		}
	}
}

// config makes SDK clients of the AWS endpoint.
func (s *served) config() aws.Config {
	return aws.Config{
		Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
		BaseEndpoint: aws.String("http://" + s.aws),
	}
}

// events returns the types of all events in the log by stream, in their order. Versions have no gaps.
func (s *served) events() map[string][]string {
	s.t.Helper()
	streams := map[string][]string{}
	for pages := dynamodb.NewScanPaginator(dynamodb.NewFromConfig(s.config()), &dynamodb.ScanInput{TableName: aws.String("milepost-events")}); pages.HasMorePages(); {
		page, err := pages.NextPage(s.t.Context())
		if err != nil {
			s.t.Fatal(err)
		}
		for _, item := range page.Items { // of one stream in the order of their versions
			stream := item["streamId"].(*types.AttributeValueMemberS).Value
			streams[stream] = append(streams[stream], item["eventType"].(*types.AttributeValueMemberS).Value)
			if got, want := item["version"].(*types.AttributeValueMemberN).Value, strconv.Itoa(len(streams[stream])); got != want {
				s.t.Errorf("%s: version %s, want %s", stream, got, want)
			}
		}
	}
	return streams
}

// assertSound checks that the log has exactly these quotes, each with one request, one answer of each
// party and one outcome; that each had one workflow, which succeeded; and that nothing was given up.
func (s *served) assertSound(ids ...string) {
	s.t.Helper()
	streams := s.events()
	if len(streams) != len(ids) {
		s.t.Errorf("%d quotes in the log, want %d", len(streams), len(ids))
	}
	want := []string{quote.TypeAccidentHistoryRetrieved, quote.TypeQuoteOffered, quote.TypeQuoteRequested, quote.TypeVehiclesIdentified}
	for _, id := range ids {
		got := slices.Sorted(slices.Values(streams["quote-"+id]))
		if !slices.Equal(got, want) {
			s.t.Errorf("quote %s has %v, want %v", id, got, want)
		}
	}
	executions := s.executions()
	for deadline := time.Now().Add(patience); executions["RUNNING"] > 0 && time.Now().Before(deadline); executions = s.executions() {
		time.Sleep(5 * time.Millisecond) // a workflow ends a moment after its outcome can be read
	}
	if got, want := fmt.Sprint(executions), fmt.Sprintf("map[SUCCEEDED:%d]", len(ids)); got != want {
		s.t.Errorf("workflows: %s, want %s", got, want)
	}
	queues := sqs.NewFromConfig(s.config())
	for _, name := range []string{"stream-failures", "undelivered-events", "failed-invocations"} {
		out, err := queues.ReceiveMessage(s.t.Context(), &sqs.ReceiveMessageInput{
			QueueUrl: aws.String("http://" + s.aws + "/000000000000/milepost-" + name), MaxNumberOfMessages: 10,
		})
		if err != nil {
			s.t.Fatal(err)
		}
		for _, m := range out.Messages {
			s.t.Errorf("%s has %s", name, *m.Body)
		}
	}
}

// executions counts the executions of the workflow by status.
func (s *served) executions() map[string]int {
	s.t.Helper()
	count := map[string]int{}
	for pages := sfn.NewListExecutionsPaginator(sfn.NewFromConfig(s.config()), &sfn.ListExecutionsInput{
		StateMachineArn: aws.String("arn:aws:states:us-east-1:000000000000:stateMachine:milepost-quote"),
	}); pages.HasMorePages(); {
		page, err := pages.NextPage(s.t.Context())
		if err != nil {
			s.t.Fatal(err)
		}
		for _, e := range page.Executions {
			count[string(e.Status)]++
		}
	}
	return count
}

// dataDir is a data directory that is not there yet.
func dataDir(t *testing.T) string { return filepath.Join(t.TempDir(), "data") }
