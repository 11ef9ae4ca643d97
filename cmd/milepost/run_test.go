package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

func TestFreePortsAreFilledInEverywhere(t *testing.T) {
	t.Parallel()
	s := mustServe(t, append(freePorts, "--memory")...)
	if strings.Contains(s.greeting, ":0/") || strings.Contains(s.greeting, ":0 ") || strings.Contains(s.greeting, ":0\n") {
		t.Errorf("the greeting has port 0:\n%s", s.greeting)
	}
	queues, err := sqs.NewFromConfig(s.config()).ListQueues(t.Context(), &sqs.ListQueuesInput{})
	if err != nil {
		t.Fatal(err)
	}
	for _, url := range queues.QueueUrls {
		if !strings.HasPrefix(url, "http://"+s.aws+"/") {
			t.Errorf("queue %s is not below http://%s", url, s.aws)
		}
	}
	if len(queues.QueueUrls) != 3 {
		t.Errorf("queues %v, want 3", queues.QueueUrls)
	}
	answer, err := http.Get("http://" + s.aws + "/issuer/.well-known/openid-configuration")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var document bytes.Buffer
	if _, err := document.ReadFrom(answer.Body); err != nil || !strings.Contains(document.String(), `"issuer":"http://`+s.aws+`/issuer"`) {
		t.Errorf("the issuer says %s, %v", &document, err)
	}
	s.awaitQuoted(s.mustSubmit("one")) // which takes the token, and the bureau
}

func TestTheGreetingsCommandWorks(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"--memory", "--data=" + dataDir(t)} {
		s := mustServe(t, append(freePorts, where)...)
		command := regexp.MustCompile(`(?m)^  curl -i -X POST http://(\S+)/quotes .* -d (@\S+|'.*')$`).FindStringSubmatch(s.greeting)
		if command == nil || command[1] != s.api {
			t.Fatalf("no command for %s in\n%s", s.api, s.greeting)
		}
		body := strings.Trim(command[2], "'")
		if file, ok := strings.CutPrefix(command[2], "@"); ok {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			body = string(text)
		}
		id, err := s.send(http.DefaultClient, s.token, "greeting", body)
		if err != nil {
			t.Fatal(err)
		}
		s.awaitQuoted(id)
	}
}

func TestATokenOfTheCommandOpensTheAPI(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	s := mustServe(t, append(freePorts, "--data", data)...)
	id := s.mustSubmit("of-ada")
	s.awaitQuoted(id)
	token := func(args ...string) string {
		t.Helper()
		made := mustEnd(t, append([]string{"token", "--aws", s.aws}, args...)...)
		if made.status != 0 || made.err != "" || strings.Count(made.out, "\n") != 1 {
			t.Fatalf("token: %+v", made)
		}
		return strings.TrimSpace(made.out)
	}
	if got := s.status(token(), id); got != "QUOTED" {
		t.Errorf("her quote is %q to ada", got)
	}
	if got := s.status(token("--subject=grace"), id); got != "" {
		t.Errorf("ada's quote is %q to grace, want none", got)
	}
	if got := s.status(token("--subject=eve", "--scope=staff"), id); got != "QUOTED" {
		t.Errorf("ada's quote is %q to an employee", got)
	}
	example := mustEnd(t, "example")
	grace, err := s.send(http.DefaultClient, token("--subject=grace"), "of-grace", example.out)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.status(s.token, grace); got != "" {
		t.Errorf("grace's quote is %q to ada, want none", got)
	}
	if _, err := s.send(http.DefaultClient, token("--ttl=-1h"), "late", example.out); err == nil || !strings.HasPrefix(err.Error(), "401") {
		t.Errorf("an expired token: %v, want 401", err)
	}
}

// TestScopesOfTokens: each scope that the API knows can be requested, and none comes unrequested.
func TestScopesOfTokens(t *testing.T) {
	t.Parallel()
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/jwt")
		_, _ = io.WriteString(w, r.FormValue("scope"))
	}))
	defer issuer.Close()
	for flag, want := range map[string]string{"quotes": "quotes", "staff": "staff", "staff,senior": "staff senior"} {
		out, errs, status := runMilepost(t, "", "token", "--scope", flag, "--aws", strings.TrimPrefix(issuer.URL, "http://"))
		if status != 0 || strings.TrimSpace(out) != want {
			t.Errorf("%s: status %d, %s%s, want %s", flag, status, out, errs, want)
		}
	}
}

func TestNoTokenForWhatTheAPIRefuses(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--scope=admin"}, {"--subject="}, {"--ttl=soon"}} {
		out, errs, status := runMilepost(t, "", append([]string{"token"}, args...)...)
		if status != 2 || out != "" || strings.Count(errs, "\n") != 1 {
			t.Errorf("%v: status %d, %s%s", args, status, out, errs)
		}
	}
}

// TestATokenIsOfTheRunningIssuer: without a running system there is no token, but advice.
func TestATokenIsOfTheRunningIssuer(t *testing.T) {
	t.Parallel()
	nobody := httptest.NewServer(nil)
	nobody.Close()
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	for address, says := range map[string]string{nobody.URL: "start a system with milepost run", other.URL: "not the issuer of milepost run (404"} {
		out, errs, status := runMilepost(t, "", "token", "--aws", strings.TrimPrefix(address, "http://"))
		if status != 1 || out != "" || !strings.Contains(errs, says) {
			t.Errorf("status %d, %s%s, want 1 and %q", status, out, errs, says)
		}
	}
}

func TestMemoryKeepsNothing(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	s := mustServe(t, append(freePorts, "--memory", "--data", data)...)
	if !strings.Contains(s.greeting, "\nData     in memory, gone at the end\n") {
		t.Errorf("the greeting does not say where the data is:\n%s", s.greeting)
	}
	id := s.mustSubmit("one")
	s.awaitQuoted(id)
	s.assertSound(id)
	s.mustStop()
	if _, err := os.Stat(data); !os.IsNotExist(err) {
		t.Errorf("the data directory was made: %v", err)
	}
}

func TestPermissionsThatWereNeverUsedAreListed(t *testing.T) {
	t.Parallel()
	s := mustServe(t, append(freePorts, "--memory", "--permissions")...)
	s.awaitQuoted(s.mustSubmit("one"))
	s.mustStop()
	_, list, ok := strings.Cut(s.log.String(), "\nPermissions that were never used:\n")
	if !ok {
		t.Fatalf("there is no list in %s", s.log)
	}
	// Nobody has requested a customer's list, but all that a quote needs was done.
	if !strings.Contains(list, "QuotesFunctionRole: dynamodb:Query on arn:aws:dynamodb:") {
		t.Errorf("what was not done is not in the list:\n%s", list)
	}
	for _, done := range []string{"SubmitFunctionRole: dynamodb:PutItem", "RateFunctionRole: dynamodb:PutItem", "QuotesFunctionRole: dynamodb:GetItem on arn:aws:dynamodb:us-east-1:000000000000:table/milepost-quotes", "SubmitFunctionRole: kms:GenerateDataKey", "PublishFunctionRole: events:PutEvents",
		"StartWorkflowFunctionRole: states:StartExecution", "QuoteWorkflowRole: lambda:InvokeFunction on arn:aws:lambda:us-east-1:000000000000:function:milepost-RateFunction"} {
		if strings.Contains(list, done) {
			t.Errorf("%s is in the list:\n%s", done, list)
		}
	}
}

func TestAPageOfAnotherNameIsRefused(t *testing.T) {
	t.Parallel()
	s := mustServe(t, append(freePorts, "--memory")...)
	for _, address := range []string{s.api, s.aws, s.bureau} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "evil.example"
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusMisdirectedRequest {
			t.Errorf("%s under the name evil.example: %s, want 421", address, answer.Status)
		}
	}
}

// TestLogsTellNoSecrets submits requests that are quoted, refused and fail on their way, and looks for their personal
// data in the log lines about them.
func TestLogsTellNoSecrets(t *testing.T) {
	t.Parallel()
	s := mustServe(t, append(freePorts, "--memory", "-v", "--trace-all")...)
	s.assertSilent()
}

// assertSilent makes requests, and checks that no personal data of theirs gets into the log.
func (s *served) assertSilent() {
	s.t.Helper()
	example := mustEnd(s.t, "example").out
	personal := []string{"Zebedee", "Quackenbush", "QX7788123", "1988-11-23", "1HGCV1F33NA000101"}
	body := func(edits ...string) string {
		return strings.NewReplacer(append(edits, `"Ada"`, `"Zebedee"`, `"Example"`, `"Quackenbush"`, "RS000001", "QX7788123",
			"1988-03-10", "1988-11-23")...).Replace(example)
	}
	quoted, err := s.send(http.DefaultClient, s.token, "quoted", body())
	if err != nil {
		s.t.Fatal(err)
	}
	// The bureau fails these, each in its own way, and the VIN has a wrong check digit.
	for _, license := range []string{"DOWN0503", "GARBLED1", "INVALID1"} {
		if _, err := s.send(http.DefaultClient, s.token, license, body("RS000001", license, "1HGCV1F33NA000101", "1HGCV1F34NA000101")); err != nil {
			s.t.Fatal(err)
		}
		personal = append(personal, license)
	}
	for name, wrong := range map[string]string{
		"a state that is not offered": body(`"OH"`, `"ZZ"`),
		"a name that is not one":      body(`"Ada"`, `{"Zebedee": "Quackenbush"}`),
		"a date that is not one":      body("1988-03-10", "1988-11-23 QX7788123"),
		"no JSON":                     body(`"drivers"`, `Quackenbush`),
	} {
		if _, err := s.send(http.DefaultClient, s.token, "", wrong); err == nil || err.Error()[0] != '4' {
			s.t.Errorf("%s: %v, want that it is refused", name, err)
		}
	}
	personal = append(personal, "1HGCV1F34NA000101")
	s.awaitQuoted(quoted)
	s.mustStop()
	log := s.log.String()
	if strings.Count(log, "function=submit") < 8 && strings.Count(log, `"function":"submit"`) < 8 {
		s.t.Errorf("the invocations are not in the log:\n%s", log)
	}
	for _, secret := range personal {
		if at := strings.Index(strings.ToLower(log), strings.ToLower(secret)); at >= 0 {
			s.t.Errorf("the log has %s: %s", secret, log[max(0, at-200):min(len(log), at+100)])
		}
	}
}

func TestWrongUse(t *testing.T) {
	t.Parallel()
	template := func(resource string) string {
		path := filepath.Join(t.TempDir(), "template.yaml")
		text := "AWSTemplateFormatVersion: '2010-09-09'\nTransform: AWS::Serverless-2016-10-31\nResources:\n" + resource
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	unsupported := template(`  Things:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      KeySchema: [{AttributeName: id, KeyType: HASH}]
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      ImportSourceSpecification: {InputFormat: CSV}
`)
	const function = "  F:\n    Type: AWS::Serverless::Function\n    Properties: {CodeUri: ., Runtime: %s, Handler: %s}\n"
	foreign := template(fmt.Sprintf(function, "python3.12", "submit"))
	unknown := template(fmt.Sprintf(function, "provided.al2023", "index.handler"))
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	damagedData := func(file, content string) string {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	emptyData, cutKey := damagedData("state.db", ""), damagedData("issuer.pem", "-----BEGIN PRIVATE KEY-----\nMIIE")
	serve := append([]string{"run", "--memory", "--template=../../template.yaml"}, anyPorts...)
	for _, c := range []struct {
		name   string
		args   []string
		status int
		want   string // in the one line of the error
	}{
		{"an unknown command", []string{"rum"}, 2, `unexpected argument rum, did you mean "run"?`},
		{"an unknown flag", []string{"run", "--fast"}, 2, "unknown flag --fast"},
		{"a flag without its value", []string{"run", "--data"}, 2, "--data: expected file value"},
		{"an argument too many", []string{"token", "ada"}, 2, "unexpected argument ada"},
		{"a time to live that is not one", []string{"token", "--ttl=soon"}, 2, "--ttl"},
		{"a parameter without a value", append(serve, "--param=VinProvider"), 2, `--param: expected "<key>=<value>"`},
		{"an unknown parameter", append(serve, "--param=Vinprovider=vpic"), 1, "template.yaml:6: Parameters: the template has no parameter Vinprovider"},
		{"a value that a parameter does not allow", append(serve, "--param=VinProvider=mine"), 1, "VinProvider"},
		{"a bootstrap that is not there", append(serve, "--isolate=nowhere"), 2, "--isolate: stat"},
		{"a data file that is empty", append(append([]string{"run", "--template=../../template.yaml"}, anyPorts...), "--data="+emptyData), 1,
			filepath.Join(emptyData, "state.db") + " is damaged: it is empty; put a copy of it back"},
		{"an issuer's key that is cut off", append(append([]string{"run", "--template=../../template.yaml"}, anyPorts...), "--data="+cutKey), 1,
			filepath.Join(cutKey, "issuer.pem") + " is damaged: it holds no PEM block; put a copy of it back"},
		{"an address that is not one", append(serve, "--api=here"), 1, "choose another address with --api"},
		{"no template", append(serve, "--template=nowhere.yaml"), 1, "nowhere.yaml: no such file"},
		{"a property that is not supported", append(serve, "--template="+unsupported), 1, unsupported + ":10: Resources.Things.Properties.ImportSourceSpecification"},
		{"a function in another language", append(serve, "--template="+foreign), 1, `not of "python3.12"`},
		{"a function in another language, isolated", append(serve, "--isolate="+executable, "--template="+foreign), 1, `not of "python3.12"`},
		{"a function that is not there", append(serve, "--template="+unknown), 1, `no handler is registered under "index.handler"`},
		{"a function that is not there, isolated", append(serve, "--isolate="+executable, "--template="+unknown), 1, `no handler is registered under "index.handler"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var out, errs bytes.Buffer
			ctx, cancel := context.WithCancel(t.Context())
			cancel() // what should fail and serves instead is to end
			status := run(ctx, c.args, streams{in: strings.NewReader(""), out: &out, err: &errs})
			if status != c.status || !strings.Contains(errs.String(), c.want) || strings.Count(errs.String(), "\n") != 1 || out.Len() > 0 {
				t.Errorf("status %d, out %q, err %q, want %d and one line with %q", status, &out, &errs, c.status, c.want)
			}
		})
	}
}

// TestAnotherTemplate runs one that has none of this system's parameters, functions and routes.
func TestAnotherTemplate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "template.yaml")
	if err := os.WriteFile(path, []byte("Resources:\n  Letters:\n    Type: AWS::SQS::Queue\n    Properties: {QueueName: letters}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var errs bytes.Buffer
	out := &stopper{stop: cancel, at: "Ctrl-C stops it."}
	status := run(ctx, append([]string{"run", "--memory", "--details", "--template=" + path}, anyPorts...), streams{in: strings.NewReader(""), out: out, err: &errs})
	if status != 0 || !strings.Contains(out.text.String(), "queue letters") || strings.Contains(out.text.String(), "/quotes") {
		t.Errorf("status %d, %s\n%s", status, &out.text, &errs)
	}
}

// TestTheFirstLineIsThePages: few others follow it, and --open opens the address that it has. If no browser can be
// opened, the system runs all the same.
func TestTheFirstLineIsThePages(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		fails error
		want  string
	}{
		"a browser":    {nil, ""},
		"none to open": {errors.New("there is none"), "warning: no browser can be opened (there is none): open "},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		var out, errs bytes.Buffer
		opened := ""
		status := run(ctx, append([]string{"run", "--memory", "--open", "--template=../../template.yaml"}, anyPorts...), streams{
			in: strings.NewReader(""), out: &out, err: &errs,
			browse: func(url string) error { opened = url; cancel(); return row.fails },
		})
		greeting, _, _ := strings.Cut(out.String(), "\nStopping.")
		lines := strings.Split(strings.TrimSpace(greeting), "\n")
		if status != 0 || lines[0] != "Milepost is at "+opened || !strings.HasSuffix(opened, "/app") || len(lines) > 10 {
			t.Errorf("%s: status %d, opened %q and printed\n%s", name, status, opened, greeting)
		}
		if !strings.HasPrefix(errs.String(), row.want) || row.want == "" && errs.Len() > 0 {
			t.Errorf("%s: err %q, want %q", name, &errs, row.want)
		}
	}
}

// TestMistakesInATemplateAreNamed: of those that lose events it warns, and runs; what AWS refuses is refused.
func TestMistakesInATemplateAreNamed(t *testing.T) {
	t.Parallel()
	const losing = `Resources:
  Letters: {Type: AWS::SQS::Queue}
  Rule:
    Type: AWS::Events::Rule
    Properties:
      EventPattern: {source: [a]}
      Targets:
        - {Id: '1', Arn: !GetAtt Letters.Arn, DeadLetterConfig: {Arn: !GetAtt Letters.Arn}}
`
	const lost = "template.yaml:8: Resources.Rule.Properties.Targets[0].DeadLetterConfig.Arn: no queue policy lets events.amazonaws.com " +
		"send to Letters for this rule, so undelivered events are lost\n"
	own, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const variables = "\n      Environment:\n        Variables:\n"
	reserving := strings.Replace(string(own), variables, variables+"          AWS_REGION: us-east-1\n", 1)
	const reserved = "Lambda reserves the environment variable AWS_REGION\n"
	for name, row := range map[string]struct {
		text, flag string
		status     int
		want       string
	}{
		"a rule that loses events runs":    {losing, "--memory", 0, "warning: DIR/" + lost},
		"and does not pass a check":        {losing, "--check", 1, "warning: DIR/" + lost + "milepost: mistakes in template.yaml: 1\n"},
		"what AWS refuses does not run":    {reserving, "--memory", 1, reserved},
		"what AWS refuses passes no check": {reserving, "--check", 1, reserved},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "template.yaml")
			machines, err := filepath.Abs("../../statemachines")
			if err := errors.Join(err, os.WriteFile(path, []byte(row.text), 0o600), os.Symlink(machines, filepath.Join(filepath.Dir(path), "statemachines"))); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var errs bytes.Buffer
			out := &stopper{stop: cancel, at: "Ctrl-C stops it."}
			status := run(ctx, append([]string{"run", row.flag, "--template=" + path}, anyPorts...), streams{in: strings.NewReader(""), out: out, err: &errs})
			got := strings.ReplaceAll(errs.String(), filepath.Dir(path), "DIR")
			if status != row.status || !strings.HasSuffix(got, row.want) {
				t.Errorf("status %d, %s\n%s", status, &out.text, got)
			}
		})
	}
}

// TestTheTemplateHasNoMistakes is also how make validate looks at it.
func TestTheTemplateHasNoMistakes(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	status := run(t.Context(), []string{"run", "--check", "--template=../../template.yaml"}, streams{in: strings.NewReader(""), out: &out, err: &errs})
	if status != 0 || out.Len()+errs.Len() > 0 {
		t.Errorf("status %d, %s\n%s", status, &out, &errs)
	}
}

// stopper keeps what is printed, and stops the run when it reaches a text.
type stopper struct {
	text bytes.Buffer
	stop func()
	at   string
}

func (s *stopper) Write(p []byte) (int, error) {
	n, err := s.text.Write(p)
	if strings.Contains(s.text.String(), s.at) {
		s.stop()
	}
	return n, err
}

func TestHelp(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	if status := run(t.Context(), []string{"--help"}, streams{out: &out, err: &errs}); status != 0 || errs.Len() > 0 {
		t.Errorf("status %d, err %q, want 0 and none", status, &errs)
	}
	for _, command := range []string{"run", "token", "example", "rate", "vin"} {
		if !strings.Contains(out.String(), "\n  "+command+" ") && !strings.Contains(out.String(), "\n  "+command+"\n") {
			t.Errorf("%s is not in %s", command, &out)
		}
		var help bytes.Buffer
		if status := run(t.Context(), []string{command, "--help"}, streams{out: &help, err: &errs}); status != 0 || !strings.Contains(help.String(), "Usage: milepost "+command) {
			t.Errorf("milepost %s --help: status %d, %s", command, status, &help)
		}
	}
}
