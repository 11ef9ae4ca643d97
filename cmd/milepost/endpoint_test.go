package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
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
	calls := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.Header.Get("Authorization"), "Credential=from-the-environment/") {
			calls++
		}
		sys.AWS().ServeHTTP(w, r)
	}))
	defer server.Close()
	t.Setenv("AWS_ENDPOINT_URL", server.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "from-the-environment")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_REGION", "us-east-1")
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	for _, row := range []struct {
		flag  string
		calls bool
	}{{"--endpoint=" + server.URL, false}, {"--aws", true}, {"--endpoint=", true}} {
		calls = 0
		out, errs, status := runMilepost(t, "", "dlq", "list", row.flag)
		if status != 0 || errs != "" || !strings.Contains(out, "milepost-failed-invocations") || (calls > 0) != row.calls {
			t.Errorf("%s: status %d, %d calls with the environment's key, %s%s", row.flag, status, calls, out, errs)
		}
	}
	t.Setenv("AWS_REGION", "")
	if _, errs, status := runMilepost(t, "", "replay", "status", "--aws"); status != 1 || !strings.HasPrefix(errs, "milepost: there is no AWS region; set AWS_REGION") {
		t.Errorf("without a region: status %d, %s", status, errs)
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
