package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestInterruptedUnderLoadLosesNothing(t *testing.T) {
	t.Parallel()
	l := &load{accepted: map[string]string{}}
	data := dataDir(t)
	s := mustServe(t, append(freePorts, "--data", data)...)
	l.drive(s, "interrupted", 40, s.mustStop)
	if !strings.HasSuffix(s.log.String(), "\nStopping.\n") {
		t.Errorf("it said %q, want that it stops and nothing else", s.log)
	}
	if len(l.unanswered) == 0 {
		t.Error("all requests were answered, so that it was not under load")
	}
	s = mustServe(t, append(s.samePorts(), "--data", data)...)
	l.again(s)
	s.awaitQuoted(l.ids()...)
	s.assertSound(l.ids()...)
}

// mustHang sends half a request, and returns when the system waits for the other half.
func (s *served) mustHang() {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.api)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, "POST /quotes HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "+s.token+
		"\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n"); err != nil {
		s.t.Fatal(err)
	}
	if line, err := bufio.NewReader(conn).ReadString('\n'); line != "HTTP/1.1 100 Continue\r\n" {
		s.t.Fatalf("got %q, %v; want a prompt to continue", line, err)
	}
}

func TestARequestThatHangsDoesNotHoldUpTheEnd(t *testing.T) {
	t.Parallel()
	s := mustServe(t, append(freePorts, "--memory")...)
	s.mustHang()
	began := time.Now()
	s.mustStop()
	if took := time.Since(began); took > 2*grace {
		t.Errorf("it took %v to stop", took)
	}
}

func TestASecondInterruptKills(t *testing.T) {
	t.Parallel()
	s := mustServe(t, append(freePorts, "--memory")...)
	s.mustHang()
	s.signal(os.Interrupt)
	for again := time.NewTicker(50 * time.Millisecond); ; {
		select {
		case <-again.C:
			_ = s.cmd.Process.Signal(os.Interrupt) // unless it has ended
			continue
		case <-s.ended:
		}
		break
	}
	if got := s.cmd.ProcessState.Sys().(syscall.WaitStatus).Signal(); got != syscall.SIGINT {
		t.Errorf("it ended with %v, want by the interrupt", s.cmd.ProcessState)
	}
}

func TestATakenPortNamesItsFlag(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it starts processes")
	}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tcp.Close() })
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { udp.Close() })
	for _, c := range []struct {
		flag  string
		taken net.Addr
	}{{"--api", tcp.Addr()}, {"--aws", tcp.Addr()}, {"--bureau", tcp.Addr()}, {"--xray", tcp.Addr()}, {"--xray", udp.LocalAddr()}} {
		t.Run(c.flag+" "+c.taken.Network(), func(t *testing.T) {
			t.Parallel()
			data := dataDir(t)
			args := append([]string{"run", "--template=../../template.yaml", "--data", data}, freePorts...)
			got := mustEnd(t, append(args, fmt.Sprintf("%s=%s", c.flag, c.taken))...)
			want := fmt.Sprintf("%s is taken, perhaps by another milepost run: stop what listens there, or choose another address with %s\n", c.taken, c.flag)
			if got.status != 1 || !strings.HasSuffix(got.err, want) || strings.Count(got.err, "\n") != 1 || got.out != "" {
				t.Errorf("status %d, out %q, err %q, want 1 and one line ending in %q", got.status, got.out, got.err, want)
			}
			if _, err := os.Stat(data); !os.IsNotExist(err) {
				t.Errorf("the data directory was made: %v", err)
			}
		})
	}
}

func TestDataInUseIsLeftAlone(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	s := mustServe(t, append(freePorts, "--data", data)...)
	got := mustEnd(t, append([]string{"run", "--template=../../template.yaml", "--data", data}, freePorts...)...)
	want := fmt.Sprintf("milepost: open %s/state.db: another process has it open\n", data)
	if got.status != 1 || got.err != want || got.out != "" {
		t.Errorf("status %d, out %q, err %q, want 1 and %q", got.status, got.out, got.err, want)
	}
	s.awaitQuoted(s.mustSubmit("still-there"))
	s.mustStop()
}
