package xray_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"milepost/local/xray"
)

func TestDaemonTakesSegmentsAndAnswersAboutSampling(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it uses the network")
	}
	s := newService(t, xray.Config{})
	d, err := xray.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d.Serve(s)
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	conn, err := net.Dial("udp", d.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	segment := fmt.Sprintf(`{"name":"n","id":"00000000000000aa","trace_id":%q,"start_time":1,"end_time":2}`, xray.NewTraceID())
	for _, datagram := range []string{"nonsense", "{\"format\":\"xml\",\"version\":1}\n" + segment, "{\"format\": \"json\", \"version\": 1}\n{}", "{\"format\": \"json\", \"version\": 1}\n" + segment} {
		if _, err := conn.Write([]byte(datagram)); err != nil {
			t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(5 * time.Second); s.Stats().Segments == 0; {
		if time.Now().After(deadline) {
			t.Fatal("the segment did not arrive")
		}
		time.Sleep(time.Millisecond)
	}
	if got := s.Stats().Segments; got != 1 {
		t.Errorf("segments = %d", got)
	}
	answer, err := http.Post("http://"+d.Addr()+"/GetSamplingRules", "application/json", strings.NewReader(`{"NextToken": null}`))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body)
	if answer.StatusCode != http.StatusOK || !strings.Contains(string(body), `"Default"`) {
		t.Errorf("%d %s", answer.StatusCode, body)
	}
	unsigned, err := http.Post("http://"+d.Addr()+"/TraceSegments", "text/plain", strings.NewReader(`{"TraceSegmentDocuments": []}`))
	if err != nil {
		t.Fatal(err)
	}
	defer unsigned.Body.Close()
	if unsigned.StatusCode != http.StatusNotFound {
		t.Errorf("segments over TCP: %d, want 404", unsigned.StatusCode)
	}
}

func TestDaemonThatNeverServedGivesItsPortBack(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it uses the network")
	}
	d, err := xray.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := xray.Listen(d.Addr())
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}
