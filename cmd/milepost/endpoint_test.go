package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"milepost/system"
)

// The variables of the AWS SDK are the process's, so this test has no others beside it.
func TestCommandsReachAWSOverTheNetwork(t *testing.T) {
	sys, err := system.Open(system.Options{Template: "../../template.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	defer sys.Close()
	var key, region string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if found := regexp.MustCompile(`Credential=([^/]+)/[0-9]+/([^/]+)/`).FindStringSubmatch(r.Header.Get("Authorization")); found != nil {
			key, region = found[1], found[2]
		}
		sys.AWS().ServeHTTP(w, r)
	}))
	defer server.Close()
	profiles := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(profiles, []byte("[profile other]\nregion = eu-west-1\naws_access_key_id = OTHER\naws_secret_access_key = s\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CONFIG_FILE", profiles)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	for _, variable := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"} {
		t.Setenv(variable, "")
	}
	for name, row := range map[string]struct {
		environment, args   string
		key, region, failed string
	}{
		"an endpoint":                       {"", "--endpoint=" + server.URL, "milepost", "us-east-1", ""},
		"an endpoint and a key":             {"AWS_ACCESS_KEY_ID=MINE AWS_SECRET_ACCESS_KEY=s AWS_REGION=eu-north-1", "--endpoint=" + server.URL, "MINE", "eu-north-1", ""},
		"an endpoint and a profile":         {"", "--profile=other --endpoint=" + server.URL, "OTHER", "eu-west-1", ""},
		"the variable":                      {"AWS_ENDPOINT_URL=" + server.URL, "", "milepost", "us-east-1", ""},
		"the variable and a profile":        {"AWS_ENDPOINT_URL=" + server.URL, "--profile=other", "OTHER", "eu-west-1", ""},
		"the variable and that of profiles": {"AWS_PROFILE=other AWS_ENDPOINT_URL=" + server.URL, "", "OTHER", "eu-west-1", ""},
		"the flag and the variable":         {"AWS_ENDPOINT_URL=http://127.0.0.1:1 AWS_ENDPOINT_URL_SQS=http://127.0.0.1:1", "--endpoint=" + server.URL, "milepost", "us-east-1", ""},
		"the real AWS and the variable":     {"AWS_ACCESS_KEY_ID=MINE AWS_SECRET_ACCESS_KEY=s AWS_REGION=eu-north-1 AWS_ENDPOINT_URL=" + server.URL, "--aws", "MINE", "eu-north-1", ""},
		"no endpoint is the real AWS":       {"AWS_ACCESS_KEY_ID=MINE AWS_SECRET_ACCESS_KEY=s AWS_REGION=eu-north-1 AWS_ENDPOINT_URL=" + server.URL, "--endpoint=", "MINE", "eu-north-1", ""},
		"no region":                         {"AWS_ENDPOINT_URL=" + server.URL, "--aws", "", "", "milepost: there is no AWS region; set AWS_REGION"},
		"a wrong variable":                  {"AWS_ENDPOINT_URL=localhost:4566", "", "", "", `milepost: AWS_ENDPOINT_URL: "localhost:4566" is not an address like http://127.0.0.1:4566`},
		"an unknown profile":                {"", "--profile=none --endpoint=" + server.URL, "", "", "milepost: failed to get shared config profile, none"},
		"nobody there":                      {"AWS_ENDPOINT_URL=http://127.0.0.1:1", "", "", "", "milepost: CloudFormation DescribeStacks: nothing answers at http://127.0.0.1:1;"},
	} {
		t.Run(name, func(t *testing.T) {
			key, region = "", ""
			for pair := range strings.FieldsSeq(row.environment) {
				variable, value, _ := strings.Cut(pair, "=")
				t.Setenv(variable, value)
			}
			out, errs, status := runMilepost(t, "", append([]string{"dlq", "list"}, strings.Fields(row.args)...)...)
			if row.failed != "" {
				if status != 1 || !strings.HasPrefix(errs, row.failed) {
					t.Errorf("status %d, %s", status, errs)
				}
				return
			}
			if status != 0 || errs != "" || !strings.Contains(out, "milepost-failed-invocations") || key != row.key || region != row.region {
				t.Errorf("status %d, key %q, region %q, %s%s", status, key, region, out, errs)
			}
		})
	}
}

// absent is an address at which nothing listens.
type absent struct{}

func (absent) Do(*http.Request) (*http.Response, error) {
	return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4566}, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
}

func TestCommandsSayThatNothingRuns(t *testing.T) {
	inMemory(t, nil, func(t *testing.T, s *running) {
		s.aws = absent{}
		for _, args := range []string{"replay start", "replay status", "replay cancel x", "dlq list", "dlq show x", "dlq redrive x --all"} {
			got := s.milepost(strings.Fields(args)...)
			if got.status != 1 || got.out != "" || !strings.HasSuffix(got.err, "nothing answers at 127.0.0.1:4566; is milepost run running, and --endpoint its address?\n") {
				t.Errorf("%s: %+v", args, got)
			}
		}
	})
}

// stranger is something that answers, and is not AWS.
type stranger struct{}

func (stranger) Do(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusNotFound, Header: http.Header{}, Body: http.NoBody}, nil
}

// nameless is an address whose host has no name.
type nameless struct{}

func (nameless) Do(r *http.Request) (*http.Response, error) {
	return nil, &url.Error{Op: "Post", URL: r.URL.String(), Err: &net.DNSError{Err: "no such host", Name: r.URL.Hostname(), IsNotFound: true}}
}

func TestCommandsSayWhatIsWrongWithAnAddress(t *testing.T) {
	inMemory(t, nil, func(t *testing.T, s *running) {
		for _, row := range []struct {
			at   aws.HTTPClient
			want string
		}{
			{stranger{}, "what answers there is not AWS; is --endpoint the address that milepost run prints for it?\n"},
			{nameless{}, "no such host; is --endpoint the address of milepost run?\n"},
		} {
			s.aws = row.at
			for _, args := range []string{"replay status", "dlq list", "log verify", "log show x", "rebuild all", "rebuild all --workflow", "correct --dry-run", "mail list"} {
				got := s.milepost(strings.Fields(args)...)
				if got.status != 1 || got.out != "" || strings.Count(got.err, "\n") != 1 || !strings.HasSuffix(got.err, row.want) {
					t.Errorf("%s: %+v", args, got)
				}
			}
		}
	})
}

func TestWrongUseOfReplayAndDlqSaysWhatIsRight(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ args, want string }{
		{"replay", `expected one of "start", "status", "cancel"`},
		{"replay start again", "unexpected argument again"},
		{"replay start --from=yesterday", `--from: "yesterday" is neither a time like 2026-05-01T09:30:00Z nor one that is so long ago, like 36h`},
		{"replay start --until=-1h", `--until: "-1h" is neither a time`},
		{"replay start --from=1h --until=2h", "--from ("},
		{"replay start --from=2999-01-01T00:00:00Z", "must be before --until"},
		{"replay start --name=a/b", `--name takes up to 64 letters, digits, dots, dashes and underscores, not "a/b"`},
		{"replay start --endpoint=localhost:4566", `--endpoint: "localhost:4566" is not an address like http://127.0.0.1:4566`},
		{"replay cancel", `expected "<name>"`},
		{"replay status --aws --endpoint=http://127.0.0.1:1", "--endpoint and --aws can't be used together"},
		{"dlq", `expected one of "list", "show", "redrive"`},
		{"dlq list x", "unexpected argument x"},
		{"dlq show", `expected "<queue>"`},
		{"dlq show q --max=0", "--max must be from 1 to 100000, and is 0"},
		{"dlq redrive q", "pass either --id with a message of milepost dlq show, or --all"},
		{"dlq redrive q --all --id=x", "pass either --id"},
		{"dlq redrive q --every", "unknown flag --every"},
	} {
		out, errs, status := runMilepost(t, "", strings.Fields(row.args)...)
		if status != 2 || out != "" || !strings.Contains(errs, row.want) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%s: status %d, %q, want 2 and a line with %q", row.args, status, out+errs, row.want)
		}
	}
}
