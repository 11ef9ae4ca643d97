package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"strings"
	"testing"
)

// TestTheConsoleLooksAtAnotherSystem by its endpoint, as at the one that it was started with.
func TestTheConsoleLooksAtAnotherSystem(t *testing.T) {
	t.Parallel()
	s := mustServe(t, append(freePorts, "--memory")...)
	s.awaitQuoted(s.mustSubmit("one"))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	read, write := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"console", "--endpoint", "http://" + s.aws, "--address", "127.0.0.1:0"}, streams{out: write, err: os.Stderr})
		_ = write.Close()
	}()
	lines := bufio.NewScanner(read)
	link := ""
	for link == "" && lines.Scan() {
		link, _ = strings.CutPrefix(lines.Text(), "Console  ")
	}
	go func() { _, _ = io.Copy(io.Discard, read) }() // the link for the next browser, and the end
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := (&http.Client{Jar: jar}).Get(link)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK || !strings.Contains(string(text), "1 succeeded") || !strings.Contains(string(text), "milepost-quote") {
		t.Errorf("%s: %s %v\n%s", link, answer.Status, err, text)
	}
	stop()
	if status := <-ended; status != 0 {
		t.Errorf("status %d", status)
	}
}

func TestTheConsoleOfTwoAtOneAddress(t *testing.T) {
	t.Parallel()
	s := mustServe(t, append(freePorts, "--memory")...)
	out, errs, status := runMilepost(t, "", "console", "--endpoint", "http://"+s.aws, "--address", s.api)
	if status != 1 || !strings.Contains(errs, "choose another address with --address") {
		t.Errorf("status %d, %s%s", status, out, errs)
	}
}
