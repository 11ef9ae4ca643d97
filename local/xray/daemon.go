package xray

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// Daemon listens where the X-Ray SDKs expect the X-Ray daemon: on UDP for segments, and on the
// same port on TCP for the questions about sampling. A datagram is a line with the format, a
// newline and one segment document.
type Daemon struct {
	service *Service
	udp     *net.UDPConn
	http    *http.Server
	wg      sync.WaitGroup
}

// ListenUDP starts a Daemon on addr, such as "127.0.0.1:2000"; port 0 takes a free one.
func (s *Service) ListenUDP(addr string) (*Daemon, error) {
	tcp, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen for the X-Ray daemon: %w", err)
	}
	bound := tcp.Addr().(*net.TCPAddr)
	udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: bound.IP, Port: bound.Port, Zone: bound.Zone})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen for the X-Ray daemon: %w", err), tcp.Close())
	}
	// Bursts of segments outrun the reader; what does not fit in the buffer is lost silently.
	if err := udp.SetReadBuffer(4 << 20); err != nil {
		s.log.Warn("enlarge the buffer of the X-Ray daemon", "error", err)
	}
	d := &Daemon{service: s, udp: udp, http: &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}}
	d.wg.Go(d.receive)
	d.wg.Go(func() { _ = d.http.Serve(tcp) }) // always ErrServerClosed, by Close
	return d, nil
}

// Addr is where the Daemon listens, for AWS_XRAY_DAEMON_ADDRESS.
func (d *Daemon) Addr() string { return d.udp.LocalAddr().String() }

// Close stops listening.
func (d *Daemon) Close() error {
	err := errors.Join(d.udp.Close(), d.http.Close())
	d.wg.Wait()
	return err
}

func (d *Daemon) receive() {
	buffer := make([]byte, 64<<10)
	for {
		n, _, err := d.udp.ReadFromUDPAddrPort(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			d.service.log.Warn("read a segment", "error", err)
			continue
		}
		if err := d.service.putDatagram(buffer[:n]); err != nil {
			d.service.log.Warn("take a segment", "error", err)
		}
	}
}

func (s *Service) putDatagram(datagram []byte) error {
	line, document, ok := bytes.Cut(datagram, []byte("\n"))
	if !ok {
		return errors.New("the datagram has no header line")
	}
	var header struct {
		Format  string
		Version int
	}
	if err := json.Unmarshal(line, &header); err != nil {
		return fmt.Errorf("read the header line: %w", err)
	}
	if header.Format != "json" || header.Version != 1 {
		return fmt.Errorf("the format %q version %d is not json version 1", header.Format, header.Version)
	}
	return s.Put(document)
}
