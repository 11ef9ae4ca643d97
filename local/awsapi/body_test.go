package awsapi_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"milepost/local/awsapi"
)

// TestAHalfSentBodyIsGivenUp has clients that send a part of what they announced and then nothing.
func TestAHalfSentBodyIsGivenUp(t *testing.T) {
	t.Parallel()
	const patience = 100 * time.Millisecond
	aws := awsapi.NewServer()
	aws.Handle("AWSEvents", "", answer([]byte("{}"), nil))
	server := httptest.NewServer(awsapi.GiveUp(patience, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/aws" {
			aws.ServeHTTP(w, r)
			return
		}
		if _, err := io.ReadAll(r.Body); err != nil {
			http.Error(w, err.Error(), http.StatusRequestTimeout)
		}
	})))
	t.Cleanup(server.Close)
	const whole = `{"a":1,"b":2,"c":3}`
	for name, c := range map[string]struct {
		path, sent string
		status     int
	}{
		"nothing of it":  {"/", "", 408},
		"half of it":     {"/", whole[:9], 408},
		"half of a call": {"/aws", whole[:9], 408},
		"all of it":      {"/", whole, 200},
		"all of a call":  {"/aws", whole, 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: AWSEvents.PutEvents\r\nAuthorization: %s\r\nContent-Length: %d\r\n\r\n",
				c.path, signedFor("events"), len(whole))
			fmt.Fprint(conn, c.sent)
			if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			reader := bufio.NewReader(conn)
			resp, err := http.ReadResponse(reader, nil)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != c.status {
				t.Errorf("status %d, want %d", resp.StatusCode, c.status)
			}
			if c.status == 200 {
				return
			}
			if _, err := io.Copy(io.Discard, reader); err != nil {
				t.Errorf("the connection stays: %v", err)
			}
		})
	}
}

// TestASlowBodyIsReadToItsEnd has a client that takes long for its body, but is never silent for long.
func TestASlowBodyIsReadToItsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for gap, whole := range map[time.Duration]bool{9 * time.Second: true, 11 * time.Second: false} {
			c := &slowConnection{ResponseRecorder: httptest.NewRecorder(), gap: gap, left: 20}
			r := httptest.NewRequest("POST", "/", c)
			awsapi.GiveUp(10*time.Second, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if (err == nil) != whole || whole && len(body) != 20 {
					t.Errorf("a byte every %v: %d bytes, %v", gap, len(body), err)
				}
			})).ServeHTTP(c, r)
			if whole && !c.deadline.IsZero() {
				t.Error("the handler is left with a deadline for reading")
			}
		}
	})
}

// slowConnection sends a byte after each gap, unless its deadline comes first.
type slowConnection struct {
	*httptest.ResponseRecorder
	gap      time.Duration
	left     int
	deadline time.Time
}

func (c *slowConnection) SetReadDeadline(t time.Time) error {
	c.deadline = t
	return nil
}

func (c *slowConnection) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, io.EOF
	}
	if wait := time.Until(c.deadline); wait < c.gap {
		time.Sleep(wait)
		return 0, os.ErrDeadlineExceeded
	}
	time.Sleep(c.gap)
	c.left--
	return copy(p, "x"), nil
}
